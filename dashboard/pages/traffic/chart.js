// Lines over time, with their names and values as text.

import { LINES, colour } from "../../lib/colours.js";
import { drawing, element, setAttribute, setText } from "../../lib/dom.js";

// The charting library is a script of the old kind.
const { uPlot } = window;

const HEIGHT = 180;

// The steps that a scale may have.
const STEPS = Array.from({ length: 10 }, (_, power) =>
  [1, 2, 5].map((one) => Number(`${one}e${power - 2}`)),
).flat();

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

export class Chart {
  #form;
  #steps;
  #title;
  #legend = element("ul", { class: "legend" });
  #plot;
  #chart = null;
  #names = [];
  #data = [[]];
  #values = [];
  #span = 60;

  // `form` writes a value; `step` is the least that it can tell apart.
  constructor(container, title, { form, step }) {
    this.#title = title;
    this.#form = form;
    this.#steps = STEPS.filter((one) => one >= step);
    this.#plot = element("div", { class: "plot", role: "img", "aria-label": title });
    container.append(
      element(
        "figure",
        {},
        element("figcaption", {}, element("h2", {}, title), this.#legend),
        this.#plot,
      ),
    );
    new ResizeObserver(([{ contentRect }]) => {
      this.#chart?.setSize({ width: contentRect.width, height: HEIGHT });
    }).observe(this.#plot);
  }

  // Show lines of `{name, values}` over moments in seconds, the last `span` of
  // them.
  show({ time, lines, span, scope = "" }) {
    this.#span = span;
    this.#data = [time, ...lines.map((line) => line.values)];
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
    );
    this.#showValues(null);
  }

  // The values at the pointer, or the newest ones.
  #showValues(index) {
    const [time, ...lines] = this.#data;
    const at = index ?? time.length - 1;
    this.#values.forEach((value, line) => setText(value, this.#form(lines[line][at] ?? null)));
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
      // Half of a time of day, which stands below the newest moment.
      padding: [null, 28, null, null],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: "traffic" }, points: { size: 6 } },
      scales: {
        // What is not known yet has its place too, so that nothing is stretched.
        x: { range: (_, __, newest) => [newest - this.#span, newest] },
        y: { range: (_, __, top) => [0, top > 0 ? top * 1.08 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 32,
          space: 90,
          values: (_, moments) => moments.map((moment) => clock.format(moment * 1000)),
        },
        {
          ...axis,
          size: 62,
          incrs: this.#steps,
          values: (_, values) => values.map((value) => this.#form(value)),
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

function swatch(index) {
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
