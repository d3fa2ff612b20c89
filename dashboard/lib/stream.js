// The live stream: read for as long as the page wants it, taken up again where
// it broke off.

import { NO_ANSWER, refusalOf } from "./http.js";
import { EventParser } from "./sse.js";
import { authorization } from "./token.js";

// A gateway that lives sends figures every second.
const SILENCE_MS = 6_000;

// Pauses between attempts: double each time, half to all of that by chance, so
// that a gateway that comes back is not asked by all pages at once.
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

// Follow the stream until `signal` aborts. `tell` is told of `{kind}`:
// `connecting`, `live`, `waiting` (with `until`, and `reason`), `locked`; and
// `onEvent` of every event. `skipPause` is a function that is given one which
// ends the pause. With `lastId`, what happened since is told first.
export async function follow({ signal, lastId = null, tell, onEvent, skipPause }) {
  let failures = 0;
  while (!signal.aborted) {
    tell({ kind: "connecting" });
    const reason = await read({ signal, lastId }, (event) => {
      if (failures >= 0) {
        failures = -1;
        tell({ kind: "live" });
      }
      lastId = event.id ?? lastId;
      onEvent(event);
    });
    if (signal.aborted) {
      return;
    }
    if (reason.status === 401) {
      tell({ kind: "locked", reason: reason.message });
      return;
    }
    failures = Math.max(failures, 0) + 1;
    const pause = pauseAfter(failures, reason.retryAfter);
    tell({ kind: "waiting", until: Date.now() + pause, reason: reason.message });
    await sleep(pause, signal, skipPause);
  }
}

function pauseAfter(failures, retryAfter) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return Math.max(longest * (0.5 + Math.random() / 2), retryAfter * 1000);
}

function sleep(milliseconds, signal, skipPause) {
  return new Promise((over) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      over();
    };
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake);
    skipPause(wake);
  });
}

// One connection, to its end; the answer is why it ended.
async function read({ signal, lastId }, onEvent) {
  const connection = new AbortController();
  const end = () => connection.abort();
  signal.addEventListener("abort", end, { once: true });
  let silence = setTimeout(end, SILENCE_MS);
  try {
    const headers = { accept: "text/event-stream", ...authorization() };
    if (lastId) {
      headers["last-event-id"] = lastId;
    }
    const response = await fetch("api/stream", {
      headers,
      cache: "no-store",
      signal: connection.signal,
    });
    if (!response.ok) {
      const { status } = response;
      const { message } = refusalOf({ status, body: await response.json().catch(() => null) });
      return { status, message, retryAfter: Number(response.headers.get("retry-after") ?? 0) };
    }
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
      parser.feed(chunk.value).forEach(onEvent);
    }
    return { message: "The gateway ended the stream.", retryAfter: 0 };
  } catch {
    return { message: NO_ANSWER.message, retryAfter: 0 };
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", end);
    connection.abort();
  }
}
