// One plugin: its versions, its figures in each seat, and what it writes.

import { get, look, pathOf, remove } from "../../lib/api.js";
import { confirm } from "../../lib/dialog.js";
import { button, element, reconcile } from "../../lib/dom.js";
import { bytes, clock, count, nanoseconds, short } from "../../lib/format.js";
import { poll } from "../../lib/poll.js";
import { attempt, done } from "../../lib/toast.js";
import { histogram } from "./histogram.js";
import { versionTable } from "./versions.js";

// How often figures and log are asked for.
const LOOK_MS = 2_000;
const LOG_LINES = 200;

const container = document.getElementById("detail");
let endPoll = () => {};

// Show a plugin, until it is closed or another one is shown.
export async function openDetail(name) {
  endPoll();
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  const shown = makeDetail(name);
  container.replaceChildren(shown.element);
  const isThere = await attempt(
    async () => shown.showVersions(await get(pathOf(["plugins", name]))),
    `${name} could not be read`,
  );
  // It may have been closed meanwhile, or opened once more.
  if (!shown.element.isConnected) {
    return;
  }
  if (!isThere) {
    close();
    return;
  }
  shown.focus();
  endPoll = poll(shown.refresh, LOOK_MS);
}

function close() {
  endPoll();
  history.replaceState(null, "", location.pathname);
  container.replaceChildren();
}

function makeDetail(name) {
  const versions = versionTable(name, () => openDetail(name));
  const showVersions = (plugin) => versions.show(plugin.versions.toReversed());
  const seats = element("div", { class: "detail-columns" });
  const log = element("ol", { class: "log", tabindex: 0, "aria-label": `Log of ${name}` });
  const known = new Map();
  const title = element("h2", { id: "detail-title", tabindex: -1 }, name);
  const node = element(
    "section",
    { class: "card detail", "aria-labelledby": "detail-title" },
    element(
      "div",
      { class: "card-head" },
      title,
      element("span", { class: "grow" }),
      button("Delete plugin", {}, () => deletePlugin(name)),
      button("Close", { "aria-label": `Close ${name}` }, close),
    ),
    element(
      "div",
      { class: "card-body" },
      element("h3", {}, "Versions"),
      element("div", { class: "cards" }, versions.element),
      element("h3", {}, "Where it decides"),
      seats,
      element("h3", {}, "Log"),
      log,
    ),
  );
  return {
    element: node,
    focus() {
      title.focus();
      node.scrollIntoView({ block: "start" });
    },
    showVersions,
    async refresh() {
      // One after the other, so that a token that counts no more is shown once.
      showVersions(await look(pathOf(["plugins", name])));
      const { bindings } = await look(pathOf(["plugins", name, "stats"]));
      showSeats(seats, known, bindings);
      showLog(log, await look(pathOf(["plugins", name, "logs"], { limit: LOG_LINES })));
    },
  };
}

async function deletePlugin(name) {
  if (
    await confirm({
      title: `Delete plugin ${name}?`,
      text: "All its versions are gone then.",
      action: "Delete plugin",
    })
  ) {
    await attempt(async () => {
      done(`Deleted plugin ${name}.`, await remove(pathOf(["plugins", name])));
      close();
    }, `${name} could not be deleted`);
  }
}

function showSeats(container, known, bindings) {
  container.querySelector(":scope > .empty")?.remove();
  reconcile(container, known, bindings, {
    key: ({ binding, part }) => `${binding} ${part}`,
    make: () => {
      const node = element("div");
      return { element: node, update: (figures) => node.replaceChildren(...seatFigures(figures)) };
    },
  });
  if (bindings.length === 0) {
    container.append(element("p", { class: "empty" }, "It decides nowhere."));
  }
}

function seatFigures({
  binding,
  part,
  version,
  state,
  decisions,
  faults,
  fallbacks,
  overruled,
  restarts,
  nsMean,
  nsP50,
  nsP99,
  memoryBytes,
  histogram: times,
}) {
  const kinds = [
    ["trapped", faults.trapped],
    ["too slow", faults.overran],
    ["out of memory", faults.outOfMemory],
    ["impossible answers", faults.impossible],
  ];
  const told = kinds
    .filter(([, number]) => number > 0)
    .map(([kind, number]) => `${count(number)} ${kind}`);
  return [
    element("p", {}, element("strong", {}, binding), ` ${part} ${short(version)}, ${state}`),
    element(
      "p",
      { class: "quiet" },
      `${count(decisions)} decisions, ${told.join(", ") || "no faults"}, ${count(fallbacks)} fallbacks, ${count(overruled)} overruled, ${count(restarts)} restarts, ${bytes(memoryBytes)} of memory`,
    ),
    element(
      "p",
      { class: "quiet" },
      `Decision time: mean ${nanoseconds(nsMean)}, median ${nanoseconds(nsP50)}, p99 ${nanoseconds(nsP99)}`,
    ),
    histogram(times ?? [], `Decision times of ${binding} ${part}`),
  ];
}

function showLog(list, { entries, dropped }) {
  const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  const lines = entries.map(({ at, binding, part, level, message }) =>
    element(
      "li",
      { class: level },
      `${clock(at)} ${level.padEnd(5)} ${binding}${part === "active" ? "" : ` ${part}`}: ${message}`,
    ),
  );
  if (dropped > 0) {
    lines.push(
      element(
        "li",
        { class: "quiet" },
        `${count(dropped)} entries were dropped: there were too many in a second.`,
      ),
    );
  }
  list.replaceChildren(
    ...(lines.length > 0 ? lines : [element("li", { class: "quiet" }, "It has written nothing.")]),
  );
  // Whoever has scrolled up to read is left there.
  if (isAtEnd) {
    list.scrollTop = list.scrollHeight;
  }
}
