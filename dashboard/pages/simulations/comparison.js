// Policies beside each other, with the best of each column marked.

import { element, setText } from "../../lib/dom.js";
import { count } from "../../lib/format.js";
import { Table } from "../../lib/table.js";
import { bestOf, measuresOf } from "./measures.js";

const container = document.getElementById("policies");
const alarms = document.getElementById("alarms");

// Rows are `{key, run, name, outcome}`.
export function showComparison(rows) {
  const columns = measuresOf(rows).map((measure) => column(measure, bestOf(rows, measure)));
  const runs = new Set(rows.map(({ run }) => run));
  const table = new Table({
    caption: "Policies",
    key: ({ key }) => key,
    columns: [
      {
        id: "policy",
        label: "Policy",
        isHead: true,
        sort: ({ outcome }) => outcome.policy,
        text: ({ outcome }) => outcome.policy,
      },
      ...(runs.size > 1
        ? [
            {
              id: "run",
              label: "File",
              long: true,
              sort: ({ run }) => run.name,
              text: ({ run }) => run.name,
            },
          ]
        : []),
      ...columns,
    ],
  });
  container.replaceChildren(table.element);
  table.show(rows);
  alarms.replaceChildren(...rows.map(trouble).filter(Boolean));
  const scenarios = new Set([...runs].map(({ report }) => report.scenario));
  setText(
    document.getElementById("mixed"),
    scenarios.size > 1 ? "of its scenario: other traffic, other figures" : "",
  );
}

function column({ id, label, value, form, write }, best) {
  const text = ({ outcome }) => (write ? write(outcome) : form(value(outcome)));
  return {
    id,
    label,
    isNumber: true,
    sort: ({ outcome }) => value(outcome),
    make(row) {
      const node = best.has(row.key)
        ? element(
            "strong",
            { class: "best" },
            element("span", { "aria-hidden": "true" }, "★ "),
            text(row),
            element("span", { class: "unseen" }, ", the best"),
          )
        : element("span", {}, text(row));
      return { node };
    },
  };
}

// Decisions that were not the policy's own, which makes its figures another's.
function trouble({ name, outcome }) {
  const { overruled = 0, fallbacks = 0, faults = 0 } = outcome;
  return overruled + fallbacks + faults === 0
    ? null
    : element(
        "p",
        {},
        `${name}: ${count(overruled)} picks could not be used, ${count(fallbacks)} decisions were the rotation’s, ${count(faults)} failed.`,
      );
}
