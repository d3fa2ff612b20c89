// Recent requests: searched, and each opened into what was decided about it.

import { get, look, pathOf } from "../lib/api.js";
import { button, element, setText } from "../lib/dom.js";
import { clock, count, milliseconds } from "../lib/format.js";
import { Listing } from "../lib/listing.js";
import { poll } from "../lib/poll.js";
import { startPage } from "../lib/shell.js";
import { Table } from "../lib/table.js";
import { attempt } from "../lib/toast.js";
import { showExplanation } from "./requests/explanation.js";

// How often the sample is asked for, and how much of it.
const LOOK_MS = 2_000;
const LIMIT = 300;

const STATUSES = [
  ["any", () => true],
  ["2xx and 3xx", (status) => status < 400],
  ["4xx", (status) => status >= 400 && status < 500],
  ["5xx", (status) => status >= 500],
];

const search = document.getElementById("search");
const status = document.getElementById("status");
let requests = null;

const table = new Table({
  caption: "Requests",
  key: ({ id }) => id,
  isLog: true,
  order: { id: "time", descending: true },
  columns: [
    {
      id: "time",
      label: "Time",
      sort: ({ timestamp }) => timestamp,
      text: ({ timestamp }) => clock(timestamp),
    },
    { id: "request", label: "Request", isHead: true, sort: ({ url }) => url, make: requestCell },
    {
      id: "status",
      label: "Status",
      isNumber: true,
      sort: ({ statusCode }) => statusCode,
      make: statusCell,
    },
    {
      id: "took",
      label: "Took",
      isNumber: true,
      sort: ({ responseTime }) => responseTime,
      text: ({ responseTime }) => milliseconds(responseTime),
    },
    {
      id: "pool",
      label: "Pool",
      sort: ({ pool }) => pool ?? "",
      text: ({ pool }) => pool ?? "none",
    },
    {
      id: "server",
      label: "Server",
      long: true,
      sort: ({ serverId }) => serverId ?? "",
      text: ({ serverId }) => serverId ?? "the gateway itself",
    },
    {
      id: "retries",
      label: "Retries",
      isNumber: true,
      sort: ({ retries }) => retries,
      text: ({ retries }) => count(retries),
    },
    {
      id: "decisions",
      label: "Decisions",
      wide: true,
      text: ({ decisions }) => decisions.map((one) => one.plugin).join(", "),
    },
  ],
});
const listing = new Listing(document.getElementById("requests"), table);

function requestCell({ id, method, url, asked }) {
  const node = button(
    `${method} ${url}`,
    { class: "link", "aria-label": `Explain ${method} ${url}, ${id}` },
    () => open(id),
  );
  return {
    node: element("span", {}, node, asked ? element("span", { class: "badge" }, "asked") : null),
  };
}

function statusCell({ statusCode }) {
  const kind = statusCode < 400 ? "status-good" : statusCode < 500 ? "status-warn" : "status-bad";
  return { node: element("span", { class: kind }, String(statusCode)) };
}

// The one that is shown may be older than the sample by now, and is asked for.
function open(id) {
  return attempt(async () => {
    const known = requests?.find((one) => one.id === id);
    await showExplanation(known ?? (await get(pathOf(["explain", id]))));
  }, "The request could not be explained");
}

function show() {
  if (requests === null) {
    return;
  }
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const [, fits] = STATUSES[status.selectedIndex];
  const shown = requests.filter(
    (one) => fits(one.statusCode) && terms.every((term) => textOf(one).includes(term)),
  );
  const why =
    requests.length === 0
      ? "No request has come yet. They appear here as they do."
      : "No recent request fits.";
  listing.show(shown, why);
}

function textOf({ id, method, url, authority, pool, serverId, statusCode, decisions }) {
  const decided = decisions.flatMap(({ plugin, answer, fault }) => [plugin, answer, fault]);
  return [id, method, url, authority, pool, serverId, statusCode, ...decided]
    .join(" ")
    .toLowerCase();
}

async function load() {
  requests = await look(pathOf(["explain"], { limit: LIMIT }));
  show();
}

// The recipe with this gateway's own address.
function showRecipe() {
  const api = new URL("api", location.href).href;
  setText(
    document.getElementById("recipe"),
    [
      "id=$(curl -s -o /dev/null -w '%header{x-gatewright-explain}' \\",
      '  -H "x-gatewright-explain: $GATEWRIGHT_TOKEN" http://127.0.0.1:8080/)',
      `curl -H "Authorization: Bearer $GATEWRIGHT_TOKEN" ${api}/explain/$id`,
    ].join("\n"),
  );
}

startPage("Requests");
status.append(...STATUSES.map(([name]) => element("option", {}, name)));
search.addEventListener("input", show);
status.addEventListener("change", show);
document.getElementById("by-id").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = document.getElementById("request-id").value.trim();
  if (id) {
    open(id);
  }
});
showRecipe();
poll(load, LOOK_MS);
