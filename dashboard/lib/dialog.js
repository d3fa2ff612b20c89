// Dialogs: a question, or a form whose mistakes are told beside the field.

import { button, element, setAttribute, setText } from "./dom.js";
import { fieldset } from "./form.js";

let serial = 0;

// Ask before something that cannot be taken back. True when it shall be done.
export function confirm({ title, text, action }) {
  const body = [].concat(text).map((line) => element("p", {}, line));
  return open({ title, body, action, isDangerous: true, onSubmit: () => true }).then(
    (done) => done === true,
  );
}

// A form. `onSubmit` gets the values by name; what it throws is shown, beside
// the field that is to blame if one is, and the dialog stays. The promise gives
// what `onSubmit` gave, or undefined when the dialog was closed. `wire` is given
// the fields, where one goes by another.
export function openForm({ title, text, fields, action, isDangerous, wire, onSubmit }) {
  const form = fieldset(fields);
  wire?.(form);
  const body = [text ? element("p", { class: "quiet" }, text) : null, form.element];
  return open({
    title,
    body,
    action,
    isDangerous,
    onSubmit: () => onSubmit(form.values()),
    onRefusal: (error) => form.blame(error),
    onOpen: () => form.focus(),
  });
}

// A dialog that only shows something.
export function show({ title, body }) {
  return open({ title, body: [].concat(body), isWide: true });
}

function open({ title, body, action, isDangerous, isWide, onSubmit, onRefusal, onOpen }) {
  const id = `dialog-${(serial += 1)}`;
  const error = element("p", { class: "form-error", role: "alert" });
  const cancel = button(action ? "Cancel" : "Close", {}, () => dialog.close());
  const submit = action
    ? element("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, action)
    : null;
  const form = element(
    "form",
    { method: "dialog", novalidate: true },
    element("h2", { id }, title),
    element("div", { class: "dialog-body" }, body),
    error,
    element("div", { class: "dialog-actions" }, cancel, submit),
  );
  const dialog = element("dialog", { "aria-labelledby": id, class: isWide ? "wide" : null }, form);
  let result;
  let isWaiting = false;
  // A button that is disabled would lose the focus.
  const wait = (isSo) => {
    isWaiting = isSo;
    setAttribute(submit, "aria-disabled", isSo ? "true" : null);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!onSubmit || isWaiting) {
      return;
    }
    wait(true);
    setText(error, "");
    try {
      result = await onSubmit();
      dialog.close();
    } catch (refusal) {
      setText(error, onRefusal?.(refusal) ? "" : told(refusal));
    } finally {
      wait(false);
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  onOpen?.();
  return new Promise((closed) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      closed(result);
    });
  });
}

// A refusal whose field is none of the form's.
const told = ({ field, message }) => (field ? `${field}: ${message}` : message);
