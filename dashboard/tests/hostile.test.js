// What strangers may write: labels, log lines, paths, reasons. It is shown as the
// text that it is, and a policy of the page's own stands behind that.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DESKTOP, PHONE, eventually, open } from "./support/browser.js";
import { Backend, build } from "./support/gateway.js";
import { PAGES, altered, isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

const HOSTILE = `<img src="x" onerror="window.isTaken = true">`;

let gateway;
before(async () => {
  ({ gateway } = await world());
});
after(endAll);

// That the text stands there, as text.
async function isHarmless(page, place) {
  await place.getByText(HOSTILE).first().waitFor();
  assert.equal(await page.locator("img[src=x]").count(), 0);
  assert.equal(await page.evaluate(() => window.isTaken), undefined);
}

test("a server's label is text", async () => {
  const server = await Backend.start();
  await gateway.ask("POST", "servers", { pool: "web", host: server.host, port: Number(server.port), labels: { zone: HOSTILE } });
  const { page, close } = await open(gateway, "");
  await page.getByRole("button", { name: `Details of ${server.address}` }).click();
  await isHarmless(page, page.getByRole("dialog", { name: server.address }));
  await close();
});

test("what a plugin writes is text", async () => {
  const { page, close } = await open(gateway, "plugins#path-router", {
    first: (page) =>
      altered(page, /plugins\/path-router\/logs/, (data) => {
        data.entries = [{ at: new Date().toISOString(), binding: "-/router", part: "active", level: "info", message: HOSTILE }];
      }),
  });
  await isHarmless(page, page.getByRole("list", { name: "Log of path-router" }));
  await close();
});

test("a request's path is text, and what was decided about it", async () => {
  const { page, close } = await open(gateway, "requests", {
    first: (page) =>
      altered(page, /api\/explain/, ([newest]) => {
        newest.url = `/${HOSTILE}`;
        newest.authority = HOSTILE;
        newest.decisions[0].reason = HOSTILE;
      }),
  });
  // A page that is paused before it has looked once shows nothing.
  await isHarmless(page, page.getByRole("table", { name: "Requests" }));
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("table", { name: "Requests" }).getByRole("button", { name: HOSTILE }).first().click();
  const dialog = page.getByRole("dialog");
  await isHarmless(page, dialog.getByRole("definition"));
  await isHarmless(page, dialog.getByRole("table"));
  await close();
});

// A tablet: the narrowest screen on which tables are tables, or nearly.
const TABLET = { width: 1_100, height: 800 };

test("the longest names and paths move nothing out of sight", async () => {
  const [name, host] = ["W".repeat(64), `${"h".repeat(60)}.`.repeat(4)];
  await gateway.ask("POST", `plugins?name=${name}`, new Uint8Array(await build("round-robin", "long")));
  await gateway.ask("POST", "servers", { pool: "web", host: host.slice(0, -1), port: 9 });
  await gateway.ask("POST", "pools", { pool: name, algorithm: name, servers: [{ host: "127.0.0.1", port: 9 }] });
  for (const size of [DESKTOP, TABLET, PHONE]) {
    for (const { path } of [...PAGES, { path: `plugins#${name}` }]) {
      const { page, close } = await open(gateway, path, { size });
      await isLive(page);
      if (path === "requests") {
        await page.getByRole("searchbox", { name: "Search" }).fill("/long");
        await eventually("a request with a long path is shown", async () => {
          await fetch(`http://${gateway.address}/long${"g".repeat(3_000)}`);
          return (await page.getByRole("button", { name: /long/ }).count()) > 0;
        });
      }
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= size.width, `${path} is ${width} pixels wide at ${size.width}`);
      await close();
    }
  }
});

test("no text becomes markup or script, even for a page that asked for it", async () => {
  const { page, close } = await open(gateway, "", { expects: [/TrustedHTML|TrustedScript/] });
  const asMarkup = page.evaluate((text) => document.body.insertAdjacentHTML("beforeend", text), HOSTILE);
  await assert.rejects(asMarkup, /TrustedHTML/);
  const asScript = page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.isTaken = true";
    document.body.append(script);
  });
  await assert.rejects(asScript, /TrustedScript/);
  assert.equal(await page.evaluate(() => window.isTaken), undefined);
  await close();
});
