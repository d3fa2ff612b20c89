// The four charts under the bars: requests, response times, errors, what is
// active.

import { onTheme } from "../../lib/colours.js";
import { inFrame } from "../../lib/frames.js";
import { count, milliseconds, rate } from "../../lib/format.js";
import { Chart } from "./chart.js";

const byLine =
  (measure) =>
  ({ lines }) =>
    lines.map((line) => ({ name: line.name, values: line[measure] }));

// Percentiles of several cannot be made one.
const percentiles = ({ scopes }) =>
  scopes.flatMap((scope) =>
    ["p50", "p90", "p99"].map((name) => ({
      name: scopes.length > 1 ? `${name} in ${scope.pool}` : name,
      values: scope[name],
    })),
  );

// With the least step of their scale.
const CHARTS = [
  ["Requests per second", byLine("requestsPerSecond"), rate, 0.5],
  ["Response times", percentiles, milliseconds, 0.01],
  ["Errors per second", byLine("errorsPerSecond"), rate, 0.5],
  ["Active requests", byLine("active"), count, 1],
];

export class Charts {
  #charts;
  #columns = null;

  constructor(container) {
    this.#charts = CHARTS.map(([title, lines, form, step]) => ({
      lines,
      title,
      chart: new Chart(container, title, { form, step }),
    }));
    onTheme(() => this.#charts.forEach(({ chart }) => chart.repaint()));
  }

  // Each in a frame of its own.
  show(columns) {
    this.#columns = columns;
    for (const { title, lines, chart } of this.#charts) {
      inFrame(`chart ${title}`, () => {
        const { time, span, scopes } = this.#columns;
        const names = scopes.map(({ name }) => name).join(" and ");
        chart.show({ time, span, scope: names, lines: lines(this.#columns) });
      });
    }
  }
}
