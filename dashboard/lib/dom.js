// Building the page: elements are made of texts and other elements, never of
// markup, so nothing that a server or a plugin says can become script.

const SVG = "http://www.w3.org/2000/svg";

// An element. `class`, `dataset`, `on` (listeners) and `style` (properties) are
// taken apart; true and false set and leave out an attribute; whatever else is
// an attribute. Children are elements, texts, or nothing.
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

// The same for SVG.
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, { on = {}, dataset = {}, style = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(made, name, value);
  }
  for (const [event, listener] of Object.entries(on)) {
    made.addEventListener(event, listener);
  }
  Object.assign(made.dataset, dataset);
  for (const [property, value] of Object.entries(style)) {
    made.style.setProperty(property, value);
  }
  made.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return made;
}

// Set an attribute, or take it away; an unchanged one costs nothing.
export function setAttribute(target, name, value) {
  if (value === false || value === null || value === undefined) {
    target.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (target.getAttribute(name) !== text) {
    target.setAttribute(name, text);
  }
}

// Set a text; an unchanged one costs no layout and tells screen readers nothing.
export function setText(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

export function button(label, { on, ...attributes }, onClick) {
  const listeners = { ...on, click: onClick };
  return element("button", { type: "button", ...attributes, on: listeners }, label);
}

// A link to elsewhere, which is told nothing of this page; the text alone of what
// is no address of the web.
export function outward(address) {
  const protocol = URL.canParse(address) ? new URL(address).protocol : null;
  const attributes = { href: address, target: "_blank", rel: "noopener noreferrer" };
  return ["http:", "https:"].includes(protocol) ? element("a", attributes, address) : address;
}

// Make `parent` have a child for each item, in order, keeping the elements of
// items that stay. `make` gives `{element, update}`.
export function reconcile(parent, known, items, { key, make }) {
  const wanted = new Map(items.map((item) => [key(item), item]));
  for (const [name, one] of known) {
    if (!wanted.has(name)) {
      one.element.remove();
      known.delete(name);
    }
  }
  let next = parent.firstElementChild;
  for (const [name, item] of wanted) {
    let one = known.get(name);
    if (!one) {
      one = make(item);
      known.set(name, one);
    }
    one.update(item);
    if (one.element === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(one.element, next);
    }
  }
}
