// A bar for each server: a list where there are few, one picture where there
// are many.

import { element, reconcile, setText } from "../../lib/dom.js";
import { count, milliseconds, rate } from "../../lib/format.js";
import { SIGNS, median, stateOf, tail } from "../../lib/servers.js";
import { BarField } from "./bar-field.js";
import { BarList } from "./bar-list.js";

// More names than these are not read but searched.
const FEW = 48;

const MEASURES = [
  { name: "requests/s", value: (server) => server.requestsPerSecond, form: rate },
  { name: "active", value: (server) => server.activeConnections, form: count },
  { name: "errors/s", value: (server) => server.errorsPerSecond, form: rate },
  { name: "median time", value: median, form: milliseconds },
  { name: "p99 time", value: tail, form: milliseconds },
];

const STATES = [
  "healthy",
  "unhealthy",
  "circuit open",
  "circuit half-open",
  "draining",
  "unknown",
];

export class Bars {
  #container;
  #measure;
  #states;
  #known = new Map();
  #shown = null;
  // Each kind that has been shown, kept for when it is shown again.
  #views = new Map();

  constructor(container, states, measure) {
    this.#container = container;
    this.#states = states;
    this.#measure = measure;
    measure.append(...MEASURES.map(({ name }) => element("option", {}, name)));
    measure.addEventListener("change", () => this.#draw());
  }

  show(servers) {
    this.#shown = servers;
    this.#showStates();
    this.#draw();
  }

  // How many are how: a legend, and all that needs to be read on most days.
  #showStates() {
    const counts = Map.groupBy(this.#shown, stateOf);
    const present = STATES.filter((state) => counts.has(state));
    reconcile(this.#states, this.#known, present, {
      key: (state) => state,
      make: (state) => {
        const node = element("span", { class: "state", dataset: { state } });
        return { element: node, update: () => {} };
      },
    });
    for (const state of present) {
      const text = `${SIGNS[state]} ${count(counts.get(state).length)} ${state}`;
      setText(this.#known.get(state).element, text);
    }
  }

  #draw() {
    if (!this.#shown) {
      return;
    }
    const measure = MEASURES[this.#measure.selectedIndex];
    const top = this.#shown.reduce((most, server) => Math.max(most, measure.value(server) ?? 0), 0);
    const Kind = this.#shown.length > FEW ? BarField : BarList;
    if (!this.#views.has(Kind)) {
      this.#views.set(Kind, new Kind());
    }
    const view = this.#views.get(Kind);
    if (!view.element.isConnected) {
      this.#container.replaceChildren(view.element);
    }
    view.show(this.#shown, measure, top);
  }
}
