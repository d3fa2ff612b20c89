// What is around every page: the connection, the token, the theme.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration } from "./support/gateway.js";
import { isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";

// What a browser says of a gateway that is not there, and of one that refuses.
const GONE = /ERR_|Failed to load resource|network/i;
const REFUSED = /status of 40[13]/;

let server;
before(async () => {
  server = await Backend.start();
});
after(endAll);

const gatewayOf = () => Gateway.start(configuration({ web: [server.address] }));

async function tokenOf(gateway, role) {
  const { token } = await gateway.ask("POST", "tokens", { name: `${role}-${Date.now()}`, role });
  gateway.token ??= token;
  return token;
}

const signIn = (page) => page.getByRole("dialog", { name: "Access token" });

async function enter(page, token) {
  await signIn(page).getByLabel("Token").fill(token);
  await signIn(page).getByRole("button", { name: "Sign in" }).click();
}

test("a lost connection is told, and what is shown is old until it is back", async () => {
  const gateway = await gatewayOf();
  const { page, close } = await open(gateway, "", { expects: [GONE] });
  await isLive(page);
  const row = page.getByRole("row").filter({ hasText: server.address });
  await row.waitFor();
  await gateway.running.kill();
  await page.getByRole("status").filter({ hasText: "reconnecting" }).waitFor();
  await page.getByText(/As of \d\d:\d\d:\d\d/).waitFor();
  assert.equal(await row.count(), 1, "what was known stays");
  await gateway.again();
  // It comes back by itself; nobody needs to press the button.
  await isLive(page);
  await page.getByText(/As of \d\d:\d\d:\d\d/).waitFor({ state: "hidden" });
  await close();
});

test("whoever does not want to wait for the connection presses a button", async () => {
  const gateway = await gatewayOf();
  const { page, close } = await open(gateway, "", { expects: [GONE] });
  await isLive(page);
  await gateway.running.kill();
  const retry = page.getByRole("button", { name: "Retry now" });
  await retry.waitFor();
  const countdown = () => page.getByText(/in \d+ s/).count();
  await eventually("it says in how many seconds", async () => (await countdown()) > 0);
  await gateway.again();
  await retry.click();
  await isLive(page);
  await close();
});

test("a wrong token is told beside the field, a right one lets in", async () => {
  const gateway = await gatewayOf();
  const token = await tokenOf(gateway, "deploy");
  const { page, close } = await open(gateway, "", { expects: [REFUSED] });
  await signIn(page).waitFor();
  await enter(page, `${token}x`);
  const field = signIn(page).getByLabel("Token");
  await eventually("it is blamed", async () => (await field.getAttribute("aria-invalid")) === "true");
  await enter(page, token);
  await signIn(page).waitFor({ state: "detached" });
  await isLive(page);
  await page.getByRole("row").filter({ hasText: server.address }).waitFor();
  // For this tab alone, until it is closed.
  await page.reload();
  await isLive(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page).waitFor();
  await close();
});

test("a role that may only look is told so, and which one may", async () => {
  const gateway = await gatewayOf();
  await tokenOf(gateway, "deploy");
  const token = await tokenOf(gateway, "read");
  const { page, close } = await open(gateway, "", { expects: [REFUSED] });
  await enter(page, token);
  await page.getByRole("button", { name: `Drain ${server.address}` }).click();
  await page.getByRole("alert").filter({ hasText: /operate/ }).waitFor();
  assert.equal((await gateway.get(`servers/${server.address}`)).draining, false);
  await close();
});

test("a token that is revoked is asked for again", async () => {
  const gateway = await gatewayOf();
  await tokenOf(gateway, "deploy");
  const token = await tokenOf(gateway, "operate");
  const { page, close } = await open(gateway, "", { expects: [REFUSED, GONE] });
  await enter(page, token);
  await isLive(page);
  const { id } = (await gateway.get("tokens")).find(({ role }) => role === "operate");
  await gateway.ask("DELETE", `tokens/${id}`);
  await signIn(page).or(page.getByRole("button", { name: "Sign in" })).first().waitFor();
  await close();
});

test("a page that is open asks with a token that counts no more once or twice, and not for ever", async () => {
  const gateway = await gatewayOf();
  await tokenOf(gateway, "deploy");
  const token = await tokenOf(gateway, "operate");
  const { page, close } = await open(gateway, "plugins#round-robin", { expects: [REFUSED, GONE] });
  const refused = [];
  page.on("response", (response) => response.status() === 401 && refused.push(response.url()));
  await enter(page, token);
  await isLive(page);
  await page.getByRole("list", { name: "Log of round-robin" }).waitFor();
  refused.length = 0;
  const { id } = (await gateway.get("tokens")).find(({ role }) => role === "operate");
  await gateway.ask("DELETE", `tokens/${id}`);
  await signIn(page).waitFor();
  const before = refused.length;
  assert.ok(before <= 3, refused.join(" "));
  await page.waitForTimeout(5_000);
  assert.equal(refused.length, before, refused.join(" "));
  await close();
});

test("what is not answered in time is told", async () => {
  const gateway = await gatewayOf();
  const { page, close } = await open(gateway, "", { expects: [GONE] });
  await isLive(page);
  await page.route(/api\/servers\/[^/]+\?pool=/, () => {});
  await page.getByRole("button", { name: `Details of ${server.address}` }).click();
  await page.getByRole("alert").filter({ hasText: "has not answered in time" }).waitFor();
  await close();
});

test("a gateway that comes back with another configuration is shown as it is then", async () => {
  const gateway = await Gateway.start(configuration({ web: [server.address], api: [server.address] }));
  const { page, close } = await open(gateway, "", { expects: [GONE] });
  const plugins = await open(gateway, "plugins", { expects: [GONE] });
  const pool = (name) => page.getByRole("region", { name, exact: true });
  await pool("web").getByText("default pool").waitFor();
  const seat = plugins.page.getByRole("region", { name: "web/balancer", exact: true });
  await seat.getByText(/^round-robin /).waitFor();
  await gateway.running.kill();
  // Generations begin at 1 again: they are of another run.
  await gateway.edit((text) => text.replace('default_pool = "web"', 'default_pool = "api"').replaceAll("round-robin", "least-connections"));
  await gateway.again();
  await pool("api").getByText("default pool").waitFor();
  await pool("web").getByText("default pool").waitFor({ state: "detached" });
  await seat.getByText(/^least-connections /).waitFor();
  await plugins.close();
  await close();
});

test("the colours are the system's until others are chosen, which stay", async () => {
  const gateway = await gatewayOf();
  const { page, close } = await open(gateway, "", { theme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const brightness = async () => (await ground()).match(/[\d.]+/g).slice(0, 3).map(Number).reduce((sum, one) => sum + one, 0);
  assert.ok((await brightness()) < 200, await ground());
  await page.getByRole("button", { name: "Theme: system" }).click();
  await page.getByRole("button", { name: "Theme: light" }).waitFor();
  assert.ok((await brightness()) > 600, await ground());
  await page.reload();
  await page.getByRole("button", { name: "Theme: light" }).waitFor();
  assert.ok((await brightness()) > 600, await ground());
  await close();
});

test("colours are chosen in a browser that keeps nothing, too", async () => {
  const gateway = await gatewayOf();
  const deny = () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("denied", "SecurityError");
    };
  };
  const { page, close } = await open(gateway, "", { first: (page) => page.addInitScript(deny) });
  await page.getByRole("button", { name: "Theme: system" }).click();
  await page.getByRole("button", { name: "Theme: light" }).waitFor();
  await close();
});
