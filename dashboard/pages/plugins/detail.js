// One plugin: its versions, its figures in each seat, and what it writes.

import { get, look, pathOf, remove } from "../../lib/api.js";
import { confirm } from "../../lib/dialog.js";
import { button, element, reconcile } from "../../lib/dom.js";
import { bytes, clock, count, nanoseconds, short } from "../../lib/format.js";
import { poll } from "../../lib/poll.js";
import { attempt, done } from "../../lib/toast.js";
import { alarmPlace, alarmsOf, taken } from "./alarms.js";
import { histogram } from "./histogram.js";
import { focusPlugin } from "./library.js";
import { versionTable } from "./versions.js";

// How often figures and log are asked for.
const LOOK_MS = 2_000;
const LOG_LINES = 200;

const container = document.getElementById("detail");
let endPoll = () => {};
let seats = () => [];
let opened = null;

// `bindings()` gives the seats as they are bound now.
export function installDetail(bindings) {
  seats = bindings;
}

// Show a plugin, until it is closed or another one is shown.
export async function openDetail(name) {
  endPoll();
  opened = name;
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
  focusPlugin(opened);
}

function makeDetail(name) {
  const versions = versionTable(name, () => openDetail(name));
  const showVersions = (plugin) => versions.show(plugin.versions.toReversed());
  const figures = element("div", { class: "detail-columns" });
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
      figures,
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
      showSeats(figures, known, bindings);
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
      const [title, told] = [element("p"), element("div")];
      const alarms = alarmPlace();
      return {
        element: element("div", {}, title, alarms.element, told),
        update(figures) {
          const { binding, part, version, state } = figures;
          const limits = seats().find((seat) => seat.binding === binding) ?? {};
          const who = ` ${part} ${short(version)}, ${state}`;
          title.replaceChildren(element("strong", {}, binding), who);
          alarms.update(alarmsOf([figures], limits));
          told.replaceChildren(...seatFigures(figures, limits));
        },
      };
    },
  });
  if (bindings.length === 0) {
    container.append(element("p", { class: "empty" }, "It decides nowhere."));
  }
}

function seatFigures(figures, limits) {
  const { binding, part, nsMean, nsP50, nsP99, histogram: times } = figures;
  const quiet = (text) => element("p", { class: "quiet" }, text);
  return [
    quiet(countsOf(figures)),
    quiet(timeOf(figures, limits)),
    quiet(
      `Decision time: mean ${nanoseconds(nsMean)}, median ${nanoseconds(nsP50)}, p99 ${nanoseconds(nsP99)}`,
    ),
    histogram(times ?? [], `Decision times of ${binding} ${part}`),
  ];
}

function countsOf({ decisions, faults, fallbacks, capped, overruled, restarts, memoryBytes }) {
  const kinds = [
    ["trapped", faults.trapped],
    ["too slow", faults.overran],
    ["out of memory", faults.outOfMemory],
    ["impossible answers", faults.impossible],
  ];
  const told = kinds
    .filter(([, number]) => number > 0)
    .map(([kind, number]) => `${count(number)} ${kind}`);
  const away = capped > 0 ? ` (${count(capped)} given away by its limit)` : "";
  return `${count(decisions)} decisions, ${told.join(", ") || "no faults"}, ${count(fallbacks)} fallbacks${away}, ${count(overruled)} overruled, ${count(restarts)} restarts, ${bytes(memoryBytes)} of memory`;
}

// What it takes of the workers' time, and how much that may be.
function timeOf({ cpuPercent, cpuPercentBusiest }, { cpuAlarm, cpuShare }) {
  const limits = [
    cpuAlarm < 100 ? `heavy beyond ${cpuAlarm} %` : null,
    cpuShare ? `${cpuShare} % at most` : null,
  ];
  const said = limits.filter(Boolean).join(", ");
  return `Workers’ time: ${taken(cpuPercent)} of all, ${taken(cpuPercentBusiest)} of the busiest${said && `; ${said}`}`;
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
