// What the script of each page takes of a frame, as Chromium's own trace tells:
// `node frames.js ORIGIN` prints a line of JSON.

import { open } from "./support/browser.js";
import { PAGES, isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";

// How long each page is watched, after what is done once at its beginning.
const SETTLE_MS = 4_000;
const WATCH_MS = 12_000;

// A frame of a screen that shows sixty a second, in microseconds.
const FRAME_US = 1_000_000 / 60;

const CATEGORIES = ["devtools.timeline", "devtools.timeline.frame", "v8", "v8.execute"];

// Where the trace has script; one may lie within another.
const SCRIPT = new Set(["v8.callFunction", "FunctionCall", "RunMicrotasks", "EvaluateScript"]);
const FRAMES = new Set(["BeginMainThreadFrame", "BeginFrame"]);

const [origin] = process.argv.slice(2);

async function watch({ path, name }) {
  const { page, close } = await open({ origin }, path);
  await isLive(page);
  await page.waitForTimeout(SETTLE_MS);
  const running = page.context().browser();
  await running.startTracing(page, { categories: CATEGORIES });
  await page.waitForTimeout(WATCH_MS);
  const trace = JSON.parse(await running.stopTracing());
  await close();
  return { name, ...figures(perFrame(trace.traceEvents)) };
}

// Milliseconds of script in each frame that had any.
function perFrame(events) {
  const script = events.filter(({ ph, name }) => ph === "X" && SCRIPT.has(name));
  const thread = busiest(script);
  const isOwn = ({ pid, tid }) => `${pid} ${tid}` === thread;
  const begins = events.filter((one) => isOwn(one) && FRAMES.has(one.name)).map(({ ts }) => ts).sort((one, other) => one - other);
  const sums = new Map();
  let end = 0;
  let frame = 0;
  for (const { ts, dur, tdur } of script.filter(isOwn).sort((one, other) => one.ts - other.ts)) {
    // What lies within another has been counted with it.
    if (ts < end) {
      continue;
    }
    end = ts + dur;
    while (frame < begins.length && begins[frame] <= ts) {
      frame += 1;
    }
    // A page at rest begins no frame; a new one would have begun all the same.
    const since = Math.floor((ts - (begins[frame - 1] ?? 0)) / FRAME_US);
    const key = `${frame} ${since}`;
    sums.set(key, (sums.get(key) ?? 0) + (tdur ?? dur) / 1000);
  }
  return [...sums.values()];
}

// The thread that runs most script: the page's own.
function busiest(script) {
  const counts = new Map();
  for (const { pid, tid } of script) {
    const thread = `${pid} ${tid}`;
    counts.set(thread, (counts.get(thread) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one)[0]?.[0];
}

function figures(milliseconds) {
  const sorted = milliseconds.sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { frames: sorted.length, median_ms: at(0.5), p99_ms: at(0.99), longest_ms: sorted.at(-1) ?? 0 };
}

try {
  const found = [];
  for (const page of PAGES) {
    found.push(await watch(page));
  }
  console.log(JSON.stringify(found));
} finally {
  await endAll();
}
