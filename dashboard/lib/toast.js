// Short messages at the page's edge: what was done, with a way back where there
// is one, and what went wrong.

import { button, element } from "./dom.js";

// Long enough to read it and to reach the way back.
const STAYS_MS = 10_000;

// More would hide the page.
const MOST = 3;

const polite = element("div", { class: "toasts", role: "status", "aria-live": "polite" });
const urgent = element("div", { class: "toasts", role: "alert" });

export function installToasts() {
  document.body.append(element("div", { class: "toast-area" }, polite, urgent));
}

// Say that something is done; `undo` does the opposite.
export function done(text, undo) {
  const toast = shown(
    polite,
    text,
    undo && ["Undo", () => attempt(undo, "It could not be undone")],
  );
  let timer = setTimeout(() => toast.remove(), STAYS_MS);
  // Whoever reads it or is about to press its button is not hurried.
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("focusin", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", () => {
    timer = setTimeout(() => toast.remove(), STAYS_MS);
  });
}

// Say that something went wrong; it stays until it is closed, and is not said
// twice.
export function failed(text) {
  const isSaid = [...urgent.children].some((toast) => toast.firstElementChild.textContent === text);
  if (!isSaid) {
    shown(urgent, text);
  }
}

// Do something, and say so if it is refused. True when it was done.
export async function attempt(action, otherwise) {
  try {
    await action();
    return true;
  } catch (error) {
    failed(`${otherwise}: ${error.message}`);
    return false;
  }
}

function shown(area, text, action) {
  const toast = element(
    "div",
    { class: area === urgent ? "toast bad" : "toast" },
    element("p", {}, text),
  );
  if (action) {
    const [label, act] = action;
    toast.append(
      button(label, {}, () => {
        toast.remove();
        act();
      }),
    );
  }
  toast.append(
    button("×", { class: "close", "aria-label": "Close this message" }, () => toast.remove()),
  );
  area.append(toast);
  if (area.childElementCount > MOST) {
    area.firstElementChild.remove();
  }
  return toast;
}
