// Gateways of one cluster: each page lists them all, shows the one that fell silent,
// and says so when the server that they share is away.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { faults } from "./support/accessibility.js";
import { PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, clustered, configuration } from "./support/gateway.js";
import { isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { Redis } from "./support/redis.js";

let redis, good, fallen, first, second, version;
before(async () => {
  [redis, good, fallen] = await Promise.all([Redis.start(), Backend.start(), Backend.start()]);
  const text = configuration({ web: [good.address, fallen.address] });
  first = await Gateway.start(clustered(text, redis, "first"));
  second = await Gateway.start(clustered(text, redis, "second"));
  await fallen.running.kill();
  await first.ask("PUT", `servers/${good.address}/weight`, { weight: 3 });
  ({ version } = await first.get("cluster"));
});
after(endAll);

const cluster = (page) => page.getByRole("region", { name: "Cluster" });

// What the row of a gateway says, by its columns.
async function row(page, name) {
  const heads = await cluster(page).getByRole("columnheader").allInnerTexts();
  const found = cluster(page).getByRole("row").filter({ has: page.getByRole("rowheader", { name: new RegExp(`^${name}\\b`) }) });
  const cells = await found.locator("th, td").allInnerTexts();
  return Object.fromEntries(heads.map((head, index) => [head, cells[index]]));
}

const comesToBe = (page, name, column, wanted) =>
  eventually(`${column} of ${name} is ${wanted}`, async () => {
    const said = (await row(page, name))[column];
    return wanted.test(said);
  });

// What the rows say that is not wholly in sight.
const cut = (page) =>
  cluster(page)
    .locator("tbody :is(th, td)")
    .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.innerText));

describe("a page of a gateway in a cluster", () => {
  test("lists every gateway with its program, its state and its servers", async () => {
    const { page, close } = await open(first, "");
    await cluster(page).getByText("connected", { exact: true }).waitFor();
    await cluster(page).getByText(`${redis.url}, since`).waitFor();
    for (const [gateway, name] of [[first, "first"], [second, "second"]]) {
      await comesToBe(page, name, "State", /^● there$/);
      await comesToBe(page, name, "State version", new RegExp(`^${version}$`));
      await comesToBe(page, name, "Servers up", /^1$/);
      await comesToBe(page, name, "Servers down", /^1$/);
      const said = await row(page, name);
      assert.match(said.Program, /^\d+\.\d+\.\d+/);
      assert.equal(said["Admin listener"], gateway.admin);
    }
    assert.equal((await row(page, "first")).Gateway, "first (this one)");
    assert.deepEqual(await faults(page), []);
    await close();
  });

  test("fits on a phone", async () => {
    for (const theme of ["light", "dark"]) {
      const { page, close } = await open(first, "", { size: PHONE, theme });
      await cluster(page).waitFor();
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= PHONE.width, `it is ${width} pixels wide`);
      await comesToBe(page, "second", "State", /there/);
      assert.deepEqual(await cut(page), []);
      assert.deepEqual(await faults(page), []);
      await close();
    }
  });

  test("shows a gateway as silent that was killed, and as there when it is back", async () => {
    const { page, close } = await open(first, "");
    await comesToBe(page, "second", "State", /there/);
    await second.running.kill();
    await comesToBe(page, "second", "State", /silent/);
    await comesToBe(page, "first", "State", /there/);
    await second.again();
    await comesToBe(page, "second", "State", /there/);
    await close();
  });

  test("says that the server is away, and takes up the others when it is back", async () => {
    const { page, close } = await open(first, "");
    await comesToBe(page, "second", "State", /there/);
    await redis.stop();
    await cluster(page).getByText("the server is away").waitFor();
    await cluster(page).getByText(/changes are refused until it is back/).waitFor();
    await comesToBe(page, "second", "State", /unknown/);
    await comesToBe(page, "first", "State", /there/);
    // What it says is so.
    await assert.rejects(first.ask("PUT", `servers/${good.address}/weight`, { weight: 4 }), /server/);
    await redis.again();
    await cluster(page).getByText("connected", { exact: true }).waitFor();
    await comesToBe(page, "second", "State", /there/);
    assert.ok(await cluster(page).getByText(/changes are refused/).isHidden());
    await first.ask("PUT", `servers/${good.address}/weight`, { weight: 4 });
    await comesToBe(page, "second", "State version", new RegExp(`^${version + 1}$`));
    await close();
  });
});

describe("a page of a gateway that is alone", () => {
  test("says nothing of a cluster, and asks for it once", async () => {
    const alone = await Gateway.start(configuration({ web: [good.address] }));
    const asked = [];
    const { page, close } = await open(alone, "", {
      first: (page) => page.on("request", (request) => request.url().endsWith("/api/cluster") && asked.push(request)),
    });
    await isLive(page);
    await eventually("it has asked", async () => asked.length > 0);
    // Two more looks would have begun while these figures come.
    await page.waitForFunction(() => performance.now() > 5_000);
    assert.equal(asked.length, 1);
    assert.ok(await page.locator("#cluster").isHidden());
    await close();
  });
});
