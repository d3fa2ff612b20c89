// Events as they come, and the audit log.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

let gateway, a, b;
before(async () => {
  ({ gateway, a, b } = await world());
});
after(endAll);

const rows = (page) => page.getByRole("table", { name: "Events" }).getByRole("row").filter({ has: page.getByRole("rowheader") });

test("what was done before the page was opened is there, and who did it", async () => {
  await gateway.ask("PUT", `servers/${a.address}/weight`, { weight: 2 });
  const { page, close } = await open(gateway, "events");
  const entry = rows(page).filter({ hasText: "server.weight" }).filter({ hasText: a.address });
  await entry.filter({ hasText: "anonymous" }).first().waitFor();
  await close();
});

test("what happens comes by itself, and is filtered by kind, words and time", async () => {
  const { page, close } = await open(gateway, "events");
  await rows(page).first().waitFor();
  const change = rows(page).filter({ hasText: b.address }).filter({ hasText: "unhealthy" });
  const count = await change.count();
  await b.running.kill();
  await eventually("its fall is told", async () => (await change.count()) > count);
  await b.again();
  await page.getByRole("combobox", { name: "Kind" }).selectOption("health");
  await rows(page).filter({ hasText: "audit" }).first().waitFor({ state: "detached" });
  const shown = await rows(page).allInnerTexts();
  assert.ok(shown.length > 0 && shown.every((text) => text.includes("health")), shown[0]);
  await page.getByRole("searchbox", { name: "Search" }).fill("no such words");
  await page.getByText("No event fits.").waitFor();
  await page.getByRole("searchbox", { name: "Search" }).fill(b.address);
  await change.first().waitFor();
  await page.getByRole("combobox", { name: "Since" }).selectOption("5 minutes ago");
  await change.first().waitFor();
  await close();
});

test("a change that is refused is none, and one that is made is told", async () => {
  const { page, close } = await open(gateway, "events");
  await rows(page).first().waitFor();
  const changes = rows(page).filter({ hasText: "server.weight" });
  await gateway.ask("PUT", `servers/${a.address}/weight`, { weight: 6 });
  const known = (await gateway.get("audit")).filter(({ action }) => action === "server.weight").length;
  await eventually("all that there are have come", async () => (await changes.count()) === known);
  await assert.rejects(gateway.ask("PUT", `servers/${a.address}/weight`, { weight: 70_000 }));
  await gateway.ask("PUT", "algorithm", { pool: "web", algorithm: "ip_hash" });
  // Events come in their order: what comes after it would have followed it.
  await rows(page).filter({ hasText: "algorithm" }).first().waitFor();
  assert.equal(await changes.count(), known, "what never was is no event");
  await close();
});

test("whoever comes late has missed nothing", async () => {
  for (let round = 0; round < 140; round += 1) {
    await gateway.ask("PUT", `servers/${a.address}/weight`, { weight: 2 + (round % 2) });
  }
  const { page, close } = await open(gateway, "events");
  await page.getByRole("combobox", { name: "Kind" }).selectOption("changes");
  await rows(page).first().waitFor();
  await page.getByRole("combobox", { name: "Kind" }).selectOption("everything");
  await rows(page).filter({ hasText: "server.weight" }).first().waitFor();
  assert.equal(await rows(page).filter({ hasText: "missed" }).count(), 0);
  await close();
});
