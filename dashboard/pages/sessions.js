// Sessions: how many are where, a page of them at a time, and the end of one.

import { ask, pathOf } from "../lib/api.js";
import { setText } from "../lib/dom.js";
import { poll } from "../lib/poll.js";
import { startPage } from "../lib/shell.js";
import { failed } from "../lib/toast.js";
import { Filters } from "./sessions/filters.js";
import { Paging } from "./sessions/paging.js";
import { Places } from "./sessions/places.js";
import { SessionList, whyNone } from "./sessions/session-list.js";

// How often sessions are asked for while they are shown.
const LOOK_MS = 2_000;

// Sessions of a page.
const LIMIT = 100;

const how = document.getElementById("how");
const filters = new Filters(() => choose(0));
const paging = new Paging(document.getElementById("paging"), (page) => choose(page));
const places = new Places((server) => filters.choose(server));
const list = new SessionList(document.getElementById("sessions"), reload);

// The page of the list that is shown, from 0, as the address has it from 1.
let page = pageOf(new URLSearchParams(location.search).get("page"));

// What was asked last: an answer to anything before that is too late.
let newest = 0;

// Ask for the counts and the page, and show them. What nobody waits for `isQuiet`.
async function load({ isQuiet }) {
  const question = (newest += 1);
  const query = { ...filters.query(), limit: LIMIT, offset: page * LIMIT };
  const [stats, { data: sessions, total }] = await Promise.all([
    ask("GET", pathOf(["session-stats"]), { isQuiet }),
    ask("GET", pathOf(["sessions"], query), { isQuiet }).catch(noneOfGone),
  ]);
  if (question !== newest) {
    return;
  }
  const last = Math.max(0, Math.ceil(total / LIMIT) - 1);
  if (page > last) {
    // The page has gone since it was opened.
    page = last;
    keepAddress();
    await load({ isQuiet });
    return;
  }
  show(stats.data, sessions, total);
}

// A pool or a server that was chosen and has gone has no sessions.
function noneOfGone(error) {
  if (error.status !== 404) {
    throw error;
  }
  return { data: [], total: 0 };
}

function show(stats, sessions, total) {
  const isFirst = !document.body.contains(list.element);
  filters.offer(stats.pools);
  places.show(stats);
  list.show(sessions, whyNone(stats, filters.isSet()));
  paging.show({ page, limit: LIMIT, total });
  setText(document.getElementById("order"), total > 1 ? "The newest first" : "");
  if (isFirst) {
    how.open = stats.sessions === 0;
  }
}

async function reload() {
  try {
    await load({ isQuiet: false });
  } catch (error) {
    failed(`The sessions could not be read: ${error.message}`);
  }
}

function choose(wanted) {
  page = wanted;
  keepAddress();
  reload();
}

// What is searched for may be an application's secret, and is kept out of the
// address.
function keepAddress() {
  const { pool, server } = filters.query();
  const said = Object.entries({ pool, server, page: page > 0 ? page + 1 : null });
  const query = new URLSearchParams(said.filter(([, value]) => value));
  window.history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
}

// What stands in an address somebody may have written.
function pageOf(text) {
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) - 1 : 0;
}

startPage("Sessions");
poll(() => load({ isQuiet: true }), LOOK_MS);
