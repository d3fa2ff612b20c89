// Pools and servers: everything that an operator changes, by hand.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { canAlter, hide, withhold } from "./support/stream.js";
import { world } from "./support/world.js";

// A browser says so of every answer that refuses.
const REFUSED = /status of 4\d\d/;

let gateway, a, b, c, d;
before(async () => {
  ({ gateway, a, b, c, d } = await world());
});
after(endAll);

const pool = (page, name) => page.getByRole("region", { name, exact: true });
const rowOf = (page, server, name = "web") => pool(page, name).getByRole("row").filter({ hasText: server.address });
const toast = (page) => page.getByRole("status").filter({ has: page.getByRole("button", { name: "Undo" }) }).last();
const undo = (page) => toast(page).getByRole("button", { name: "Undo" }).last().click();

// What a column says of a server.
async function cell(page, row, column) {
  const heads = await page.getByRole("columnheader").allInnerTexts();
  const index = heads.findIndex((head) => head.toLowerCase().startsWith(column.toLowerCase()));
  return row.getByRole("rowheader").or(row.getByRole("cell")).nth(index).innerText();
}

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

describe("a pool", () => {
  test("has another algorithm when one is chosen, and the old one by Undo", async () => {
    const { page, close } = await open(gateway, "");
    const choice = pool(page, "web").getByRole("combobox", { name: "Algorithm" });
    await rowOf(page, a).waitFor();
    await eventually("there is a choice", async () => (await choice.locator("option").count()) > 3);
    await choice.selectOption("power_of_two");
    await page.getByRole("button", { name: "Apply the algorithm to web" }).click();
    await eventually("it is set", async () => (await gateway.get("algorithm?pool=web")).algorithm === "power_of_two");
    await undo(page);
    await eventually("it is back", async () => (await gateway.get("algorithm?pool=web")).algorithm === "round_robin");
    await close();
  });

  test("shows who decides in it, though that changes before its choices have come", async () => {
    let goOn;
    const isBound = new Promise((resolve) => {
      goOn = resolve;
    });
    const hold = async (route) => {
      await isBound;
      await route.continue();
    };
    const { page, close } = await open(gateway, "", { first: (page) => page.route(/api\/algorithms$/, hold) });
    const algorithm = page.getByRole("region", { name: "api" }).getByRole("combobox", { name: "Algorithm" });
    const isShown = (name) => eventually(`${name} is shown`, async () => (await algorithm.inputValue()) === name);
    await isShown("round_robin");
    await gateway.ask("PUT", "algorithm", { pool: "api", algorithm: "weighted" });
    await isShown("weighted");
    goOn();
    await algorithm.locator("option", { hasText: "ip hash" }).waitFor({ state: "attached" });
    await isShown("weighted");
    assert.equal(await page.getByRole("button", { name: "Apply the algorithm to api" }).count(), 0);
    await close();
  });

  test("has no algorithm that the keyboard only passes by", async () => {
    const { page, close } = await open(gateway, "", { expects: [REFUSED] });
    const changes = [];
    page.on("request", (request) => request.method() === "PUT" && changes.push(request.postDataJSON()));
    const choice = pool(page, "web").getByRole("combobox", { name: "Algorithm" });
    const apply = page.getByRole("button", { name: "Apply the algorithm to web" });
    await eventually("there is a choice", async () => (await choice.locator("option").count()) > 3);
    const before = await choice.inputValue();
    await choice.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const chosen = await choice.inputValue();
    assert.notEqual(chosen, before);
    await page.keyboard.press("Escape");
    await apply.waitFor({ state: "hidden" });
    assert.equal(await choice.inputValue(), before);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const wanted = await choice.inputValue();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await eventually("it is in force", async () => (await gateway.get("algorithm?pool=web")).algorithm === wanted);
    assert.deepEqual(changes, [{ pool: "web", algorithm: wanted }]);
    await apply.waitFor({ state: "hidden" });
    // What is refused is not shown as if it were so.
    await page.route("**/api/algorithm", (route) =>
      route.fulfill({ status: 422, json: { success: false, error: { code: "invalid", message: "not here" } } }));
    await choice.selectOption(before);
    await apply.click();
    await page.getByRole("alert").filter({ hasText: "not here" }).waitFor();
    assert.equal(await choice.inputValue(), wanted);
    await gateway.ask("PUT", "algorithm", { pool: "web", algorithm: before });
    await close();
  });

  test("keeps its settings when somebody else was quicker, or when one is emptied", async () => {
    const { page, close } = await open(gateway, "", { expects: [REFUSED] });
    await page.getByRole("button", { name: "Settings of web" }).click();
    const dialog = page.getByRole("dialog", { name: "Settings of web" });
    await dialog.getByLabel("Connect timeout").fill("");
    await dialog.getByRole("button", { name: "Save" }).click();
    assert.match(await described(dialog.getByLabel("Connect timeout")), /cannot be empty/);
    const { connectTimeout, maxRetries } = await gateway.get("pools/web");
    await dialog.getByLabel("Connect timeout").fill("7");
    await gateway.ask("PUT", "pools/web", { maxRetries: maxRetries + 1 });
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").filter({ hasText: "Somebody else" }).waitFor();
    const now = await gateway.get("pools/web");
    assert.equal(now.connectTimeout, connectTimeout);
    assert.equal(now.maxRetries, maxRetries + 1);
    await gateway.ask("PUT", "pools/web", { maxRetries });
    await close();
  });

  test("that was checked in its own way is checked so again by Undo", async () => {
    const { page, close } = await open(gateway, "");
    await gateway.ask("PUT", "pools/web", { healthCheckTimeout: 0.75 });
    await page.getByRole("button", { name: "Settings of web" }).click();
    const dialog = page.getByRole("dialog", { name: "Settings of web" });
    await dialog.getByLabel("Check the servers’ health").uncheck();
    await dialog.getByRole("button", { name: "Save" }).click();
    await eventually("it is checked no more", async () => !(await gateway.get("pools/web")).healthCheckEnabled);
    await undo(page);
    await eventually("it is checked again", async () => (await gateway.get("pools/web")).healthCheckEnabled);
    assert.equal((await gateway.get("pools/web")).healthCheckTimeout, 0.75);
    await close();
  });

  test("is created, changed and deleted, and mistakes are told beside the field", async () => {
    const { page, close } = await open(gateway, "", { expects: [REFUSED] });
    await page.getByRole("button", { name: "Create pool" }).click();
    const dialog = page.getByRole("dialog", { name: "Create a pool" });
    const create = dialog.getByRole("button", { name: "Create pool" });
    await create.click();
    assert.match(await described(dialog.getByLabel("Name")), /name/);
    await dialog.getByLabel("Name").fill("reports");
    await dialog.getByLabel("Servers", { exact: true }).fill("nowhere");
    await create.click();
    assert.match(await described(dialog.getByLabel("Servers", { exact: true })), /host:port/);
    await dialog.getByLabel("Servers", { exact: true }).fill(d.address);
    await create.click();
    await dialog.waitFor({ state: "detached" });
    await rowOf(page, d, "reports").waitFor();

    await page.getByRole("button", { name: "Settings of reports" }).click();
    const settings = page.getByRole("dialog", { name: "Settings of reports" });
    await settings.getByLabel("Retries").fill("0");
    await settings.getByRole("button", { name: "Save" }).click();
    await settings.waitFor({ state: "detached" });
    assert.equal((await gateway.get("pools/reports")).maxRetries, 0);

    await page.getByRole("button", { name: "Delete pool reports" }).click();
    await page.getByRole("dialog", { name: "Delete pool reports?" }).getByRole("button", { name: "Delete pool" }).click();
    await pool(page, "reports").waitFor({ state: "detached" });
    await close();
  });

  test("shows the servers that a filter wants, in the order that a column has", async () => {
    const { page, close } = await open(gateway, "");
    await rowOf(page, d, "api").waitFor();
    await page.getByLabel("Filter").fill(b.address);
    await rowOf(page, a).waitFor({ state: "detached" });
    assert.equal(await rowOf(page, b).count(), 1);
    await page.getByLabel("Filter").fill("");
    await rowOf(page, a).waitFor();
    const head = pool(page, "web").getByRole("columnheader", { name: /^Server/ });
    await head.getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    const names = await pool(page, "web").getByRole("rowheader").allInnerTexts();
    const byPort = [...names].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
    assert.deepEqual(names, byPort);
    await close();
  });
});

test("servers that nobody can see are drawn when they come near", async () => {
  const pools = Array.from({ length: 60 }, (_, pool) =>
    [`pool-${pool}`, Array.from({ length: 10 }, (_, server) => `127.1.${pool}.${server + 1}:3000`)]);
  const crowd = await Gateway.start(configuration(Object.fromEntries(pools)));
  const { page, close } = await open(crowd, "");
  const last = page.getByRole("region", { name: "pool-9" });
  await page.getByRole("region", { name: "pool-0" }).getByRole("row").nth(10).waitFor();
  await last.getByText("0 of 10 servers").waitFor();
  const drawn = await page.getByRole("rowheader").count();
  assert.ok(drawn < 150, `${drawn} of 600 servers are drawn`);
  await last.scrollIntoViewIfNeeded();
  await last.getByRole("row").nth(10).waitFor();
  await crowd.ask("POST", "servers/127.1.9.1:3000/drain");
  await last.getByRole("row").filter({ hasText: "draining" }).waitFor();
  await close();
});

test("a message stays while its button has the focus, and goes after that", async () => {
  const { page, close } = await open(gateway, "", { first: (page) => page.clock.install() });
  await rowOf(page, c).getByRole("button", { name: `Drain ${c.address}` }).click();
  const button = page.getByRole("button", { name: "Undo" });
  await button.focus();
  await page.clock.fastForward(11_000);
  assert.equal(await button.count(), 1);
  await page.getByLabel("Filter").focus();
  await page.clock.fastForward(11_000);
  await button.waitFor({ state: "detached" });
  await gateway.ask("POST", `servers/${c.address}/enable`);
  await close();
});

test("the lines of the last minute begin anew after nobody has looked", async () => {
  const { page, close } = await open(gateway, "");
  const asked = [];
  page.on("request", (request) => /metrics\/history/.test(request.url()) && asked.push(request.url()));
  await rowOf(page, a).waitFor();
  await eventually("the lines of both pools have begun", () => asked.length === 2);
  await hide(page, true);
  const { totalRequests } = await gateway.get("metrics");
  await eventually("some seconds have passed", async () => (await gateway.get("metrics")).totalRequests > totalRequests + 400);
  await hide(page, false);
  await eventually("the lines of both pools have begun anew", () => asked.length === 4);
  await close();
});

// What a screen reader says of a field beside its name.
async function described(field) {
  return field.evaluate((input) =>
    (input.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" "));
}
