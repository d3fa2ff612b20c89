// A pool whose servers have as many requests as they may: how many wait.

import { after, before, describe, test } from "node:test";

import { open } from "./support/browser.js";
import { Backend, Gateway, configuration, traffic } from "./support/gateway.js";
import { pool } from "./support/management.js";
import { endAll } from "./support/processes.js";

const LIMIT = 'max_active = 1\nqueue = { size = 1000, timeout = "1m" }\n';

let gateway;
before(async () => {
  const [slow, other] = await Promise.all([Backend.start("--delay", "1s"), Backend.start()]);
  const text = configuration({ web: [slow.address], api: [other.address] });
  gateway = await Gateway.start(text.replace("[pools.web]\n", `[pools.web]\n${LIMIT}`));
});
after(endAll);

describe("a pool that is full", () => {
  test("says how many requests wait, and the others say nothing", async () => {
    const { page, close } = await open(gateway, "");
    const clients = await traffic(gateway, { rate: 20, path: "/products" });
    const waiting = /[1-9]\d* requests? waiting for room/;
    await pool(page, "web").getByText(waiting).waitFor();
    const badges = await pool(page, "api").locator(".badges").textContent();
    if (waiting.test(badges)) {
      throw new Error(`nobody waits for the other pool: ${badges}`);
    }
    await clients.kill();
    await pool(page, "web").getByText(waiting).waitFor({ state: "detached" });
    await close();
  });
});
