// Short messages at the page's edge: what was done, with a way back where there
// is one, and what went wrong.

import { button, element } from "./dom.js";

// Long enough to read it and to reach the way back.
const STAYS_MS = 10_000;

// More would hide the page.
const MOST = 3;

const polite = element("div", { class: "toasts", role: "status", "aria-live": "polite" });
const urgent = element("div", { class: "toasts", role: "alert" });

// What is written in has an undo of its own.
const WRITTEN_IN = "input:not([type=range], [type=checkbox]), textarea";

export function installToasts() {
  document.body.append(element("div", { class: "toast-area" }, polite, urgent));
  // The way back lies at the end of the page: whoever has no pointer would not
  // reach it in time.
  document.addEventListener("keydown", (event) => {
    const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
    const isElsewhere = document.querySelector("dialog[open]") ?? event.target.closest(WRITTEN_IN);
    const way = polite.querySelector(".undo");
    if (isUndo && !isElsewhere && way) {
      event.preventDefault();
      way.click();
    }
  });
}

// Say that something is done. What the API answered is `change`; `undo` does the
// opposite, given the tag of the state that it is the opposite in: what somebody
// else has changed since is not touched.
export function done(text, change, undo) {
  const { tag } = change;
  // What leads back to an earlier state would be refused by now.
  [...polite.querySelectorAll(".undo")]
    .filter((way) => way.dataset.tag !== tag)
    .forEach((way) => way.remove());
  const isUndoable = undo && change.data.changed;
  const way = isUndoable && undoButton(tag, () => takeBack(() => undo(tag)));
  const toast = shown(polite, text, way);
  let timer = null;
  const stay = () => clearTimeout(timer);
  const goSoon = () => {
    stay();
    timer = setTimeout(() => toast.remove(), STAYS_MS);
  };
  // Whoever reads it or is about to press its button is not hurried.
  ["pointerenter", "focusin"].forEach((event) => toast.addEventListener(event, stay));
  ["pointerleave", "focusout"].forEach((event) => toast.addEventListener(event, goSoon));
  goSoon();
}

function undoButton(tag, act) {
  const attributes = {
    class: "undo",
    title: "Ctrl+Z",
    "aria-keyshortcuts": "Control+Z Meta+Z",
    dataset: { tag },
  };
  const way = button("Undo", attributes, () => {
    way.closest(".toast").remove();
    act();
  });
  return way;
}

async function takeBack(undo) {
  const isStale = ({ status }) => status === 412;
  try {
    await undo();
  } catch (error) {
    const why = isStale(error)
      ? "the configuration has been changed since, and that stays as it is."
      : error.message;
    failed(`It could not be undone: ${why}`);
  }
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

function shown(area, text, way = null) {
  const toast = element(
    "div",
    { class: area === urgent ? "toast bad" : "toast" },
    element("p", {}, text),
    way,
    button("×", { class: "close", "aria-label": "Close this message" }, () => toast.remove()),
  );
  area.append(toast);
  if (area.childElementCount > MOST) {
    area.firstElementChild.remove();
  }
  return toast;
}
