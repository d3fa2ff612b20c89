// A pool whose servers have as many requests as they may: how many wait, and how
// many find no place to.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration, traffic } from "./support/gateway.js";
import { pool } from "./support/management.js";
import { endAll } from "./support/processes.js";

const LIMIT = 'max_active = 1\nqueue = { size = 3, timeout = "1m" }\n';

let gateway;
before(async () => {
  const [slow, other] = await Promise.all([Backend.start("--delay", "1s"), Backend.start()]);
  const text = configuration({ web: [slow.address], api: [other.address] });
  gateway = await Gateway.start(text.replace("[pools.web]\n", `[pools.web]\n${LIMIT}`));
});
after(endAll);

describe("a pool that is full", () => {
  test("says how many requests wait and were shed, and the others say nothing", async () => {
    const { page, close } = await open(gateway, "");
    const figure = (label) => pool(page, "web").getByText(new RegExp(`^[\\d,]+ ${label}$`));
    const number = async (label) => parseInt((await figure(label).innerText()).replace(",", ""), 10);
    assert.equal(await number("waiting"), 0);
    assert.equal(await number("shed"), 0);
    const clients = await traffic(gateway, { rate: 20, path: "/products" });
    await eventually("three wait", async () => (await number("waiting")) === 3);
    await eventually("others are shed", async () => (await number("shed")) > 0);
    for (const label of ["waiting", "shed"]) {
      assert.ok(await pool(page, "api").getByText(label, { exact: false }).filter({ visible: true }).count() === 0, label);
    }
    await clients.kill();
    await eventually("nobody waits", async () => (await number("waiting")) === 0);
    const { shed } = await gateway.get("pools/web");
    await eventually("those that were shed are counted on", async () => (await number("shed")) === shed);
    await close();
  });
});
