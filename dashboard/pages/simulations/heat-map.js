// Requests on each server over time: a row for each server, or for several where
// there are many, the darker the more it has to do.

import { prepare } from "../../lib/canvas.js";
import { colour, onTheme } from "../../lib/colours.js";
import { element, setText } from "../../lib/dom.js";
import { precise } from "./measures.js";

// The height of a row, in pixels: as much as there is room for.
const HIGHEST = 22;
const LOWEST = 5;
const HEIGHT = 330;

// The room for names, and the height that one takes.
const NAMES = 96;
const LINE = 14;

const MARGIN = 4;

// The share of the highest that has half of the colour: beside one server that
// drowns, what the others do is to be seen too.
const MIDDLE = 1 / 4;

export class HeatMap {
  #canvas = element("canvas", { role: "img" });
  #tip = element("p", { class: "tip", hidden: true });
  #from = element("span", {}, "0 s");
  #to = element("span");
  #middle = element("span");
  #most = element("span");
  #heat = null;
  #at = [];
  #top = 0;
  #width = 0;

  constructor(container) {
    const axis = element("p", { class: "axis" }, this.#from, this.#to);
    axis.style.paddingLeft = `${NAMES}px`;
    const scale = element(
      "p",
      { class: "scale" },
      "0",
      element("span", { class: "ramp", "aria-hidden": "true" }),
      this.#middle,
      element("span", { class: "ramp upper", "aria-hidden": "true" }),
      this.#most,
    );
    const node = element("div", { class: "heat" }, this.#canvas, this.#tip, axis, scale);
    container.append(node);
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.#canvas.addEventListener("pointerleave", () => {
      this.#tip.hidden = true;
    });
    onTheme(() => this.#draw());
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#draw();
    }).observe(node);
  }

  // A policy's, by its name.
  show(name, { heat, load }) {
    this.#heat = heat;
    this.#at = load.atS;
    const { value, row, moment } = this.#busiest();
    this.#top = value;
    setText(this.#to, `${precise(this.#at.at(-1) ?? 0)} s`);
    setText(this.#middle, precise(value * MIDDLE));
    setText(this.#most, `${precise(value)} requests at a time`);
    const most =
      value > 0
        ? `, at most ${precise(value)} on ${heat.rows[row]} at ${precise(this.#at[moment])} s`
        : "";
    this.#canvas.setAttribute(
      "aria-label",
      `Requests on servers under ${name}, ${heat.rows.length} rows${most}`,
    );
    this.#tip.hidden = true;
    this.#draw();
  }

  #busiest() {
    let found = { value: 0, row: 0, moment: 0 };
    this.#heat.values.forEach((values, row) =>
      values.forEach((value, moment) => {
        found = value > found.value ? { value, row, moment } : found;
      }),
    );
    return found;
  }

  #rowHeight() {
    const fits = Math.floor(HEIGHT / this.#heat.rows.length);
    return Math.min(HIGHEST, Math.max(LOWEST, fits));
  }

  #draw() {
    if (this.#heat === null || this.#width === 0) {
      return;
    }
    const { rows, values } = this.#heat;
    const height = this.#rowHeight();
    this.#canvas.style.height = `${rows.length * height}px`;
    const context = prepare(this.#canvas, this.#width, rows.length * height);
    this.#drawNames(context, height);
    context.fillStyle = colour("accent");
    const gap = height > 8 ? 1 : 0;
    values.forEach((row, index) => {
      row.forEach((value, moment) => {
        const [left, right] = [this.#left(moment), this.#left(moment + 1)];
        context.globalAlpha = this.#top > 0 ? Math.sqrt(value / this.#top) : 0;
        context.fillRect(left, index * height, right - left, height - gap);
      });
    });
    context.globalAlpha = 1;
  }

  // Where there is no room for all names, some are left out.
  #drawNames(context, height) {
    const { rows } = this.#heat;
    const each = Math.ceil(LINE / height);
    context.fillStyle = colour("quiet");
    context.font = "12px system-ui";
    context.textBaseline = "middle";
    rows.forEach((name, index) => {
      if (index % each === 0) {
        context.fillText(fitting(context, name), 0, (index + 0.5) * height);
      }
    });
  }

  // Whole pixels: what lies between them is drawn as stripes.
  #left(moment) {
    const { length } = this.#at;
    return NAMES + Math.round(((this.#width - NAMES) * moment) / Math.max(1, length));
  }

  #point({ offsetX, offsetY }) {
    const { rows, values } = this.#heat;
    const share = (offsetX - NAMES) / (this.#width - NAMES);
    const moment = Math.floor(share * this.#at.length);
    const row = Math.floor(offsetY / this.#rowHeight());
    const value = values[row]?.[moment];
    this.#tip.hidden = value === undefined;
    if (value === undefined) {
      return;
    }
    setText(
      this.#tip,
      `${rows[row]} at ${precise(this.#at[moment])} s: ${precise(value)} requests`,
    );
    const left = Math.min(offsetX + 12, this.#width - this.#tip.offsetWidth);
    this.#tip.style.left = `${Math.max(0, left)}px`;
    this.#tip.style.top = `${offsetY + 16}px`;
  }
}

// As much of a name as has room.
function fitting(context, name) {
  const fits = (text) => context.measureText(text).width <= NAMES - MARGIN;
  let text = name;
  while (text.length > 1 && !fits(text === name ? text : `${text}…`)) {
    text = text.slice(0, -1);
  }
  return text === name ? text : `${text}…`;
}
