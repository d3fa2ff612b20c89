// The gateway's traffic in a few numbers.

import { element, setText } from "../../lib/dom.js";
import { count, duration, milliseconds, rate } from "../../lib/format.js";
import { median, tail } from "../../lib/servers.js";

const TOTALS = [
  ["Requests/s", (figures) => rate(figures.requestsPerSecond)],
  ["Errors/s", (figures) => rate(figures.errorsPerSecond)],
  ["Median", (figures) => milliseconds(median(figures))],
  ["p99", (figures) => milliseconds(tail(figures))],
  ["In flight", (figures) => count(figures.requestsInFlight)],
  ["Connections", (figures) => count(figures.activeConnections)],
  [
    "Servers in use",
    (figures) => `${count(figures.activeServers)} of ${count(figures.servers.length)}`,
  ],
  ["Up for", (figures) => duration(figures.uptimeSeconds)],
];

const container = document.getElementById("totals");

const shown = TOTALS.map(([label, form]) => {
  const value = element("dd", {}, "–");
  container.append(element("div", {}, element("dt", {}, label), value));
  return { value, form };
});

export function showTotals(figures) {
  for (const { value, form } of shown) {
    setText(value, form(figures));
  }
}
