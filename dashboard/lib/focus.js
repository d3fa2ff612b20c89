// Where the focus goes when what has it leaves: to what is next to it, never to
// the page, from whose top a keyboard would have to come all the way back.

// What comes and goes over the page, and gives the focus back to it.
const OVER = "dialog, .toast-area";

const FOCUSABLE = 'button, a[href], input, select, textarea, summary, [tabindex="0"]';

// What had the focus last, and of that, or of what had it beneath, the way from
// inside out: each element with the place that it had among its siblings.
let last = null;
let way = [];
let isAsked = false;

export function keepFocus() {
  document.addEventListener("focusin", ({ target }) => remember(target));
  // Whoever points beside what can have the focus wants it nowhere. What is
  // pressed has it, if it did not have it before.
  document.addEventListener("pointerdown", ({ target }) => remember(target.closest(FOCUSABLE)));
  new MutationObserver(lookSoon).observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["hidden", "disabled"],
  });
}

function remember(element) {
  last = element;
  if (element && !element.closest(OVER)) {
    way = wayOf(element);
  }
}

// Once a frame is enough.
function lookSoon() {
  if (!isAsked && last) {
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      look();
    });
  }
}

function look() {
  const { activeElement, body } = document;
  const isLost = !activeElement || activeElement === body || !canHave(activeElement);
  if (isLost && last && !canHave(last) && !document.querySelector("dialog[open]")) {
    // Nothing moves: who has scrolled elsewhere is left there.
    heir()?.focus({ preventScroll: true });
  }
}

function wayOf(element) {
  const steps = [];
  for (let one = element; one.parentElement; one = one.parentElement) {
    steps.push({ one, parent: one.parentElement, place: placeOf(one) });
  }
  return steps;
}

const placeOf = (element) => [...element.parentElement.children].indexOf(element);

// What is nearest to what has left: itself, if it is there again; what comes
// after it in the innermost part of the page that is left of its way, or else
// before.
function heir() {
  const [first] = way;
  if (first && canHave(first.one)) {
    return first.one;
  }
  for (const { one, parent, place } of way) {
    if (parent.isConnected && parent.checkVisibility()) {
      const found = near(parent, one, place);
      if (found) {
        return found;
      }
    }
  }
  return null;
}

function near(parent, gone, place) {
  const able = [...parent.querySelectorAll(FOCUSABLE)].filter(canHave);
  const isThere = gone.parentElement === parent;
  const next = isThere ? gone : (parent.children[place] ?? null);
  const { DOCUMENT_POSITION_FOLLOWING: FOLLOWING } = Node;
  // Of what took the place of what has gone, its own parts follow too.
  const after = able.find(
    (one) => next && (next === one || next.compareDocumentPosition(one) & FOLLOWING),
  );
  return after ?? able.at(-1);
}

function canHave(element) {
  return element.isConnected && !element.disabled && element.checkVisibility();
}
