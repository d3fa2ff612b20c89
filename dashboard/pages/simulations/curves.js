// Lines of several policies: response times by the share of requests that stay
// within them, and loads over time.

import { Chart, fromZero } from "../../lib/chart.js";
import { onTheme } from "../../lib/colours.js";
import { element } from "../../lib/dom.js";
import { precise, time } from "./measures.js";

const container = document.getElementById("charts");

// The rarest response time that is drawn: one in ten thousand.
const RAREST = 0.9999;

// No logarithm goes below this, in milliseconds.
const SHORTEST_MS = 0.001;

// Of shares, those that have labels.
const SHARES = [0, 0.5, 0.9, 0.99, 0.999, RAREST];

// How often a nine stands in a share: 0.9 is 1, 0.99 is 2. So the rare is seen.
const nines = (share) => -Math.log10(1 - share);
const shareText = (place) => `${Number((100 * (1 - 10 ** -place)).toFixed(2))} %`;

const LOADS = [
  ["max", "on the busiest server"],
  ["mean", "in the mean of all"],
];

export class Curves {
  #latency = new Chart(container, "Response times", {
    form: time,
    x: {
      scale: { time: false, range: [0, nines(RAREST)] },
      axis: {
        splits: () => SHARES.map(nines),
        values: (_, places) => places.map(shareText),
      },
    },
    y: {
      // Whole powers of ten would leave half of it empty.
      scale: {
        distr: 3,
        range: (_, least, most) => (least > 0 ? [least / 1.1, most * 1.1] : [1, 10]),
      },
      axis: {},
    },
    place: (place) => `in ${shareText(place)} of requests`,
  });
  #load = new Chart(container, "Requests at a time", {
    form: precise,
    x: {
      scale: { time: false },
      axis: { values: (_, seconds) => seconds.map((one) => `${one} s`) },
    },
    y: fromZero(0.1),
    place: (seconds) => `at ${precise(seconds)} s`,
  });
  #measure;
  #rows = [];

  // `measure` is which load is shown at first; `onMeasure` is told of another.
  constructor(measure, onMeasure) {
    this.#measure = element(
      "select",
      { "aria-label": "Load" },
      LOADS.map(([value, text]) => element("option", { value }, text)),
    );
    this.#measure.value = LOADS.some(([value]) => value === measure) ? measure : LOADS[0][0];
    this.#measure.addEventListener("change", () => {
      onMeasure(this.#measure.value);
      this.#showLoad();
    });
    this.#load.caption.prepend(this.#measure);
    onTheme(() => [this.#latency, this.#load].forEach((chart) => chart.repaint()));
  }

  // Each row has a line, in its order.
  show(rows) {
    this.#rows = rows;
    const curves = rows.map(({ name, outcome: { distribution = [] } }) => ({
      name,
      points: distribution
        .filter(([, share]) => share <= RAREST)
        .map(([ms, share]) => [nines(share), Math.max(ms, SHORTEST_MS)]),
    }));
    this.#latency.show(aligned(curves));
    this.#showLoad();
  }

  #showLoad() {
    const measure = this.#measure.value;
    const curves = this.#rows.map(({ name, outcome: { load } }) => ({
      name,
      points: load?.atS.map((at, index) => [at, load[measure][index]]) ?? [],
    }));
    this.#load.show(aligned(curves));
  }
}

// Lines over the places of all of them, as a chart takes them. What one has no
// point at is left open, and its line goes over it.
function aligned(curves) {
  const at = [...new Set(curves.flatMap(({ points }) => points.map(([place]) => place)))];
  at.sort((one, other) => one - other);
  const lines = curves.map(({ name, points }) => {
    const known = new Map(points);
    return { name, values: at.map((place) => known.get(place)) };
  });
  return { at, lines };
}
