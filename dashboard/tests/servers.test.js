// Servers: everything that an operator does with one, by hand.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { PHONE, eventually, open } from "./support/browser.js";
import { Backend } from "./support/gateway.js";
import { REFUSED, cell, described, rowOf, toast, undo } from "./support/management.js";
import { endAll } from "./support/processes.js";
import { canAlter, withhold } from "./support/stream.js";
import { world } from "./support/world.js";

let gateway, a, b, c;
before(async () => {
  ({ gateway, a, b, c } = await world());
});
after(endAll);

const declaredWeight = async (server) => (await gateway.get(`servers/${server.address}`)).weight;

async function add(page, server) {
  await page.getByRole("button", { name: "Add server to web" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a server to web" });
  await dialog.getByLabel("Host").fill(server.host);
  await dialog.getByLabel("Port").fill(server.port);
  await dialog.getByRole("button", { name: "Add server" }).click();
  await dialog.waitFor({ state: "detached" });
}

describe("a server", () => {
  test("that is added gets its share, and goes again by Undo", async () => {
    const { page, close } = await open(gateway, "");
    const server = await Backend.start();
    await rowOf(page, a).waitFor();
    await add(page, server);
    await eventually("it gets requests", async () => parseFloat(await cell(page, rowOf(page, server), "Requests/s")) > 5);
    assert.equal((await cell(page, rowOf(page, server), "Health")).trim(), "● healthy");
    await undo(page);
    await rowOf(page, server).waitFor({ state: "detached" });
    await close();
  });

  test("that cannot be added is told beside the field that is wrong", async () => {
    const { page, close } = await open(gateway, "", { expects: [REFUSED] });
    await page.getByRole("button", { name: "Add server to web" }).click();
    const dialog = page.getByRole("dialog");
    const port = dialog.getByLabel("Port");
    await dialog.getByRole("button", { name: "Add server" }).click();
    assert.match(await described(dialog.getByLabel("Host")), /host or an address/);
    await dialog.getByLabel("Host").fill("127.0.0.1");
    await port.fill("70000");
    await dialog.getByRole("button", { name: "Add server" }).click();
    await eventually("the port is blamed", async () => /65535/.test(await described(port)));
    assert.equal(await port.getAttribute("aria-invalid"), "true");
    // What is no number reaches the API as it was typed.
    await port.evaluate((input) => {
      input.type = "text";
    });
    await port.fill("http");
    await dialog.getByRole("button", { name: "Add server" }).click();
    await eventually("what came and what to write is told", async () =>
      /"http" does not fit here; write a whole number from 0 to 65535/.test(await described(port)));
    // The API's own range, told in its own words.
    await port.fill("3000");
    await dialog.getByLabel("Weight").fill("-1");
    await dialog.getByRole("button", { name: "Add server" }).click();
    await eventually("the weight is blamed", async () => /from 0 to 65535/.test(await described(dialog.getByLabel("Weight"))));
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    await close();
  });

  test("that is drained takes no new work, and is enabled again", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, b);
    await row.getByRole("button", { name: `Drain ${b.address}` }).click();
    await eventually("it is draining", async () => /draining/.test(await cell(page, row, "Health")));
    await eventually("it gets nothing", async () => /^0(\.0+)?$/.test((await cell(page, row, "Requests/s")).trim()));
    assert.equal((await cell(page, row, "Median")).trim(), "–", "a second without answers has no times");
    await row.getByRole("button", { name: `Enable ${b.address}` }).click();
    await eventually("it gets requests", async () => parseFloat(await cell(page, row, "Requests/s")) > 5);
    await close();
  });

  test("has another weight as soon as it is written, and the old one by Undo", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, c);
    await row.getByRole("button", { name: `Change the weight of ${c.address}, 1` }).click();
    const input = row.getByRole("textbox", { name: `Weight of ${c.address}` });
    await input.fill("many");
    await input.press("Enter");
    await row.getByRole("alert").filter({ hasText: "whole number" }).waitFor();
    await input.fill("3");
    await input.press("Enter");
    await row.getByRole("button", { name: `Change the weight of ${c.address}, 3` }).waitFor();
    assert.equal(await declaredWeight(c), 3);
    await undo(page);
    await row.getByRole("button", { name: `Change the weight of ${c.address}, 1` }).waitFor();
    assert.equal(await declaredWeight(c), 1);
    await close();
  });

  test("has another weight on a phone, whose keyboard has no Enter", async () => {
    const { page, close } = await open(gateway, "", { size: PHONE });
    const row = rowOf(page, c);
    await row.getByRole("button", { name: /^Change the weight/ }).click();
    const input = row.getByRole("textbox", { name: `Weight of ${c.address}` });
    await input.fill("many");
    await row.getByRole("button", { name: "Set" }).click();
    const [field, told] = await Promise.all([input.boundingBox(), row.getByRole("alert").boundingBox()]);
    assert.ok(told.y >= field.y + field.height, "what is wrong stands below the field");
    assert.ok(told.x >= 0 && told.x + told.width <= PHONE.width, "and on the screen");
    await input.fill("4");
    await row.getByRole("button", { name: "Set" }).click();
    await row.getByRole("button", { name: `Change the weight of ${c.address}, 4` }).waitFor();
    await undo(page);
    await row.getByRole("button", { name: `Change the weight of ${c.address}, 1` }).waitFor();
    await close();
  });

  test("is removed when that is confirmed, and comes back by Undo", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, b);
    const ask = () => row.getByRole("button", { name: `Remove ${b.address}` }).click();
    const dialog = page.getByRole("dialog", { name: `Remove ${b.address}?` });
    await ask();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    assert.equal(await row.count(), 1);
    await ask();
    await dialog.getByRole("button", { name: "Remove server" }).click();
    await row.waitFor({ state: "detached" });
    await undo(page);
    await row.waitFor();
    await close();
  });

  test("is removed and brought back by the keyboard alone", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, b);
    await row.getByRole("button", { name: `Remove ${b.address}` }).focus();
    for (const key of ["Enter", "Tab", "Enter"]) {
      await page.keyboard.press(key);
    }
    await row.waitFor({ state: "detached" });
    const focus = await page.evaluate(() => document.activeElement.ariaLabel);
    assert.equal(focus, `Details of ${c.address}`, "the focus is where the server was");
    await page.keyboard.press("Control+z");
    await row.waitFor();
    await close();
  });

  test("has one way back at a time: to what was before the last change", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, b);
    await row.getByRole("button", { name: `Drain ${b.address}` }).click();
    await page.getByRole("status").getByText(`${b.address} takes no new work of web.`).waitFor();
    await row.getByRole("button", { name: `Enable ${b.address}` }).click();
    await page.getByRole("status").getByText(`${b.address} takes work of web again`).waitFor();
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 1);
    await close();
  });

  test("that was draining and removed comes back draining, checked as its pool is", async () => {
    const { page, close } = await open(gateway, "");
    const row = rowOf(page, b);
    await gateway.ask("POST", `servers/${b.address}/drain`);
    await row.getByText("draining", { exact: true }).waitFor();
    await row.getByRole("button", { name: `Remove ${b.address}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove server" }).click();
    await row.waitFor({ state: "detached" });
    await undo(page);
    await row.getByText("draining", { exact: true }).waitFor();
    await gateway.ask("PUT", "pools/web", { healthCheckInterval: 0.3 });
    const known = await gateway.get(`servers/${b.address}`);
    assert.equal(known.draining, true);
    assert.equal(known.healthCheckInterval, 0.3, "the pool's checks are its own");
    await gateway.ask("PUT", "pools/web", { healthCheckInterval: 0.25 });
    await gateway.ask("POST", `servers/${b.address}/enable`);
    await close();
  });

  test("that somebody else has changed since is left as it is by Undo, which says so", async () => {
    const { page, close } = await open(gateway, "", { expects: [REFUSED] });
    const row = rowOf(page, c);
    await row.getByRole("button", { name: `Drain ${c.address}` }).click();
    await toast(page).waitFor();
    await gateway.ask("PUT", `servers/${c.address}/weight`, { weight: 4 });
    await undo(page);
    await page.getByRole("alert").filter({ hasText: "the configuration has been changed since" }).waitFor();
    const { draining, weight } = await gateway.get(`servers/${c.address}`);
    assert.deepEqual({ draining, weight }, { draining: true, weight: 4 });
    await gateway.ask("POST", `servers/${c.address}/enable`);
    await gateway.ask("PUT", `servers/${c.address}/weight`, { weight: 1 });
    await close();
  });

  test("that is as it was offers no Undo, which would undo somebody else's change", async () => {
    const { page, close } = await open(gateway, "");
    const drain = rowOf(page, c).getByRole("button", { name: `Drain ${c.address}` });
    await drain.waitFor();
    // What a paused page shows is old.
    await page.getByRole("button", { name: "Pause" }).click();
    await gateway.ask("POST", `servers/${c.address}/drain`);
    await drain.click();
    await page.getByText(`${c.address} takes no new work of web.`).waitFor();
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
    await gateway.ask("POST", `servers/${c.address}/enable`);
    await close();
  });

  test("that is killed turns red before the next figures, and is well again when it is back", async (context) => {
    const { page, close } = await open(gateway, "", { first: canAlter });
    const row = rowOf(page, a);
    await eventually("it is healthy", async () => /healthy/.test(await cell(page, row, "Health")));
    await withhold(page, true);
    const began = performance.now();
    await a.running.kill();
    await row.getByText("unhealthy", { exact: true }).waitFor();
    context.diagnostic(`red after ${Math.round(performance.now() - began)} ms`);
    await withhold(page, false);
    await a.again();
    await row.getByText("healthy", { exact: true }).waitFor();
    await close();
  });

  test("tells about itself", async () => {
    const { page, close } = await open(gateway, "");
    await rowOf(page, a).getByRole("button", { name: `Details of ${a.address}` }).click();
    const dialog = page.getByRole("dialog", { name: a.address });
    await dialog.getByText("GET /health every").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await close();
  });
});
