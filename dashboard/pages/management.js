// Management: pools and their servers, live, and everything that changes them.

import { get, pathOf } from "../lib/api.js";
import { onTheme } from "../lib/colours.js";
import { configurationOf } from "../lib/configuration.js";
import { element, reconcile } from "../lib/dom.js";
import { inFrame } from "../lib/frames.js";
import { live } from "../lib/live.js";
import { keyOf, stateOf } from "../lib/servers.js";
import { startPage } from "../lib/shell.js";
import { failed } from "../lib/toast.js";
import { Trends } from "../lib/trends.js";
import { followCluster } from "./management/cluster.js";
import { createPool } from "./management/pool-actions.js";
import { PoolSection } from "./management/pool-section.js";
import { showTotals } from "./management/totals.js";

// What the stream does not carry, since it changes by hand only.
const declared = { pools: new Map(), algorithms: [], configuration: null };

const FEW_SERVERS = 200;

const trends = new Trends();
const sections = new Map();
const container = document.getElementById("pools");
const filter = document.getElementById("filter");

async function loadDeclared(configuration) {
  if (declared.configuration === configuration) {
    return;
  }
  // Set before the answers, so that each configuration is asked for once.
  declared.configuration = configuration;
  try {
    const [pools, algorithms] = await Promise.all(
      ["pools", "algorithms"].map((name) => get(pathOf([name]))),
    );
    if (declared.configuration !== configuration) {
      // A newer one has been asked for meanwhile.
      return;
    }
    declared.pools = new Map(pools.map((pool) => [pool.pool, pool]));
    declared.algorithms = algorithms;
    show();
  } catch (error) {
    declared.configuration = null;
    failed(`Pools and servers could not be read: ${error.message}`);
  }
}

// The lines begin with the minute before the page was opened, or seen again. Of
// many servers that is much, and they fill while one watches.
async function beginTrends({ pools, servers }) {
  if (servers.length > FEW_SERVERS) {
    return;
  }
  for (const { pool } of pools) {
    try {
      const past = await get(pathOf(["metrics", "history"], { minutes: 1, pool }));
      past.servers.forEach((server) =>
        trends.begin(keyOf(server), past.time, server.requestsPerSecond),
      );
      inFrame("pools", show);
    } catch {
      // The lines begin with now.
    }
  }
}

// Every word of the filter must be found in a server's id, pool or state.
function wanted(server, terms) {
  const text = `${server.serverId} ${server.pool} ${stateOf(server)}`.toLowerCase();
  return terms.every((term) => text.includes(term));
}

function show() {
  const { figures } = live;
  if (!figures) {
    return;
  }
  const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const byPool = Map.groupBy(figures.servers, (server) => server.pool);
  const pools = figures.pools.map((pool) => {
    const all = byPool.get(pool.pool) ?? [];
    const shown = terms.length === 0 ? all : all.filter((server) => wanted(server, terms));
    return { figures: pool, all, servers: shown, configuration: configurationOf(figures) };
  });
  const visible = pools.filter(({ servers }) => terms.length === 0 || servers.length > 0);
  const message =
    pools.length === 0
      ? "There are no pools yet. Create one to begin."
      : "No server fits the filter.";
  container.querySelector(":scope > .skeleton, :scope > .empty")?.remove();
  reconcile(container, sections, visible, {
    key: ({ figures }) => figures.pool,
    make: ({ figures }) => new PoolSection(figures.pool, declared, trends),
  });
  if (visible.length === 0) {
    container.append(element("p", { class: "empty" }, message));
  }
}

startPage("Management");
followCluster();
filter.addEventListener("input", () => inFrame("pools", show));
document
  .getElementById("create-pool")
  .addEventListener("click", () => createPool(declared.algorithms));
live.onFigures("totals", showTotals);
live.onFigures("trends", (figures) => {
  const { at, servers } = figures;
  const newest = servers.map((server) => [keyOf(server), server.requestsPerSecond]);
  if (trends.take(new Date(at).getTime() / 1000, newest)) {
    beginTrends(figures);
  }
});
live.onFigures("pools", (figures) => {
  loadDeclared(configurationOf(figures));
  show();
});
onTheme(() => inFrame("pools", show));
