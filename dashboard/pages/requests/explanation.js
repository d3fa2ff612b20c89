// One request: what was decided about it, by whom, in how long, from which
// candidates.

import { show } from "../../lib/dialog.js";
import { element } from "../../lib/dom.js";
import { clock, milliseconds, nanoseconds, plural, short } from "../../lib/format.js";
import { Table } from "../../lib/table.js";

// More candidates than these are only counted.
const MOST_CANDIDATES = 20;

export function showExplanation(request) {
  const {
    id,
    method,
    url,
    authority,
    timestamp,
    pool,
    serverId,
    responseTime,
    statusCode,
    hedgedTo,
    retries,
    asked,
  } = request;
  const facts = [
    ["Id", id],
    ["When", clock(timestamp)],
    ["Host", authority],
    ["Answer", `${statusCode} after ${milliseconds(responseTime)}`],
    ["Pool", pool ?? "none: the gateway answered"],
    ["Server", serverId ?? "none"],
    ["Asked beside it", second(hedgedTo, serverId)],
    ["Retries", retries === 0 ? "none" : `${plural(retries, "server")} tried in vain`],
    ["Why it is here", asked ? "it asked to be explained" : "it is in the sample"],
  ];
  return show({
    title: `${method} ${url}`,
    body: [
      element(
        "dl",
        { class: "facts" },
        facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
      ),
      element("h3", {}, "Decisions"),
      decisions(request.decisions),
    ],
  });
}

// The second server of a request whose first one was slow.
function second(hedgedTo, serverId) {
  if (!hedgedTo) {
    return "no other server";
  }
  return hedgedTo === serverId ? `${hedgedTo}, which was faster` : `${hedgedTo}, which was slower`;
}

function decisions(steps) {
  if (steps.length === 0) {
    return element("p", { class: "quiet" }, "No plugin was asked.");
  }
  const table = new Table({
    caption: "Decisions, in order",
    key: ({ number }) => number,
    columns: [
      { id: "number", label: "#", isHead: true, text: ({ number }) => String(number) },
      {
        id: "seat",
        label: "Seat",
        long: true,
        text: ({ seat }) => seat,
      },
      {
        id: "plugin",
        label: "Plugin",
        long: true,
        text: ({ plugin, version }) => `${plugin} ${short(version)}`,
      },
      { id: "took", label: "Took", isNumber: true, text: (step) => nanoseconds(step.nanoseconds) },
      { id: "answer", label: "Answer", wide: true, make: answerCell },
    ],
  });
  table.show(steps.map((step, index) => ({ ...step, number: index + 1 })));
  return element("div", { class: "cards" }, table.element);
}

function answerCell({ answer, fault, reason, candidates }) {
  const listed =
    candidates.length > MOST_CANDIDATES
      ? plural(candidates.length, "candidate")
      : candidates.join(", ");
  const node = element(
    "div",
    { class: "answer" },
    fault
      ? element("strong", { class: "bad-text" }, `fault: ${fault}`)
      : element("strong", {}, answer),
    reason ? element("div", {}, `“${reason}”`) : null,
    candidates.length > 0 ? element("div", { class: "quiet" }, `of ${listed}`) : null,
  );
  return { node };
}
