// A table, or words in its place where there is nothing to list.

import { element, setText } from "./dom.js";

export class Listing {
  #container;
  #table;
  #empty = element("p", { class: "empty" });

  // The container is empty but for what shows that it is loaded.
  constructor(container, table) {
    this.#container = container;
    this.#table = table;
  }

  // Show these items, or why there are none.
  show(items, why) {
    if (!this.#table.element.isConnected) {
      this.#container.replaceChildren(this.#table.element, this.#empty);
    }
    this.#table.element.hidden = items.length === 0;
    this.#empty.hidden = items.length > 0;
    setText(this.#empty, why);
    this.#table.show(items);
  }
}
