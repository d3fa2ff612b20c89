// Pools, by hand, and the page that has them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { Gateway, configuration } from "./support/gateway.js";
import { REFUSED, described, pool, rowOf, undo } from "./support/management.js";
import { endAll } from "./support/processes.js";
import { canAlter, hide, isTold, pin } from "./support/stream.js";
import { world } from "./support/world.js";

let gateway, a, b, c, d;
before(async () => {
  ({ gateway, a, b, c, d } = await world());
});
after(endAll);

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

  test("shows what was applied, whatever figures of before still come", async () => {
    const { page, close } = await open(gateway, "", { first: canAlter });
    const choice = pool(page, "web").getByRole("combobox", { name: "Algorithm" });
    const apply = page.getByRole("button", { name: "Apply the algorithm to web" });
    await eventually("there is a choice", async () => (await choice.locator("option").count()) > 3);
    const before = await choice.inputValue();
    const generation = (await gateway.ask("PUT", "algorithm", { pool: "web", algorithm: before })).generation;
    // What is applied next is of a later configuration than all figures from now on.
    await pin(page, generation, { web: before });
    await choice.selectOption("weighted");
    await apply.click();
    await apply.waitFor({ state: "hidden" });
    await isTold(page, 2);
    assert.equal(await choice.inputValue(), "weighted");
    // What somebody else has chosen since is shown, be it what was there before.
    await pin(page, null);
    await gateway.ask("PUT", "algorithm", { pool: "web", algorithm: before });
    await eventually("it is shown", async () => (await choice.inputValue()) === before);
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

  test("that was checked and had circuits in its own way has them so again by Undo", async () => {
    const { page, close } = await open(gateway, "");
    await gateway.ask("PUT", "pools/web", { healthCheckTimeout: 0.75, openTime: 7 });
    await page.getByRole("button", { name: "Settings of web" }).click();
    const dialog = page.getByRole("dialog", { name: "Settings of web" });
    await dialog.getByLabel("Check the servers’ health").uncheck();
    await dialog.getByLabel("Leave servers alone that fail").uncheck();
    await dialog.getByRole("button", { name: "Save" }).click();
    await eventually("it is checked no more", async () => !(await gateway.get("pools/web")).healthCheckEnabled);
    assert.equal((await gateway.get("pools/web")).circuitBreaker, false);
    await undo(page);
    await eventually("it is checked again", async () => (await gateway.get("pools/web")).healthCheckEnabled);
    const { healthCheckTimeout, openTime } = await gateway.get("pools/web");
    assert.deepEqual([healthCheckTimeout, openTime], [0.75, 7]);
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

  test("that gets what nothing routes is deleted once another one does", async () => {
    await gateway.ask("POST", "pools", { pool: "spare", servers: [{ host: d.host, port: Number(d.port) }] });
    await gateway.ask("PUT", "config", { defaultPool: "spare" });
    const { page, close } = await open(gateway, "");
    await pool(page, "spare").getByText("default pool").waitFor();
    const ask = () => page.getByRole("button", { name: "Delete pool spare" }).click();
    const first = page.getByRole("dialog", { name: "spare is the default pool" });
    await ask();
    await first.getByText("It gets the requests that no route takes.").waitFor();
    await first.getByRole("button", { name: "Cancel" }).click();
    assert.equal((await gateway.get("pools/spare")).isDefault, true);
    await ask();
    await first.getByLabel("Default pool").selectOption("web");
    await first.getByRole("button", { name: "Make it the default pool" }).click();
    await page.getByRole("dialog", { name: "Delete pool spare?" }).getByRole("button", { name: "Delete pool" }).click();
    await pool(page, "spare").waitFor({ state: "detached" });
    assert.equal((await gateway.get("pools/web")).isDefault, true);
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
