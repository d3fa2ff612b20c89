// A picture of what a request passes: listeners, policies, the router, and each
// pool's affinity, balancer and servers.

import { button, element, reconcile, setAttribute, setText } from "../../lib/dom.js";
import { nanoseconds, percent, plural, rate, short } from "../../lib/format.js";

// More lanes are shown when they are asked for.
const FEW_POOLS = 8;

const container = document.getElementById("chain");
const trunk = element("ol", { class: "chain", "aria-label": "Before the pool" });
const lanes = element("ul", { class: "lanes", "aria-label": "Pools" });
const more = button("", { hidden: true }, () => {
  isWhole = true;
  more.hidden = true;
});
const [steps, pools] = [new Map(), new Map()];
let isWhole = false;

export function showChain({ listeners, bindings }, figures) {
  if (!trunk.isConnected) {
    container.replaceChildren(trunk, lanes, more);
  }
  const byRole = Map.groupBy(bindings, ({ role, pool }) => `${role} ${pool ?? ""}`);
  const inSeat = Map.groupBy(figures.plugins, ({ binding }) => binding);
  const asked = (role, pool = "") =>
    (byRole.get(`${role} ${pool}`) ?? []).map((seat) => step(seat, inSeat.get(seat.binding) ?? []));
  const before = [entrance(listeners), ...asked("request-policy"), ...asked("router")];
  const after = asked("response-policy").map((one) => ({
    ...one,
    label: `${one.label}, on the way back`,
  }));
  reconcile(trunk, steps, [...before, ...after], { key: ({ key }) => key, make: makeStep });
  const shown = isWhole ? figures.pools : figures.pools.slice(0, FEW_POOLS);
  const items = shown.map((pool) => ({
    pool,
    steps: [
      ...asked("affinity", pool.pool),
      ...asked("balancer", pool.pool),
      serversOf(pool, figures.servers),
    ],
  }));
  reconcile(lanes, pools, items, { key: ({ pool }) => pool.pool, make: makeLane });
  more.hidden = isWhole || figures.pools.length <= FEW_POOLS;
  setText(more, `Show all ${figures.pools.length} pools`);
}

// Listeners are side by side: a request comes through one of them.
function entrance(listeners) {
  return {
    key: "listeners",
    label: plural(listeners.length, "listener"),
    title: listeners.map(where).join("\n"),
    note: "",
    isPlain: true,
  };
}

// Where a listener is, and what it speaks beside HTTP/1.1 and HTTP/2 in the clear.
function where({ address, tls, http3 }) {
  return [address, tls && "TLS", http3 && "HTTP/3"].filter(Boolean).join(", ");
}

// Who is asked in a seat, and who stands beside.
function step({ binding, role, plugin, version, state, canary, shadow }, figures) {
  const alarm = [
    figures.some(({ heavy }) => heavy) && "▲ heavy",
    figures.some(({ capping }) => capping) && "▲ capped",
  ].filter(Boolean);
  const active = figures.find(({ part }) => part === "active") ?? {};
  const beside = [
    canary && `canary ${short(canary.version)} for ${canary.percent} %`,
    shadow && `shadow ${short(shadow.version)} of ${shadow.sample} %`,
  ];
  return {
    key: binding,
    label: role.endsWith("-policy") ? binding.replace("-/policy.", "policy ") : role,
    title: plugin,
    note: `${short(version)} · ${nanoseconds(active.nsP50 ?? active.nsPerDecision)}`,
    extra: beside.filter(Boolean).join(", "),
    alarm: alarm.join(", "),
    state,
  };
}

function serversOf(pool, servers) {
  const own = servers.filter((server) => server.pool === pool.pool);
  const share = own.length === 0 ? null : pool.activeServers / own.length;
  return {
    key: "servers",
    label: "servers",
    title: plural(own.length, "server"),
    note: `${percent(share)} in use · ${rate(pool.requestsPerSecond)} requests/s`,
    isPlain: true,
  };
}

function makeStep(item) {
  const [label, title, note, extra, alarm] = ["role", "plugin", "quiet", "extra", "alarm"].map(
    (name) => element("p", { class: name }),
  );
  const box = element(
    "div",
    { class: item.isPlain ? "step plain" : "step" },
    label,
    title,
    note,
    extra,
    alarm,
  );
  return {
    element: element("li", {}, box),
    update(now) {
      setText(label, now.label);
      setText(title, now.title);
      setText(note, now.state && now.state !== "active" ? `${now.state} · ${now.note}` : now.note);
      setText(extra, now.extra ?? "");
      extra.hidden = !now.extra;
      setText(alarm, now.alarm ?? "");
      alarm.hidden = !now.alarm;
      setAttribute(box, "data-alarm", Boolean(now.alarm));
      setAttribute(box, "data-state", now.state);
    },
  };
}

function makeLane({ pool }) {
  const known = new Map();
  const list = element("ol", { class: "chain", "aria-label": `In pool ${pool.pool}` });
  return {
    element: element("li", {}, element("p", { class: "pool" }, pool.pool), list),
    update: ({ steps: now }) =>
      reconcile(list, known, now, { key: ({ key }) => key, make: makeStep }),
  };
}
