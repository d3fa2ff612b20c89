// What policies are compared by.

import { count, nanoseconds, percent } from "../../lib/format.js";

// Three digits tell two policies apart where two would not.
const digits = new Intl.NumberFormat("en", {
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
});

const known = (form) => (value) => (value === null || value === undefined ? "–" : form(value));

export const precise = known((value) => (value === 0 ? "0" : digits.format(value)));
// Two digits behind the point, as the command line has it: what is left to all counts.
const hundredthsOfPercent = known((share) => `${(share * 100).toFixed(2)} %`);
export const time = known((ms) => (ms < 999.5 ? `${precise(ms)} ms` : `${precise(ms / 1000)} s`));

const spread = ({ utilisation }) => (utilisation ? utilisation.max - utilisation.min : null);

const hundredths = (share) => (share === null ? "?" : String(Math.round(share * 100)));

const used = ({ utilisation }) =>
  utilisation ? `${hundredths(utilisation.min)}–${percent(utilisation.max)}` : "–";

const least = (one, other) => one < other;
const most = (one, other) => one > other;

// Each with its value, how it is written, and, where one can be better than
// another, which of two values is. What no policy has is left out.
export const MEASURES = [
  { id: "requests", label: "Requests", value: ({ requests }) => requests, form: count },
  { id: "p50", label: "p50", value: ({ p50Ms }) => p50Ms, form: time, better: least },
  { id: "p90", label: "p90", value: ({ p90Ms }) => p90Ms, form: time, better: least },
  { id: "p99", label: "p99", value: ({ p99Ms }) => p99Ms, form: time, better: least },
  { id: "p999", label: "p99.9", value: ({ p999Ms }) => p999Ms, form: time, better: least },
  { id: "mean", label: "Mean", value: ({ meanMs }) => meanMs, form: time, better: least },
  { id: "within", label: "Within", value: ({ within }) => within, form: hundredthsOfPercent, better: most },
  { id: "errors", label: "Errors", value: ({ errors }) => errors, form: count, better: least },
  { id: "retries", label: "Retries", value: ({ retries }) => retries || null, form: count },
  {
    id: "imbalance",
    label: "Imbalance",
    value: ({ imbalance }) => imbalance,
    form: precise,
    better: least,
  },
  { id: "used", label: "Utilisation", value: spread, write: used, better: least },
  { id: "peak", label: "Peak", value: ({ peak }) => peak, form: count },
  {
    id: "decision",
    label: "Decision",
    value: ({ decisionNs }) => decisionNs,
    form: nanoseconds,
    better: least,
  },
];

const isKnown = (value) => value !== null && value !== undefined;

export const measuresOf = (rows) =>
  MEASURES.filter(({ value }) => rows.some(({ outcome }) => isKnown(value(outcome))));

// The rows that are the best by a measure, among those of their scenario; none
// where all are the same.
export function bestOf(rows, { value, better }) {
  if (!better) {
    return new Set();
  }
  const groups = Map.groupBy(rows, ({ run }) => run.report.scenario);
  return new Set([...groups.values()].flatMap((group) => bestOfOne(group, value, better)));
}

function bestOfOne(rows, value, better) {
  const valued = rows.filter(({ outcome }) => isKnown(value(outcome)));
  const values = valued.map(({ outcome }) => value(outcome));
  const best = values.reduce((one, other) => (better(other, one) ? other : one), values[0]);
  const found = valued.filter((_, index) => values[index] === best);
  return found.length === valued.length ? [] : found.map(({ key }) => key);
}
