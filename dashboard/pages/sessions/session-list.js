// A page of sessions as a table, and the end of one.

import { remove, pathOf } from "../../lib/api.js";
import { confirm } from "../../lib/dialog.js";
import { button, element } from "../../lib/dom.js";
import { clock, duration } from "../../lib/format.js";
import { Listing } from "../../lib/listing.js";
import { live } from "../../lib/live.js";
import { Table } from "../../lib/table.js";
import { attempt, done } from "../../lib/toast.js";

export class SessionList {
  #listing;

  // `onDeleted` is called when a session has been deleted, or has gone before.
  constructor(container, onDeleted) {
    const moment = (id, label, form) => ({ id, label, isNumber: true, make: () => timeCell(form) });
    const table = new Table({
      caption: "Sessions",
      key: ({ sessionId }) => sessionId,
      columns: [
        {
          id: "session",
          label: "Session",
          isHead: true,
          make: ({ sessionId }) => ({
            node: element("span", { class: "session-id" }, sessionId),
          }),
        },
        { id: "pool", label: "Pool", text: ({ pool }) => pool },
        { id: "server", label: "Server", long: true, text: ({ serverId }) => serverId },
        moment("age", "Age", ({ createdAt }) => [createdAt, -1]),
        moment("idle", "Idle for", ({ lastAccessed }) => [lastAccessed, -1]),
        moment("left", "Ends in", ({ expiresAt }) => [expiresAt, 1]),
        {
          id: "actions",
          label: "Actions",
          hidesLabel: true,
          make: (session) => actionsCell(session, onDeleted),
        },
      ],
    });
    this.element = table.element;
    this.#listing = new Listing(container, table);
  }

  // Show these, or why there are none.
  show(sessions, why) {
    this.#listing.show(sessions, why);
  }
}

// How far a moment is from now, `sign` 1 where it is to come; by the gateway's
// clock, since the browser's may be another.
function timeCell(form) {
  const node = element("span", { class: "moment" });
  return {
    node,
    update(session) {
      const [at, sign] = form(session);
      node.textContent = duration(Math.max(0, ((Date.parse(at) - now()) / 1000) * sign));
      node.title = clock(at);
    },
  };
}

function now() {
  const { figures, figuresAt } = live;
  return figures === null ? Date.now() : Date.parse(figures.at) + Date.now() - figuresAt;
}

function actionsCell({ sessionId, pool, serverId }, onDeleted) {
  const away = button("Delete", { "aria-label": `Delete session ${sessionId}` }, async () => {
    const isSure = await confirm({
      title: `Delete session ${sessionId}?`,
      text: [
        `Its client’s next request goes where the balancer of ${pool} sends it. If that is not ${serverId}, what only ${serverId} knows of it, as a login or a cart, is not there.`,
        "The application is not told, and this cannot be undone.",
      ],
      action: "Delete session",
    });
    if (isSure) {
      await attempt(async () => {
        done(`Deleted session ${sessionId}.`, await remove(pathOf(["sessions", sessionId])));
      }, "The session could not be deleted");
      onDeleted();
    }
  });
  return { node: element("span", { class: "row-actions" }, away) };
}

// Why there is nothing to list.
export function whyNone({ pools, sessions }, isFiltered) {
  if (isFiltered && sessions > 0) {
    return "No session fits.";
  }
  if (pools.length === 0) {
    return "No pool keeps its clients on their servers, so there are no sessions. Give a pool an affinity to begin.";
  }
  const keeping = pools.filter(({ affinity }) => affinity !== "sticky-cookie");
  if (keeping.length === 0) {
    return "Only sticky-cookie keeps clients here: its cookies are with the clients alone. sticky-learn follows the application’s own sessions, and lists them here.";
  }
  const names = keeping.map(({ pool, affinity }) => `${affinity} of ${pool}`).join(", ");
  return `No session has come yet. They appear here as ${names} learns of them.`;
}
