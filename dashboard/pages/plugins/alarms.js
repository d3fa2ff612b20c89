// What a plugin takes of its workers' time, and the alarm when that is much.

import { element, reconcile } from "../../lib/dom.js";
import { percent } from "../../lib/format.js";

// A percentage of the API as text.
export const taken = (value) =>
  percent(value === null || value === undefined ? value : value / 100);

// What is to be said of parts of a seat. No figure is in it, since whatever
// changes is read aloud.
export function alarmsOf(figures, { cpuAlarm, cpuShare }) {
  return figures.flatMap(({ part, heavy, capping }) => {
    const who = part === "active" ? "it" : `the ${part}`;
    return [
      heavy && `▲ heavy: ${who} takes more of a worker’s time than its alarm of ${cpuAlarm} %`,
      capping &&
        `▲ capped: ${who} has used up its ${cpuShare} % of a worker’s time, and the fallback decides meanwhile`,
    ].filter(Boolean);
  });
}

// A place for alarms, empty while there is none.
export function alarmPlace(attributes = {}) {
  const known = new Map();
  const node = element("div", { class: "alarms", ...attributes });
  return {
    element: node,
    update: (alarms) =>
      reconcile(node, known, alarms, {
        key: (text) => text,
        make: (text) => ({ element: element("p", {}, text), update: () => {} }),
      }),
  };
}
