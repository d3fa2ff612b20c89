// A version that is tried beside the one that decides: as a canary for a share
// of the requests, or as a shadow that is compared and never obeyed.

import { button, element, setText } from "../../lib/dom.js";
import { count, nanoseconds, percent, short } from "../../lib/format.js";
import { proposal } from "../../lib/proposal.js";
import { taken } from "./alarms.js";
import { endBeside, share } from "./beside-actions.js";
import { promote } from "./seat-actions.js";

const WORDS = {
  canary: { field: "percent", slider: "Canary share" },
  shadow: { field: "sample", slider: "Shadow share" },
};

// `seat()` gives the seat as it is now.
export function besideOf(part, seat) {
  const { field, slider } = WORDS[part];
  const title = element("strong");
  const state = element("span", { class: "quiet" });
  const result = element("p");
  const reading = element("output");
  const input = element("input", {
    type: "range",
    min: 1,
    max: 100,
    "aria-label": `${slider} in ${seat().binding}`,
  });
  const choice = proposal(input, {
    label: `Apply ${slider.toLowerCase()} in ${seat().binding}`,
    apply: (value) => share(seat(), part, Number(value)),
    onShow: (value) => setText(reading, `${value} %`),
  });
  const node = element(
    "div",
    { class: "beside", hidden: true },
    element("p", {}, title, " ", state),
    result,
    element("div", { class: "share" }, element("label", {}, slider, input, reading), choice.button),
    element(
      "div",
      { class: "buttons" },
      button("Promote", { "aria-label": `Promote ${part} in ${seat().binding}` }, () =>
        promote(seat(), part),
      ),
      button("End", { "aria-label": `End ${part} in ${seat().binding}` }, () =>
        endBeside(seat(), part),
      ),
    ),
  );
  return {
    element: node,
    update(beside, { configuration, figures, comparison }) {
      node.hidden = beside === null;
      if (beside === null) {
        return;
      }
      setText(title, `${part === "canary" ? "Canary" : "Shadow"} ${short(beside.version)}`);
      setText(state, beside.state);
      setText(result, part === "canary" ? canaryResult(figures) : shadowResult(comparison));
      choice.follow(beside[field], configuration);
    },
  };
}

function canaryResult(figures) {
  if (!figures) {
    return "It has decided nothing yet.";
  }
  const { decisions, faults, nsP50, nsPerDecision, cpuPercent } = figures;
  return `${count(decisions)} decisions, ${count(faults)} faults, ${nanoseconds(nsP50 ?? nsPerDecision)} each, ${taken(cpuPercent)} of the workers’ time`;
}

function shadowResult(comparison) {
  if (!comparison || comparison.agreement === null) {
    return "Nothing has been compared yet.";
  }
  const { agreement, compared, distance, nsDifference } = comparison;
  const slower =
    nsDifference === null
      ? ""
      : `, ${nanoseconds(Math.abs(nsDifference))} ${nsDifference < 0 ? "faster" : "slower"}`;
  const apart = distance === null ? "" : `, shares of servers differ by ${percent(distance)}`;
  return `Agreement ${percent(agreement)} of ${count(compared)} decisions${apart}${slower}`;
}
