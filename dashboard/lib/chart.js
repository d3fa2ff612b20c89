// Lines over time or anything else, with their names and values as text. A page
// that has charts brings the library for them, which is a script of the old kind.

import { LINES, colour } from "./colours.js";
import { drawing, element, setAttribute, setText } from "./dom.js";

const { uPlot } = window;

const HEIGHT = 180;

// The steps that a scale may have.
const STEPS = Array.from({ length: 10 }, (_, power) =>
  [1, 2, 5].map((one) => Number(`${one}e${power - 2}`)),
).flat();

// A scale that begins with nothing, whose least step is `step`.
export const fromZero = (step) => ({
  scale: { range: (_, __, top) => [0, top > 0 ? top * 1.08 : 1] },
  axis: { incrs: STEPS.filter((one) => one >= step) },
});

export class Chart {
  #form;
  #x;
  #y;
  #sync;
  #place;
  #title;
  #legend = element("ul", { class: "legend" });
  #pointed = element("li", { class: "quiet" });
  #plot;
  #chart = null;
  #names = [];
  #data = [[]];
  #values = [];

  // `form` writes a value. `x` and `y` are `{scale, axis}` in the library's own
  // words. Charts of one `sync` share their pointer. Values are the last ones where
  // nobody points, or with `place`, which writes where somebody does, none.
  constructor(container, title, { form, x, y, sync = title, place = null }) {
    this.#title = title;
    this.#form = form;
    [this.#x, this.#y, this.#sync, this.#place] = [x, y, sync, place];
    this.#plot = element("div", { class: "plot", role: "img", "aria-label": title });
    this.caption = element("figcaption", {}, element("h2", {}, title), this.#legend);
    container.append(element("figure", {}, this.caption, this.#plot));
    new ResizeObserver(([{ contentRect }]) => {
      this.#chart?.setSize({ width: contentRect.width, height: HEIGHT });
    }).observe(this.#plot);
  }

  // Show lines of `{name, values}` at these places, which ascend.
  show({ at, lines, scope = "" }) {
    this.#data = [at, ...lines.map((line) => line.values)];
    const names = lines.map((line) => line.name);
    if (this.#chart && names.join("\n") === this.#names.join("\n")) {
      this.#chart.setData(this.#data);
    } else {
      this.#names = names;
      this.repaint();
    }
    setAttribute(this.#plot, "aria-label", scope ? `${this.#title} of ${scope}` : this.#title);
    this.#showValues(this.#chart.cursor.idx);
  }

  // Make the chart anew, with the colours of the theme in force.
  repaint() {
    this.#chart?.destroy();
    this.#chart = new uPlot(this.#options(), this.#data, this.#plot);
    this.#values = this.#names.map(() => element("strong"));
    this.#legend.replaceChildren(
      ...this.#names.map((name, index) =>
        element("li", {}, swatch(index), name, this.#values[index]),
      ),
      ...(this.#place ? [this.#pointed] : []),
    );
    this.#showValues(null);
  }

  // The values at the pointer, or what stands there without one.
  #showValues(index) {
    const [at, ...lines] = this.#data;
    const isPointed = index !== null && index !== undefined;
    const shown = isPointed ? index : at.length - 1;
    const isBlank = this.#place && !isPointed;
    this.#values.forEach((value, line) =>
      setText(value, isBlank ? "" : this.#form(lines[line][shown] ?? null)),
    );
    setText(this.#pointed, isBlank || !this.#place ? "" : this.#place(at[shown]));
  }

  #options() {
    const axis = {
      stroke: colour("quiet"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui",
    };
    return {
      width: this.#plot.clientWidth || 400,
      height: HEIGHT,
      // Half of the last label stands beyond the last place.
      padding: [null, 28, null, null],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: this.#sync }, points: { size: 6 } },
      scales: { x: this.#x.scale, y: this.#y.scale },
      axes: [
        { ...axis, size: 32, space: 90, ...this.#x.axis },
        {
          ...axis,
          size: 62,
          values: (_, values) => values.map((value) => (value === null ? "" : this.#form(value))),
          ...this.#y.axis,
        },
      ],
      series: [{}, ...this.#names.map((_, index) => line(index))],
      hooks: { setCursor: [(chart) => this.#showValues(chart.cursor.idx)] },
    };
  }
}

function line(index) {
  const [name, dash] = LINES[index % LINES.length];
  return { stroke: colour(name), dash, width: index === 0 ? 2 : 1.5, points: { show: false } };
}

// What a line looks like, by its place among those of its chart.
export function swatch(index) {
  const [name, dash] = LINES[index % LINES.length];
  const stroke = drawing("line", {
    x1: 0,
    x2: 22,
    y1: 5,
    y2: 5,
    "stroke-width": 2.5,
    "stroke-dasharray": dash.join(" ") || null,
    style: { stroke: `var(--${name})` },
  });
  return drawing("svg", { width: 22, height: 10, "aria-hidden": "true" }, stroke);
}
