// Pages in a real Chromium, watched for what no page may do: leave its origin,
// or write errors to the console.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

import { atTheEnd } from "./processes.js";

// Where Debian's package has it, and where others have theirs.
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// How long anything may take to appear: long, for machines that are busy.
const PATIENCE_MS = 20_000;

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

let launched = null;

async function browser() {
  launched ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place)),
    // Root in a container has no user namespaces to build a sandbox from.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  const running = await launched;
  return running;
}

atTheEnd(async () => {
  await (await launched)?.close();
});

// A page in a window of its own. `expects` are errors of the console that the
// test brings about: a browser writes one for each refused request. `first` is
// done with the page before it goes anywhere.
export async function open(gateway, path, { theme = "light", size = DESKTOP, expects = [], first } = {}) {
  const running = await browser();
  const context = await running.newContext({ colorScheme: theme, viewport: size, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const seen = { errors: [], foreign: [], files: [], bytes: () => bytesOf(seen.files) };
  page.on("console", (message) => {
    const isExpected = expects.some((pattern) => pattern.test(message.text()));
    if (message.type() === "error" && !isExpected) {
      seen.errors.push(message.text());
    }
  });
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== gateway.origin && url.protocol !== "data:" && url.protocol !== "blob:") {
      seen.foreign.push(request.url());
    }
  });
  page.on("response", (response) => {
    if (!new URL(response.url()).pathname.startsWith("/api/")) {
      seen.files.push(response);
    }
  });
  await first?.(page);
  await page.goto(`${gateway.origin}/${path}`);
  return { page, seen, close: () => leave(context, seen) };
}

// How large files are together, uncompressed.
async function bytesOf(files) {
  const bodies = await Promise.all(files.map((response) => response.body()));
  return bodies.reduce((sum, body) => sum + body.length, 0);
}

// Close a page, which must have kept to the rules.
async function leave(context, seen) {
  for (const page of context.pages()) {
    // An answer may be on its way to being altered.
    await page.unrouteAll({ behavior: "ignoreErrors" });
  }
  await context.close();
  assert.deepEqual(seen.errors, [], "errors on the console");
  assert.deepEqual(seen.foreign, [], "requests that leave the origin");
}

// Wait until something holds, looking again and again.
export async function eventually(what, holds, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  let last;
  for (;;) {
    try {
      last = await holds();
      if (last) {
        return last;
      }
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`never: ${what} (last: ${last})`);
    }
    await new Promise((later) => setTimeout(later, 50));
  }
}
