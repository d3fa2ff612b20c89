// What a plugin takes of the workers' time, what it says of itself, and who has
// signed it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import axe from "axe-core";

import { eventually, open } from "./support/browser.js";
import { described } from "./support/gateway.js";
import { altered } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { alterFigures, canAlter } from "./support/stream.js";
import { world } from "./support/world.js";

const SEAT = "web/balancer";
const PLUGIN = "round-robin";

let gateway;
before(async () => {
  ({ gateway } = await world());
});
after(endAll);

const seat = (page, name = SEAT) => page.getByRole("region", { name, exact: true });

// What a seat says under a name.
const figure = (page, name) => seat(page).locator("div").filter({ has: page.getByRole("term").filter({ hasText: name }) }).getByRole("definition").last();

test("a seat tells what its plugin takes of the workers' time", async () => {
  const { page, close } = await open(gateway, "plugins");
  await seat(page).waitFor();
  for (const name of ["Workers’ time", "Busiest worker"]) {
    await eventually(`${name} is told`, async () => /^(< )?[\d.]+ %$/.test(await figure(page, name).innerText()));
  }
  await close();
});

test("an alarm is seen in colour and words, in the seat, the picture and the details", async () => {
  await gateway.ask("PUT", `bindings/${SEAT}`, { cpuAlarm: 7, cpuShare: 9 });
  for (const theme of ["light", "dark"]) {
    const { page, close } = await open(gateway, `plugins#${PLUGIN}`, {
      theme,
      first: async (page) => {
        await canAlter(page);
        await altered(page, /round-robin\/stats/, ({ bindings }) => {
          Object.assign(bindings.find(({ binding }) => binding === SEAT), { heavy: true, capping: true, capped: 77 });
        });
      },
    });
    const [heavy, capped] = ["▲ heavy: it takes more of a worker’s time than its alarm of 7 %", "▲ capped: it has used up its 9 % of a worker’s time"];
    const detail = seat(page, PLUGIN);
    for (const words of [heavy, capped, "77 given away", "heavy beyond 7 %, 9 % at most"]) {
      await detail.getByText(words).waitFor();
    }
    assert.equal(await seat(page).getByText(/▲/).count(), 0);
    await alterFigures(page, { binding: SEAT, heavy: true, capping: true });
    const told = seat(page).getByRole("status");
    await told.getByText(heavy).waitFor();
    await told.getByText(capped).waitFor();
    const lane = page.getByRole("list", { name: "In pool web" });
    await lane.getByText("▲ heavy, ▲ capped").waitFor();
    const colour = (place) => place.evaluate((one) => getComputedStyle(one).color);
    const usual = await colour(seat(page).getByRole("definition").first());
    assert.notEqual(await colour(told.getByText(heavy)), usual);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["color-contrast", "aria-allowed-role", "list", "listitem"] }));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id} ${nodes[0].target}`), []);
    await alterFigures(page, { binding: SEAT, heavy: false, capping: false });
    await told.getByText(heavy).waitFor({ state: "detached" });
    await close();
  }
  await gateway.ask("PUT", `bindings/${SEAT}`, { cpuAlarm: 25, cpuShare: null });
});

test("a version shows what it says of itself, and its homepage leads out of the page's sight", async () => {
  const bytes = await described("weighted", {
    version: "1.4.2",
    description: "Shares by weight, as text <b>alone</b>.",
    homepage: "https://plugins.example/weighted",
  });
  const { version } = await gateway.ask("POST", "plugins?name=told", new Uint8Array(bytes));
  const { page, close } = await open(gateway, "plugins#told");
  const row = seat(page, "told").getByRole("row").filter({ hasText: version.slice(0, 8) });
  await row.getByText("1.4.2").waitFor();
  await row.getByText("Shares by weight, as text <b>alone</b>.").waitFor();
  const link = row.getByRole("link", { name: "https://plugins.example/weighted" });
  assert.equal(await link.getAttribute("href"), "https://plugins.example/weighted");
  assert.equal(await link.getAttribute("rel"), "noopener noreferrer");
  await page.getByRole("table", { name: "Plugins" }).getByText("Shares by weight").waitFor();
  await close();
});

test("a version shows who has signed it and where it was fetched; what is no address of the web is no link", async () => {
  const reference = `registry.example/team/weighted@sha256:${"a".repeat(64)}`;
  const { page, close } = await open(gateway, "plugins#weighted", {
    first: (page) =>
      altered(page, /api\/plugins\/weighted$/, ({ versions: [version] }) => {
        const about = { ...version.about, homepage: "javascript:window.isTaken=true" };
        Object.assign(version, { signedBy: "C0FFEE0123456789", reference, about });
      }),
  });
  const table = seat(page, "weighted").getByRole("table", { name: "Versions of weighted" });
  await table.getByText("C0FFEE0123456789").waitFor();
  await table.getByText(`fetched from ${reference}`).waitFor();
  await table.getByText("javascript:window.isTaken=true").waitFor();
  assert.equal(await table.getByRole("link").count(), 0);
  await close();
});
