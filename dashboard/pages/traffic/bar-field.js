// Bars of many servers as one picture: each a column, or several to a column
// where there are more than pixels. The pointer asks one for its name.

import { prepare } from "../../lib/canvas.js";
import { colour, onTheme } from "../../lib/colours.js";
import { element, setText } from "../../lib/dom.js";
import { plural } from "../../lib/format.js";
import { stateOf } from "../../lib/servers.js";

const HEIGHT = 170;

// The worst is what a column of several shows.
const FILLS = [
  ["unhealthy", "bad-fill"],
  ["circuit open", "bad-fill"],
  ["circuit half-open", "warn-fill"],
  ["unknown", "unknown-fill"],
  ["draining", "warn-fill"],
  ["healthy", "good-fill"],
];

export class BarField {
  #canvas = element("canvas", { role: "img" });
  #tip = element("p", { class: "tip", hidden: true });
  #servers = [];
  #measure = null;
  #top = 0;
  #width = 0;
  // Where the pointer is; null where it is elsewhere.
  #x = null;

  constructor() {
    this.element = element("div", { class: "field-of-bars" }, this.#canvas, this.#tip);
    const point = (x) => {
      this.#x = x;
      this.#showTip();
    };
    this.#canvas.addEventListener("pointermove", ({ offsetX }) => point(offsetX));
    this.#canvas.addEventListener("pointerleave", () => point(null));
    onTheme(() => this.#draw());
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#draw();
    }).observe(this.element);
  }

  show(servers, measure, top) {
    [this.#servers, this.#measure, this.#top] = [servers, measure, top];
    const label = `${measure.name} of ${servers.length} servers, ${measure.form(top)} at most`;
    this.#canvas.setAttribute("aria-label", label);
    this.#draw();
    this.#showTip();
  }

  #draw() {
    if (this.#servers.length === 0 || this.#width === 0) {
      return;
    }
    const context = prepare(this.#canvas, this.#width, HEIGHT);
    const columns = this.#columns();
    const step = this.#width / columns.length;
    const gap = step > 4 ? 1 : 0;
    // Whole pixels: what lies between them is drawn as stripes.
    const left = (index) => Math.round(index * step);
    // One colour after the other: to change it is what costs.
    for (const [state, fill] of FILLS) {
      context.fillStyle = colour(fill);
      columns.forEach((column, index) => {
        if (column.state === state) {
          const height = this.#top === 0 ? 0 : (column.value / this.#top) * (HEIGHT - 4);
          context.fillRect(
            left(index),
            HEIGHT - Math.max(2, height),
            left(index + 1) - left(index) - gap,
            HEIGHT,
          );
        }
      });
    }
    this.#markTheUnwell(context, columns, left);
  }

  // A server that gets nothing has no height, and is what has to be seen.
  #markTheUnwell(context, columns, left) {
    context.globalAlpha = 0.55;
    for (const [state, fill] of FILLS.slice(0, -1)) {
      context.fillStyle = colour(fill);
      columns.forEach((column, index) => {
        if (column.state === state) {
          context.fillRect(left(index), 0, Math.max(2, left(index + 1) - left(index)), HEIGHT);
        }
      });
    }
    context.globalAlpha = 1;
  }

  // As many columns as there is room for.
  #columns() {
    const most = Math.max(1, Math.floor(this.#width));
    const each = Math.ceil(this.#servers.length / most);
    const columns = [];
    for (let first = 0; first < this.#servers.length; first += each) {
      const group = this.#servers.slice(first, first + each);
      const states = new Set(group.map(stateOf));
      const [state] = FILLS.find(([name]) => states.has(name));
      const value = group.reduce(
        (most, server) => Math.max(most, this.#measure.value(server) ?? 0),
        0,
      );
      columns.push({ state, value, group });
    }
    return columns;
  }

  // What the column under the pointer shows, and of whom.
  #showTip() {
    const x = this.#x;
    const columns = x === null ? [] : this.#columns();
    const column =
      columns[Math.min(columns.length - 1, Math.floor((x / this.#width) * columns.length))];
    this.#tip.hidden = column === undefined;
    if (column === undefined) {
      return;
    }
    setText(this.#tip, this.#told(column));
    const left = Math.min(x + 12, this.#width - this.#tip.offsetWidth);
    this.#tip.style.left = `${Math.max(0, left)}px`;
  }

  #told({ state, value, group }) {
    const [first, ...rest] = group;
    const { form, name } = this.#measure;
    if (rest.length === 0) {
      return `${first.serverId} of ${first.pool}: ${state}, ${form(this.#measure.value(first))} ${name}`;
    }
    const unwell = state === "healthy" ? [] : group.filter((one) => stateOf(one) === state);
    const states =
      unwell.length === 0
        ? "healthy"
        : `${state}: ${unwell.map(({ serverId }) => serverId).join(", ")}`;
    return `${plural(group.length, "server")} from ${first.serverId}: ${states}; ${form(value)} ${name} at most`;
  }
}
