// Events as they come, and the audit log: by kind, by time, by words.

import { get, pathOf } from "../lib/api.js";
import { element } from "../lib/dom.js";
import { inFrame } from "../lib/frames.js";
import { clock } from "../lib/format.js";
import { Listing } from "../lib/listing.js";
import { live } from "../lib/live.js";
import { startPage } from "../lib/shell.js";
import { Table } from "../lib/table.js";
import { failed } from "../lib/toast.js";

// Entries of the audit log that are asked for.
const LIMIT = 1000;

// Entries that the page keeps, since it may be open for days.
const KEPT = 3000;

const KINDS = [
  ["everything", () => true],
  ["health", ({ kind }) => kind === "health"],
  ["circuits", ({ kind }) => ["circuit", "panic"].includes(kind)],
  ["plugins", ({ kind }) => kind === "plugin"],
  ["changes", ({ kind }) => kind === "change"],
  ["names", ({ kind }) => kind === "dns"],
  ["cluster", ({ kind }) => kind === "cluster"],
  ["audit log", ({ kind }) => kind === "audit"],
];

const SPANS = [
  ["the beginning", Infinity],
  ["5 minutes ago", 5 * 60_000],
  ["an hour ago", 3_600_000],
  ["a day ago", 86_400_000],
];

const SIGNS = {
  health: "♥",
  circuit: "⊘",
  panic: "‼",
  plugin: "◆",
  change: "✎",
  dns: "⌕",
  cluster: "⁂",
  audit: "☰",
  missed: "…",
};

const [kind, since, search] = ["kind", "since", "search"].map((id) => document.getElementById(id));
const entries = new Map();
let isLoaded = false;

const table = new Table({
  caption: "Events",
  key: ({ key }) => key,
  isLog: true,
  order: { id: "time", descending: true },
  columns: [
    { id: "time", label: "Time", sort: ({ moment }) => moment, text: ({ at }) => clock(at) },
    {
      id: "kind",
      label: "Kind",
      sort: ({ kind: name }) => name,
      text: ({ kind: name }) => `${SIGNS[name]} ${name}`,
    },
    { id: "what", label: "What", isHead: true, wide: true, make: whatCell },
    { id: "who", label: "Who", long: true, sort: ({ who }) => who, text: ({ who }) => who },
  ],
});
const listing = new Listing(document.getElementById("events"), table);

// Of a version's digest enough is shown to tell it by; all of it is in the title.
function whatCell({ text, isBad }) {
  const brief = text.replaceAll(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, "$1");
  return { node: element("span", { class: isBad ? "bad-text" : null, title: text }, brief) };
}

// An event or an entry of the audit log, in the same words.
function entry(happened) {
  if (happened.kind === "audit") {
    const { sequence, at, who, from, action, target } = happened;
    return {
      key: `audit ${sequence}`,
      kind: "audit",
      at,
      who: from ? `${who} from ${from}` : who,
      text: `${action} ${target}`,
      isBad: false,
    };
  }
  if (happened.kind === "missed") {
    const text = `${happened.missed} events came too fast to be read`;
    return {
      key: `missed ${Date.now()}`,
      kind: "missed",
      at: new Date().toISOString(),
      who: "",
      text,
      isBad: true,
    };
  }
  const { id, at, message, status, circuit, panicking, outcome, happening } = happened;
  const isBad =
    status === "unhealthy" ||
    circuit === "open" ||
    panicking ||
    ["plugin", "cluster"].includes(happened.kind) ||
    (happened.kind === "dns" && happening === "failing") ||
    ["refused", "leftOut"].includes(outcome);
  return {
    key: id,
    kind: happened.kind,
    at,
    who: happened.serverId ?? happened.plugin ?? happened.pool ?? "",
    text: message,
    isBad,
  };
}

function take(happened) {
  const taken = entry(happened);
  const { key, at, text, who } = taken;
  const words = `${text} ${who} ${taken.kind}`.toLowerCase();
  // Read once, since all of them are sorted and searched with each that comes.
  entries.set(key, { ...taken, moment: Date.parse(at), words });
  if (entries.size > KEPT) {
    entries.delete(entries.keys().next().value);
  }
}

function show() {
  if (!isLoaded) {
    return;
  }
  const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const [, isKind] = KINDS[kind.selectedIndex];
  const from = Date.now() - SPANS[since.selectedIndex][1];
  const shown = [...entries.values()].filter(
    (one) =>
      isKind(one) && one.moment >= from && terms.every((term) => one.words.includes(term)),
  );
  const why =
    entries.size === 0
      ? "Nothing has happened yet. Events appear here as they do."
      : "No event fits.";
  listing.show(shown, why);
}

async function loadAudit() {
  try {
    const log = await get(pathOf(["audit"], { limit: LIMIT }));
    log.reverse().forEach((one) => take({ kind: "audit", ...one }));
  } catch (error) {
    failed(`The audit log could not be read: ${error.message}`);
  }
  isLoaded = true;
  show();
}

startPage("Events", { fromEarlier: true });
kind.append(...KINDS.map(([name]) => element("option", {}, name)));
since.append(...SPANS.map(([name]) => element("option", {}, name)));
search.addEventListener("input", show);
[kind, since].forEach((select) => select.addEventListener("change", show));
live.onEvent((happened) => {
  take(happened);
  inFrame("events", show);
});
loadAudit();
