// Circuits: a server whose requests fail is told apart at a glance, and so is a
// pool in which too few are well.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration, traffic } from "./support/gateway.js";
import { cell, pool, rowOf } from "./support/management.js";
import { endAll } from "./support/processes.js";
import { canAlter, withhold } from "./support/stream.js";

// Long enough to be looked at, and soon over.
const BREAKER = 'breaker = { open_time = "1s", max_open_time = "2s" }\n';

let gateway, good, other, bad;
before(async () => {
  [good, other, bad] = await Promise.all([Backend.start(), Backend.start(), Backend.start("--error-rate", "1")]);
  const servers = [good, other, bad].map((server) => server.address);
  const text = configuration({ web: servers });
  gateway = await Gateway.start(text.replace("[pools.web]\n", `[pools.web]\npanic_threshold = 70\n${BREAKER}`));
});
after(endAll);

const isOut = /circuit (half-)?open/;

describe("a server that answers with errors", () => {
  test("is told apart by its circuit before the next figures, though its checks find it well", async () => {
    const { page, close } = await open(gateway, "", { first: canAlter });
    const row = rowOf(page, bad);
    assert.equal((await gateway.get(`servers/${bad.address}`)).circuit, "closed");
    await eventually("it is well", async () => /healthy/.test(await cell(page, row, "Health")));
    await withhold(page, true);
    const clients = await traffic(gateway, { rate: 60, path: "/products" });
    await eventually("its circuit is open", async () => isOut.test(await cell(page, row, "Health")));
    const [colour, usual] = await Promise.all([bad, good].map((server) =>
      rowOf(page, server).locator(".state").evaluate((node) => getComputedStyle(node).color)));
    assert.notEqual(colour, usual);
    await withhold(page, false);
    await pool(page, "web").getByText("panicking: all servers get requests").waitFor();
    await pool(page, "web").getByText("2 of 3 servers").waitFor();
    assert.ok(clients, "they ask on");
    await close();
  });

  test("is told of on a phone, and in the details of the server", async () => {
    const { page, close } = await open(gateway, "", { size: PHONE });
    const row = rowOf(page, bad);
    const mark = row.getByText(isOut);
    await mark.waitFor();
    const box = await mark.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= PHONE.width, "it is on the screen");
    await row.getByRole("button", { name: `Details of ${bad.address}` }).press("Enter");
    const dialog = page.getByRole("dialog", { name: bad.address });
    await dialog.getByText(/open, opened/).waitFor();
    await dialog.getByText("healthy", { exact: true }).waitFor();
    await close();
  });

  test("has a bar of its own kind, and events that say why", async () => {
    const { page, close } = await open(gateway, "traffic");
    await page.locator("#states").getByText(isOut).waitFor();
    const bar = page.locator(".bars li").filter({ hasText: bad.address });
    await bar.getByText(isOut).waitFor({ state: "attached" });
    await page.goto(`${gateway.origin}/events`);
    await page.getByText(/circuit of .* is open: .* in a row/).first().waitFor();
    await page.getByText(/servers of pool web are well/).first().waitFor();
    await close();
  });

  test("is as the others again when it answers", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, bad);
    await bad.running.kill();
    await bad.again();
    await eventually("it is well", async () => /● healthy/.test(await cell(page, row, "Health")));
    await eventually("it gets requests", async () => parseFloat(await cell(page, row, "Requests/s")) > 5);
    await pool(page, "web").getByText(/panicking/).waitFor({ state: "detached" });
    await close();
  });
});
