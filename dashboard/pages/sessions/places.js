// How many sessions there are, and where.

import { button, element, reconcile, setText } from "../../lib/dom.js";
import { count } from "../../lib/format.js";
import { Table } from "../../lib/table.js";

// Of more pools the largest are named.
const MOST_POOLS = 5;

const totals = document.getElementById("totals");
const details = document.getElementById("places");

export class Places {
  #figures = new Map();
  #rows = [];
  #table;

  // `onChoose` is given `{pool, server}`, to list whose sessions they are.
  constructor(onChoose) {
    this.#table = new Table({
      caption: "Sessions by server",
      key: ({ pool, serverId }) => `${pool} ${serverId}`,
      order: { id: "sessions", descending: true },
      columns: [
        {
          id: "server",
          label: "Server",
          isHead: true,
          sort: ({ serverId }) => serverId,
          make: (row) => serverCell(row, onChoose),
        },
        { id: "pool", label: "Pool", sort: ({ pool }) => pool, text: ({ pool }) => pool },
        {
          id: "affinity",
          label: "Affinity",
          sort: ({ affinity }) => affinity ?? "",
          text: ({ affinity }) => affinity ?? "none",
        },
        {
          id: "sessions",
          label: "Sessions",
          isNumber: true,
          sort: ({ sessions }) => sessions,
          text: ({ sessions }) => count(sessions),
        },
        { id: "share", label: "Of its pool’s", wide: true, make: shareCell },
      ],
    });
    document.getElementById("servers").append(this.#table.element);
    details.addEventListener("toggle", () => this.#showRows());
  }

  show({ sessions, pools }) {
    const largest = [...pools].sort((one, other) => other.sessions - one.sessions);
    const named = largest.slice(0, MOST_POOLS).map((one) => [one.pool, one.sessions]);
    const rest = largest.slice(MOST_POOLS);
    const figures = [
      { label: "All sessions", value: sessions },
      ...named.map(([pool, value]) => ({ label: `In ${pool}`, value })),
    ];
    if (rest.length > 0) {
      const value = rest.reduce((sum, one) => sum + one.sessions, 0);
      figures.push({ label: `In ${count(rest.length)} other pools`, value });
    }
    reconcile(totals, this.#figures, figures, { key: ({ label }) => label, make: figure });
    this.#rows = pools.flatMap(({ pool, affinity, sessions: all, servers }) =>
      servers.map((server) => ({ ...server, pool, affinity, all })),
    );
    details.hidden = this.#rows.length === 0;
    this.#showRows();
  }

  // While it is closed, nothing is drawn.
  #showRows() {
    if (details.open) {
      this.#table.show(this.#rows);
    }
  }
}

function figure({ label }) {
  const value = element("dd");
  return {
    element: element("div", {}, element("dt", {}, label), value),
    update: (now) => setText(value, count(now.value)),
  };
}

function serverCell({ pool, serverId }, onChoose) {
  const label = `List the sessions of ${serverId} in ${pool}`;
  const node = button(serverId, { class: "link", "aria-label": label }, () =>
    onChoose({ pool, server: serverId }),
  );
  return { node };
}

// A bar for eyes only: the number stands beside it.
function shareCell() {
  const bar = element("progress", { "aria-hidden": "true" });
  return {
    node: element("div", { class: "share" }, bar),
    update({ sessions, all }) {
      bar.max = Math.max(1, all);
      bar.value = sessions;
    },
  };
}
