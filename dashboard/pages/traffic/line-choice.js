// Which pools have a line, where not all of them can have one.

import { button, element, reconcile, setText } from "../../lib/dom.js";
import { count } from "../../lib/format.js";
import { MOST_LINES } from "./history.js";

export class LineChoice {
  #container;
  #onChoose;
  #text = element("p", { class: "quiet" });
  #list = element("div", { class: "line-list", role: "group", "aria-label": "Pools with a line" });
  #limit = element("p", { class: "hint" });
  #busiest;
  #details;
  #boxes = new Map();
  #names = [];

  // `onChoose` is given the pools that shall have a line, or null for the busiest.
  constructor(container, onChoose) {
    this.#container = container;
    this.#onChoose = onChoose;
    this.#busiest = button("Show the busiest", { class: "small" }, () => {
      this.#details.open = false;
      onChoose(null);
    });
    this.#details = element(
      "details",
      { on: { toggle: () => this.#details.open && this.#showList() } },
      element("summary", {}, "Choose pools"),
      this.#list,
      this.#limit,
    );
    container.append(
      element("div", { class: "line-said" }, this.#text, this.#busiest),
      this.#details,
    );
  }

  // All pools by name, those with a line, and whether somebody has chosen these.
  show({ pool, names, shown, isChosen, servers }) {
    const isOfPools = pool === null;
    const all = isOfPools ? names.length : servers;
    this.#container.hidden = all <= MOST_LINES && !isChosen;
    this.#details.hidden = !isOfPools;
    this.#busiest.hidden = !isChosen;
    const which = isChosen ? "as chosen" : "the busiest";
    const how = isOfPools ? "others below" : "one above";
    const noun = isOfPools ? "pools" : "servers";
    setText(this.#text, `${shown.length} of ${count(all)} ${noun}, ${which}; choose ${how}.`);
    this.#names = names;
    this.#shown = new Set(shown);
    // What somebody aims at stays as it is, unless it is somebody's choice.
    if (isChosen && this.#details.open) {
      this.#showList();
    }
  }

  #shown = new Set();

  #showList() {
    const isFull = this.#shown.size >= MOST_LINES;
    reconcile(this.#list, this.#boxes, this.#names, {
      key: (name) => name,
      make: (name) => this.#box(name),
    });
    for (const [name, { input }] of this.#boxes) {
      input.checked = this.#shown.has(name);
      input.disabled = isFull && !input.checked;
    }
    const most = `${MOST_LINES} lines can be told apart`;
    setText(this.#limit, isFull ? `${most}: take one away to add another.` : `${most}.`);
  }

  #box(name) {
    const input = element("input", {
      type: "checkbox",
      on: { change: () => this.#onChoose(this.#checked()) },
    });
    return { element: element("label", {}, input, name), input, update: () => {} };
  }

  #checked() {
    return this.#names.filter((name) => this.#boxes.get(name)?.input.checked);
  }
}
