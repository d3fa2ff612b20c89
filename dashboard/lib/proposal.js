// A choice that counts once it is applied: whoever goes through a list or moves
// a slider by keys passes values that nobody wants in force.

import { button } from "./dom.js";

// A button for a list or slider. `apply(value)` is true when it was done; the
// next one waits for that. Escape takes the choice back.
export function proposal(input, { label, apply, onShow = () => {} }) {
  let current = input.value;
  let isSending = false;
  // What was in force before what has just been applied.
  let before = null;
  const shown = button("Apply", { class: "primary small", "aria-label": label }, send);
  const tell = () => {
    shown.hidden = input.value === current;
    onShow(input.value);
  };
  const set = (value) => {
    input.value = value;
    tell();
  };

  async function send() {
    if (isSending) {
      return;
    }
    isSending = true;
    const wanted = input.value;
    if (await apply(wanted)) {
      before = current;
      current = wanted;
      tell();
    } else {
      set(current);
    }
    isSending = false;
    input.focus();
  }

  input.addEventListener("input", tell);
  input.addEventListener("keydown", (event) => event.key === "Escape" && set(current));
  tell();
  return {
    button: shown,
    // What is in force now. An open choice stays as it is, unless it has gone from
    // its list, which has no value then.
    follow(value) {
      // Figures that were under way when it was applied are the only ones that do
      // not know of it.
      const isStale = String(value) === before;
      before = null;
      if (isStale) {
        return;
      }
      const isOpen = input.value !== "" && input.value !== current;
      current = String(value);
      if (isOpen) {
        tell();
      } else if (input.value !== current) {
        set(current);
      }
    },
  };
}
