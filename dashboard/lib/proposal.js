// A choice that counts once it is applied: whoever goes through a list or moves
// a slider by keys passes values that nobody wants in force.

import { configurationIn, isEarlier } from "./configuration.js";
import { button } from "./dom.js";

// A button for a list or slider. `apply(value)` gives the API's answer when it was
// done, else null; the next one waits for that. Escape takes the choice back.
export function proposal(input, { label, apply, onShow = () => {} }) {
  let current = input.value;
  let isSending = false;
  // The configuration that has what was applied last.
  let applied = null;
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
    const answer = await apply(wanted);
    if (answer) {
      applied = configurationIn(answer);
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
    // What a configuration has in force. An open choice stays as it is, unless it
    // has gone from its list, which has no value then.
    follow(value, configuration) {
      // What was under way when it was applied does not know of it.
      if (isEarlier(configuration, applied)) {
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
