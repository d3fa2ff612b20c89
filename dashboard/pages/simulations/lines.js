// Which policies have a line in the charts.

import { swatch } from "../../lib/chart.js";
import { LINES } from "../../lib/colours.js";
import { element } from "../../lib/dom.js";

const container = document.getElementById("lines");

export class Lines {
  #wanted;
  #onChoose;
  #rows = [];

  // `wanted` are the names of those that shall have one, or null for the first;
  // `onChoose` is called with the names when others shall.
  constructor(wanted, onChoose) {
    this.#wanted = wanted;
    this.#onChoose = onChoose;
  }

  // The rows that have a line, of these.
  of(rows) {
    this.#rows = rows;
    // A row is called after its file too as soon as there is a second one.
    const isWanted = ({ name, outcome }) =>
      [name, outcome.policy].some((one) => this.#wanted?.includes(one));
    const wanted = rows.filter(isWanted);
    const shown = (wanted.length > 0 ? wanted : rows).slice(0, LINES.length);
    this.#show(shown);
    return shown;
  }

  #show(shown) {
    const isFull = shown.length === LINES.length;
    const boxes = this.#rows.map((row) => {
      const place = shown.indexOf(row);
      const input = element("input", {
        type: "checkbox",
        disabled: isFull && place < 0,
        on: { change: () => this.#choose(shown, row) },
      });
      input.checked = place >= 0;
      return element("label", {}, input, place >= 0 ? swatch(place) : null, row.name);
    });
    const most = `${LINES.length} lines can be told apart`;
    const hint =
      this.#rows.length > LINES.length
        ? element(
            "span",
            { class: "hint" },
            isFull ? `${most}: take one away to add another.` : `${most}.`,
          )
        : null;
    const focused = [...container.querySelectorAll("input")].indexOf(document.activeElement);
    container.replaceChildren(element("legend", {}, "Lines of"), ...boxes, ...(hint ? [hint] : []));
    container.querySelectorAll("input")[focused]?.focus();
  }

  // The last one stays: charts of nothing say nothing.
  #choose(shown, row) {
    const others = shown.filter((one) => one !== row);
    const now = others.length < shown.length ? others : [...shown, row];
    this.#wanted = (now.length > 0 ? now : shown).map(({ name }) => name);
    this.#onChoose(this.#wanted);
  }
}
