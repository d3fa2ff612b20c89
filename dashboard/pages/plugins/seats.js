// The seats: who decides in each, how that goes, and who is tried beside.

import { look, pathOf } from "../../lib/api.js";
import { button, element, reconcile, setAttribute, setText } from "../../lib/dom.js";
import { bytes, count, nanoseconds, rate, short } from "../../lib/format.js";
import { alarmPlace, alarmsOf, taken } from "./alarms.js";
import { besideOf } from "./beside.js";
import { tryBeside } from "./beside-actions.js";
import { activate, rollBack, unbind } from "./seat-actions.js";

const container = document.getElementById("seats");
const known = new Map();

// What each shadow came to, by seat.
const comparisons = new Map();

export function showSeats({ bindings, seated }, figures, filter) {
  const bySeat = Map.groupBy(figures.plugins, (one) => one.binding);
  const wanted = bindings.filter(({ binding, plugin }) =>
    `${binding} ${plugin}`.toLowerCase().includes(filter),
  );
  const items = wanted.map((seat) => ({
    seat,
    configuration: seated,
    figures: bySeat.get(seat.binding) ?? [],
    comparison: comparisons.get(seat.binding),
  }));
  container.querySelector(":scope > .skeleton, :scope > .empty")?.remove();
  reconcile(container, known, items, { key: ({ seat }) => seat.binding, make: makeSeat });
  if (items.length === 0) {
    container.append(element("p", { class: "empty" }, "No seat fits the filter."));
  }
}

// Ask how shadows do, which the stream does not say.
export async function compareShadows(bindings) {
  const shadowed = bindings.filter(({ shadow }) => shadow !== null);
  for (const plugin of new Set(shadowed.map((seat) => seat.plugin))) {
    const stats = await look(pathOf(["plugins", plugin, "stats"]));
    const shadows = stats.bindings.filter(({ comparison }) => comparison);
    shadows.forEach(({ binding, comparison }) => comparisons.set(binding, comparison));
  }
}

const NUMBERS = [
  ["Decisions/s", (one) => rate(one.decisionsPerSecond)],
  ["Median", (one) => nanoseconds(one.nsP50 ?? one.nsPerDecision)],
  ["p99", (one) => nanoseconds(one.nsP99)],
  ["Faults", (one) => count(one.faults)],
  ["Fallbacks", (one) => count(one.fallbacks)],
  ["Memory", (one) => bytes(one.memoryBytes)],
  ["Workers’ time", (one) => taken(one.cpuPercent)],
  ["Busiest worker", (one) => taken(one.cpuPercentBusiest)],
];

function makeSeat({ seat }) {
  let now = seat;
  const id = `seat-${seat.binding}`;
  const state = element("span", { class: "state" });
  const who = element("p", { class: "who" });
  const alarms = alarmPlace({ role: "status" });
  const values = NUMBERS.map(() => element("dd"));
  const [canary, shadow] = [besideOf("canary", () => now), besideOf("shadow", () => now)];
  const back = button("Roll back", {}, () => rollBack(now));
  const label = (word) => ({ "aria-label": `${word} in ${seat.binding}` });
  const canGo = seat.role === "affinity" || seat.role.endsWith("-policy");
  const node = element(
    "section",
    { class: "card seat", "aria-labelledby": id },
    element("div", { class: "card-head" }, element("h3", { id }, seat.binding), state),
    element(
      "div",
      { class: "card-body" },
      who,
      alarms.element,
      element(
        "dl",
        { class: "numbers" },
        NUMBERS.map(([name], index) => element("div", {}, element("dt", {}, name), values[index])),
      ),
      canary.element,
      shadow.element,
      element(
        "div",
        { class: "buttons" },
        button("Activate", label("Activate"), () => activate(now)),
        button("Canary", label("Canary"), () => tryBeside(now, "canary")),
        button("Shadow", label("Shadow"), () => tryBeside(now, "shadow")),
        back,
        canGo
          ? button("Unbind", { "aria-label": `Unbind ${seat.binding}` }, () => unbind(now))
          : null,
      ),
    ),
  );
  return {
    element: node,
    update({ seat: wanted, configuration, figures, comparison }) {
      now = wanted;
      const active = figures.find(({ part }) => part === "active") ?? {};
      showState(state, wanted.state);
      setText(who, whoDecides(wanted));
      const told = alarmsOf(figures, wanted);
      alarms.update(told);
      setAttribute(node, "data-alarm", told.length > 0);
      NUMBERS.forEach(([, form], index) => setText(values[index], form(active)));
      const of = (part) => figures.find((one) => one.part === part);
      canary.update(wanted.canary, { configuration, figures: of("canary") });
      shadow.update(wanted.shadow, { configuration, figures: of("shadow"), comparison });
      const [earlier] = wanted.history;
      back.disabled = !earlier;
      const target = earlier
        ? `to ${earlier.plugin ?? "nothing"} ${earlier.version ? short(earlier.version) : "its own version"}`
        : "there is nothing to go back to";
      setAttribute(back, "aria-label", `Roll back ${wanted.binding}`);
      back.title = target;
    },
  };
}

const SIGNS = { active: "●", "standing in": "◒", quarantined: "▲" };

function showState(node, state) {
  setAttribute(node, "data-state", state);
  setText(node, state ? `${SIGNS[state]} ${state}` : "○ not seated");
}

function whoDecides({ plugin, version, pinned, standIn, onFault }) {
  const which = pinned ? "chosen here" : "the plugin’s own";
  const instead = standIn ? `; ${short(standIn)} decides in its place` : "";
  const fault = onFault ? `; a fault ${onFault === "deny" ? "denies" : "allows"} the request` : "";
  return `${plugin} ${short(version)} (${which})${instead}${fault}`;
}
