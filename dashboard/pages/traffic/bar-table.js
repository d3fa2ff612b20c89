// What the bars show, and all other figures, as a table: for those who read
// rather than look.

import { count, milliseconds, rate } from "../../lib/format.js";
import { keyOf, median, stateMark, stateOf, tail } from "../../lib/servers.js";
import { Table } from "../../lib/table.js";

const figure = (id, label, value, form) => ({
  id,
  label,
  isNumber: true,
  sort: value,
  text: (server) => form(value(server)),
});

export class BarTable {
  #details;
  #servers = [];
  #table = new Table({
    caption: "Servers",
    key: keyOf,
    columns: [
      {
        id: "server",
        label: "Server",
        isHead: true,
        sort: ({ serverId }) => serverId,
        text: ({ serverId }) => serverId,
      },
      { id: "pool", label: "Pool", sort: ({ pool }) => pool, text: ({ pool }) => pool },
      { id: "state", label: "State", sort: stateOf, make: stateMark },
      figure("requests", "Requests/s", (server) => server.requestsPerSecond, rate),
      figure("active", "Active", (server) => server.activeConnections, count),
      figure("errors", "Errors/s", (server) => server.errorsPerSecond, rate),
      figure("median", "Median", median, milliseconds),
      figure("p99", "p99", tail, milliseconds),
    ],
  });

  // In a `<details>`; while that is closed, nothing is drawn.
  constructor(details) {
    this.#details = details;
    details.append(this.#table.element);
    details.addEventListener("toggle", () => this.show(this.#servers));
  }

  show(servers) {
    this.#servers = servers;
    if (this.#details.open) {
      this.#table.show(servers);
    }
  }
}
