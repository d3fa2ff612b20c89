// The gateways that have one desired state with this one; nothing where it is alone.

import { look, pathOf } from "../../lib/api.js";
import { element, setAttribute, setText } from "../../lib/dom.js";
import { ago, clock, count } from "../../lib/format.js";
import { poll } from "../../lib/poll.js";
import { Table } from "../../lib/table.js";

// Gateways say every two seconds that they are there.
const LOOK_MS = 2_000;

const SIGNS = { there: "●", silent: "▲", unknown: "○" };

const container = document.getElementById("cluster");

// While the server is away, nobody hears of the others.
function stateOf({ own, silent }, connected) {
  if (own) {
    return "there";
  }
  if (!connected) {
    return "unknown";
  }
  return silent ? "silent" : "there";
}

// A state as a sign and a word.
function mark(attributes = {}) {
  const sign = element("span", { "aria-hidden": "true" });
  const word = element("span", attributes);
  const node = element("span", { class: "state" }, sign, " ", word);
  const show = (state, signed, text) => {
    setAttribute(node, "data-state", state);
    setText(sign, signed);
    setText(word, text);
  };
  return { node, show };
}

function stateCell() {
  const { node, show } = mark();
  return { node, update: ({ state }) => show(state, SIGNS[state], state) };
}

function downCell() {
  const node = element("span");
  return {
    node,
    update({ unhealthy }) {
      setText(node, count(unhealthy));
      node.classList.toggle("bad-text", unhealthy > 0);
    },
  };
}

const standing = mark({ role: "status" });
const server = element("span", { class: "grow quiet" });
const trouble = element("div", { class: "card-note bad-text", hidden: true });

const table = new Table({
  caption: "Gateways of the cluster",
  key: ({ name }) => name,
  columns: [
    {
      id: "name",
      label: "Gateway",
      isHead: true,
      text: ({ name, own }) => (own ? `${name} (this one)` : name),
    },
    { id: "state", label: "State", make: stateCell },
    {
      id: "seen",
      label: "Heard",
      text: ({ own, lastSeen }) => (own ? "answers here" : ago(lastSeen)),
    },
    { id: "healthy", label: "Servers up", isNumber: true, text: ({ healthy }) => count(healthy) },
    { id: "unhealthy", label: "Servers down", isNumber: true, make: downCell },
    { id: "version", label: "State version", isNumber: true, text: ({ version }) => count(version) },
    { id: "program", label: "Program", text: ({ program }) => program },
    { id: "started", label: "Started", text: ({ started }) => ago(started) },
    { id: "admin", label: "Admin listener", long: true, text: ({ admin }) => admin },
  ],
});

function build() {
  const id = "cluster-title";
  container.classList.add("card");
  setAttribute(container, "aria-labelledby", id);
  container.append(
    element("div", { class: "card-head" }, element("h2", { id }, "Cluster"), standing.node, server),
    trouble,
    element("div", { class: "cards" }, table.element),
  );
}

function show(cluster) {
  const { connected, since, why, problems, gateways } = cluster;
  if (container.hidden) {
    build();
    container.hidden = false;
  }
  standing.show(
    connected ? "there" : "silent",
    connected ? "●" : "▲",
    connected ? "connected" : "the server is away",
  );
  setText(server, `${cluster.server}, since ${clock(since)}`);
  const wrong = connected
    ? problems
    : [`Traffic goes on, and changes are refused until it is back: ${why}`];
  trouble.hidden = wrong.length === 0;
  if (trouble.textContent !== wrong.join("")) {
    trouble.replaceChildren(...wrong.map((text) => element("p", {}, text)));
  }
  table.show(gateways.map((one) => ({ ...one, state: stateOf(one, connected) })));
}

// Ask again and again, in a cluster; a gateway that is alone stays so while it runs.
export function followCluster() {
  const end = poll(async () => {
    const cluster = await look(pathOf(["cluster"]));
    if (cluster.enabled) {
      show(cluster);
    } else {
      end();
    }
  }, LOOK_MS);
}
