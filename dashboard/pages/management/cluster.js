// The gateways that have one desired state with this one; nothing where it is alone.

import { look, pathOf } from "../../lib/api.js";
import { element } from "../../lib/dom.js";
import { ago, count } from "../../lib/format.js";

// Gateways say every two seconds that they are there.
const EVERY_MS = 2000;

const COLUMNS = [
  ["Gateway", ({ name, own }) => (own ? `${name} (this one)` : name)],
  ["Admin listener", ({ admin }) => admin],
  ["Version of the state", ({ version }) => count(version)],
  ["Servers up", ({ healthy }) => count(healthy)],
  ["Servers down", ({ unhealthy }) => count(unhealthy)],
  ["Program", ({ program }) => program],
  ["Started", ({ started }) => ago(started)],
];

const container = document.getElementById("cluster");

function standing({ connected, server, since, why }) {
  const when = ago(since);
  return connected
    ? `The cluster's server ${server} answers (since ${when}).`
    : `The cluster's server ${server} is away (since ${when}), and changes wait: ${why}`;
}

function table(gateways) {
  const head = COLUMNS.map(([label]) => element("th", { scope: "col" }, label));
  const rows = gateways.map((gateway) =>
    element("tr", {}, ...COLUMNS.map(([, form]) => element("td", {}, String(form(gateway))))),
  );
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

function show(cluster) {
  container.replaceChildren(
    element("h2", {}, "Cluster"),
    element("p", { class: "quiet", role: "status" }, standing(cluster)),
    ...cluster.problems.map((problem) => element("p", { class: "bad-text" }, problem)),
    table(cluster.gateways),
  );
}

// Ask again and again, in a cluster; a gateway that is alone stays so while it runs.
export async function followCluster() {
  try {
    const cluster = await look(pathOf(["cluster"]));
    if (!cluster.enabled) {
      return;
    }
    container.hidden = false;
    show(cluster);
  } catch {
    // The page says elsewhere that the gateway does not answer.
  }
  setTimeout(followCluster, EVERY_MS);
}
