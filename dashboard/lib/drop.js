// Where files come in: dropped, or chosen.

import { button, element } from "./dom.js";

// Make `place` take files: it says `text` before the button `action`. `bring` is
// given the files of each time, one time after the other.
export function takeFiles(place, { text, action, accept, label, multiple = false, bring }) {
  const input = element("input", {
    type: "file",
    accept,
    multiple,
    class: "unseen",
    tabindex: -1,
    "aria-label": label,
    on: {
      async change() {
        await bring([...input.files]);
        // The same file may be chosen again.
        input.value = "";
      },
    },
  });
  place.append(
    element("span", {}, text),
    button(action, {}, () => input.click()),
    input,
  );
  // Beside the place too, a file that is dropped would replace the page.
  for (const event of ["dragover", "drop"]) {
    window.addEventListener(event, (one) => one.preventDefault());
  }
  place.addEventListener("dragover", () => place.classList.add("over"));
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", ({ dataTransfer }) => {
    place.classList.remove("over");
    bring([...dataTransfer.files]);
  });
}
