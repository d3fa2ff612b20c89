// Live traffic: a bar for each server, and figures over the last minutes.

import { button } from "../lib/dom.js";
import { inFrame } from "../lib/frames.js";
import { live } from "../lib/live.js";
import { fill } from "../lib/select.js";
import { startPage } from "../lib/shell.js";
import { Bars } from "./traffic/bars.js";
import { BarTable } from "./traffic/bar-table.js";
import { Charts } from "./traffic/charts.js";
import { History } from "./traffic/history.js";
import { LineChoice } from "./traffic/line-choice.js";

const SPANS = [1, 5, 15];

// What is looked at, kept in the address so that a reload shows the same. `line`
// are the pools that shall have lines, where somebody has chosen them.
const asked = new URLSearchParams(location.search);
const choice = {
  pool: asked.get("pool"),
  server: asked.get("server"),
  minutes: SPANS.find((span) => String(span) === asked.get("minutes")) ?? 1,
  line: asked.has("line") ? asked.getAll("line") : null,
};

const bars = new Bars(
  document.getElementById("bars"),
  document.getElementById("states"),
  document.getElementById("measure"),
);
const table = new BarTable(document.getElementById("as-table"));
const charts = new Charts(document.getElementById("charts"));
const lineChoice = new LineChoice(document.getElementById("lines"), (line) => choose({ line }));
const history = new History((columns) => {
  charts.show(columns);
  showLineChoice(columns);
});
const [poolSelect, serverSelect] = ["pool", "server"].map((id) => document.getElementById(id));

function choose(change) {
  Object.assign(choice, change);
  const said = Object.entries(choice).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => [name, one]),
  );
  window.history.replaceState(null, "", `?${new URLSearchParams(said)}`);
  history.look(choice);
  if (live.figures) {
    showChoices(live.figures);
    show(live.figures);
  }
}

function show({ servers }) {
  const { pool, server } = choice;
  const shown = servers.filter(
    (one) => (pool === null || one.pool === pool) && (server === null || one.serverId === server),
  );
  bars.show(shown);
  inFrame("table", () => table.show(shown));
}

// Of one server there is nothing to choose.
function showLineChoice({ names, shown }) {
  const { pool, server, line } = choice;
  const own = live.figures?.servers.filter((one) => one.pool === pool) ?? [];
  document.getElementById("lines").hidden = server !== null;
  if (server === null) {
    const isChosen = pool === null && line !== null;
    lineChoice.show({ pool, names, shown, isChosen, servers: own.length });
  }
}

function spanButtons() {
  const buttons = SPANS.map((minutes) => {
    const label = `${minutes} minute${minutes === 1 ? "" : "s"}`;
    return button(label, { "aria-pressed": String(minutes === choice.minutes) }, () => {
      choose({ minutes });
      buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.textContent === label)));
    });
  });
  document.getElementById("spans").append(...buttons);
}

function showChoices({ pools, servers }) {
  if (isGone({ pools, servers })) {
    choose({ pool: null, server: null });
    return;
  }
  const shown = servers.filter((server) => choice.pool === null || server.pool === choice.pool);
  fill(
    poolSelect,
    "All pools",
    pools.map((pool) => pool.pool),
    choice.pool,
  );
  fill(
    serverSelect,
    "All servers",
    [...new Set(shown.map((server) => server.serverId))],
    choice.server,
  );
}

// Whether what was chosen has been removed.
function isGone({ pools, servers }) {
  const { pool, server } = choice;
  const isThere = (one) => one.serverId === server && (pool === null || one.pool === pool);
  return (
    (pool !== null && !pools.some((one) => one.pool === pool)) ||
    (server !== null && !servers.some(isThere))
  );
}

startPage("Traffic");
spanButtons();
poolSelect.addEventListener("change", () =>
  choose({ pool: poolSelect.value || null, server: null }),
);
serverSelect.addEventListener("change", () => choose({ server: serverSelect.value || null }));
live.onFigures("bars", show);
live.onFigures("choices", showChoices);
live.onFigures("history", (figures) => history.take(figures));
live.onConnection(({ kind }) => kind === "live" && history.look(choice));
