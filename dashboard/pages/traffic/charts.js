// The four charts under the bars: requests, response times, errors, what is
// active.

import { Chart, fromZero } from "../../lib/chart.js";
import { onTheme } from "../../lib/colours.js";
import { inFrame } from "../../lib/frames.js";
import { count, milliseconds, rate } from "../../lib/format.js";

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

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
  #columns = { span: 60 };

  constructor(container) {
    const x = {
      // What is not known yet has its place too, so that nothing is stretched.
      scale: { range: (_, __, newest) => [newest - this.#columns.span, newest] },
      axis: { values: (_, moments) => moments.map((moment) => clock.format(moment * 1000)) },
    };
    this.#charts = CHARTS.map(([title, lines, form, step]) => ({
      lines,
      title,
      chart: new Chart(container, title, { form, x, y: fromZero(step), sync: "traffic" }),
    }));
    onTheme(() => this.#charts.forEach(({ chart }) => chart.repaint()));
  }

  // Each in a frame of its own.
  show(columns) {
    this.#columns = columns;
    for (const { title, lines, chart } of this.#charts) {
      inFrame(`chart ${title}`, () => {
        const { time, scopes } = this.#columns;
        const names = scopes.map(({ name }) => name).join(" and ");
        chart.show({ at: time, scope: names, lines: lines(this.#columns) });
      });
    }
  }
}
