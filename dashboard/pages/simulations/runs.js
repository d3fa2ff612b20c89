// The files that are open: what each is of, and the way to close it.

import { button, element, reconcile } from "../../lib/dom.js";
import { milliseconds, plural } from "../../lib/format.js";

const container = document.getElementById("runs");
const known = new Map();

// Runs are `{id, name, report}`.
export function showRuns(runs, onClose) {
  reconcile(container, known, runs, {
    key: ({ id }) => id,
    make: (run) => ({ element: card(run, onClose), update: () => {} }),
  });
}

function card(run, onClose) {
  const { name, report } = run;
  const { scenario, about, seed, servers, gateways, workers, objectiveMs, policies } = report;
  const facts = [
    plural(servers, "server"),
    gateways > 1 || workers > 1
      ? `${plural(gateways, "gateway")} of ${plural(workers, "worker")}`
      : null,
    `seed ${seed}`,
    `${policies.length} ${policies.length === 1 ? "policy" : "policies"}`,
    objectiveMs ? `objective ${milliseconds(objectiveMs)}` : null,
  ];
  const id = `run-${run.id}`;
  return element(
    "section",
    { class: "card", "aria-labelledby": id },
    element(
      "div",
      { class: "card-head" },
      element("h2", { id }, scenario),
      name === scenario ? null : element("span", { class: "quiet" }, name),
      element("span", { class: "grow" }),
      button("Close", { class: "small", "aria-label": `Close ${name}` }, () => onClose(run)),
    ),
    element(
      "div",
      { class: "card-body" },
      about ? element("p", {}, about) : null,
      element("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
    ),
  );
}
