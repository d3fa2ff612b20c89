// A pool's servers as a table.

import { button, element, setAttribute, setText } from "../../lib/dom.js";
import { count, milliseconds, rate } from "../../lib/format.js";
import { keyOf, median, stateMark, stateOf, tail } from "../../lib/servers.js";
import { drawSoon, sparkline } from "../../lib/sparkline.js";
import { Table } from "../../lib/table.js";
import { drainServer, enableServer, removeServer, showServer } from "./server-actions.js";
import { weightCell } from "./weight.js";

// The worst first.
const SEVERITY = {
  unhealthy: 5,
  "circuit open": 4,
  "circuit half-open": 3,
  unknown: 2,
  draining: 1,
  healthy: 0,
};

export function serverTable(pool, trends) {
  const figure = (id, label, value, form) => ({
    id,
    label,
    isNumber: true,
    sort: value,
    text: (server) => form(value(server)),
  });
  return new Table({
    caption: `Servers of pool ${pool}`,
    key: keyOf,
    columns: [
      {
        id: "server",
        label: "Server",
        isHead: true,
        sort: (server) => server.serverId,
        make: nameCell,
      },
      {
        id: "health",
        label: "Health",
        sort: (server) => SEVERITY[stateOf(server)],
        isNumber: false,
        make: stateMark,
      },
      {
        id: "weight",
        label: "Weight",
        isNumber: true,
        sort: (server) => server.weight,
        make: weightCell,
      },
      figure("active", "Active", (server) => server.activeConnections, count),
      figure("requests", "Requests/s", (server) => server.requestsPerSecond, rate),
      figure("errors", "Errors/s", (server) => server.errorsPerSecond ?? null, rate),
      figure("failed", "Failed", (server) => server.failedRequests, count),
      figure("median", "Median", median, milliseconds),
      figure("p99", "p99", tail, milliseconds),
      { id: "trend", label: "Last minute", make: () => trendCell(trends) },
      {
        id: "actions",
        label: "Actions",
        hidesLabel: true,
        make: actionsCell,
      },
    ],
    onRow: (row, server) => setAttribute(row, "data-state", stateOf(server)),
  });
}

function nameCell(server) {
  const node = button(
    server.serverId,
    { class: "link", "aria-label": `Details of ${server.serverId}` },
    () => showServer(server),
  );
  return { node };
}

function trendCell(trends) {
  const node = sparkline();
  return { node, update: (server) => drawSoon(node, trends.of(keyOf(server))) };
}

function actionsCell(server) {
  let now = server;
  const turn = button("", {}, () => (now.draining ? enableServer(now) : drainServer(now)));
  const away = button("Remove", { "aria-label": `Remove ${server.serverId}` }, () =>
    removeServer(now),
  );
  return {
    node: element("span", { class: "row-actions" }, turn, away),
    update(server) {
      now = server;
      const word = server.draining ? "Enable" : "Drain";
      setText(turn, word);
      setAttribute(turn, "aria-label", `${word} ${server.serverId}`);
    },
  };
}
