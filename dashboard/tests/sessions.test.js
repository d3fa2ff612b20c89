// Sessions: how many are where, which one is whose server's, and the end of one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { faults } from "./support/accessibility.js";
import { PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration, visit } from "./support/gateway.js";
import { REFUSED } from "./support/management.js";
import { endAll } from "./support/processes.js";

const MANY = 5_000;

const names = (count, prefix) => Array.from({ length: count }, (_, number) => `${prefix}-${number}`);

// A gateway before two servers in pool web, which keeps clients so, and one in api.
async function keeping(affinity) {
  const servers = await Promise.all([Backend.start(), Backend.start(), Backend.start()]);
  const [a, b, other] = servers.map(({ address }) => address);
  const gateway = await Gateway.start(configuration({ web: [a, b], api: [other] }, { affinity }));
  return { gateway, a, b };
}

after(endAll);

const table = (page) => page.getByRole("table", { name: "Sessions", exact: true });
const rows = (page) => table(page).getByRole("row").filter({ has: page.getByRole("rowheader") });
const total = (page, label) => page.locator("#totals > div").filter({ hasText: label }).getByRole("definition");
const search = (page) => page.getByRole("searchbox", { name: "Search" });
const paging = (page) => page.getByRole("group", { name: "Parts of the list" });

async function has(page, count) {
  await eventually(`${count} sessions are listed`, async () => (await rows(page).count()) === count);
}

describe("where there are no sessions", () => {
  test("it is said that no pool keeps its clients, and how one does", async () => {
    const { gateway } = await keeping();
    const { page, close } = await open(gateway, "sessions");
    await page.getByText("No pool keeps its clients on their servers").waitFor();
    await page.getByText('plugin = "sticky-learn"').waitFor();
    await page.getByRole("link", { name: "in its seat" }).click();
    await page.getByRole("heading", { level: 1, name: "Plugins" }).waitFor();
    await close();
  });

  test("it is said that the cookies of sticky-cookie are elsewhere", async () => {
    const { gateway } = await keeping("sticky-cookie");
    const { page, close } = await open(gateway, "sessions");
    await page.getByText("Only sticky-cookie keeps clients here").waitFor();
    await close();
  });

  test("they appear as soon as they come", async () => {
    const { gateway } = await keeping("sticky-learn");
    const { page, close } = await open(gateway, "sessions");
    await page.getByText("No session has come yet. They appear here as sticky-learn of web learns of them.").waitFor();
    await visit(gateway, ["first"]);
    await has(page, 1);
    await close();
  });
});

describe("sessions", () => {
  let gateway, a, b;
  before(async () => {
    ({ gateway, a, b } = await keeping("sticky-learn"));
    // A name that only a request says is kept at length from its second use on.
    await visit(gateway, names(6, "known"));
    await visit(gateway, names(6, "known"));
  });

  const onServer = async (server) => (await gateway.get(`sessions?server=${server}`)).length;

  test("are counted in all, by pool and by server", async () => {
    const { page, close } = await open(gateway, "sessions");
    await has(page, 6);
    assert.equal(await total(page, "All sessions").innerText(), "6");
    assert.equal(await total(page, "In web").innerText(), "6");
    await page.getByText("By server", { exact: true }).click();
    const places = page.getByRole("table", { name: "Sessions by server" });
    for (const server of [a, b]) {
      const row = places.getByRole("row").filter({ hasText: server });
      const own = await onServer(server);
      assert.ok(own > 0, "a rotation gives some to each");
      await row.getByRole("cell", { name: String(own), exact: true }).waitFor();
    }
    await close();
  });

  test("are told with their server, age and end, and never by their names", async () => {
    const { page, close } = await open(gateway, "sessions");
    await has(page, 6);
    for (const { sessionId, serverId } of await gateway.get("sessions")) {
      const row = rows(page).filter({ hasText: sessionId });
      await row.getByText(serverId).waitFor();
      await row.getByText(/^(59 min|1 h)/).waitFor();
    }
    assert.ok(!(await page.content()).includes("known-"), "what the application calls them is secret");
    await close();
  });

  test("are chosen by server, and the address keeps the choice", async () => {
    const { page, close } = await open(gateway, "sessions");
    await page.getByRole("combobox", { name: "Server" }).selectOption(a);
    await has(page, await onServer(a));
    assert.ok((await rows(page).allInnerTexts()).every((text) => text.includes(a)));
    await page.reload();
    await has(page, await onServer(a));
    await page.getByText("By server", { exact: true }).click();
    await page.getByRole("button", { name: `List the sessions of ${b} in web` }).click();
    await eventually("those of the other are listed", async () =>
      (await rows(page).allInnerTexts()).every((text) => text.includes(b)));
    assert.equal(await page.getByRole("combobox", { name: "Pool" }).inputValue(), "web");
    await page.getByRole("combobox", { name: "Pool" }).selectOption("All pools");
    await has(page, 6);
    await close();
  });

  test("are found by their id and by their name, which the address does not tell", async () => {
    const { page, close } = await open(gateway, "sessions");
    await search(page).fill("known-3");
    await has(page, 1);
    const [{ sessionId }] = await gateway.get("sessions?search=known-3");
    await rows(page).getByText(sessionId).waitFor();
    assert.ok(!page.url().includes("known"), page.url());
    await search(page).fill(sessionId.slice(0, 12));
    await has(page, 1);
    await search(page).fill("nobody");
    await page.getByText("No session fits.").waitFor();
    await close();
  });

  test("are deleted once that is confirmed", async () => {
    const { page, close } = await open(gateway, "sessions");
    await visit(gateway, ["short-lived"]);
    const [{ sessionId }] = await gateway.get("sessions?search=short-lived");
    await has(page, 7);
    const away = page.getByRole("button", { name: `Delete session ${sessionId}` });
    await away.click();
    const dialog = page.getByRole("dialog", { name: `Delete session ${sessionId}?` });
    await dialog.getByText("this cannot be undone").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal((await gateway.get("sessions?search=short-lived")).length, 1);
    // By keyboard, as everything.
    await away.focus();
    await page.keyboard.press("Enter");
    await dialog.getByRole("button", { name: "Delete session" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText(`Deleted session ${sessionId}.`).waitFor();
    await has(page, 6);
    assert.deepEqual(await gateway.get("sessions?search=short-lived"), []);
    const [{ action, target }] = await gateway.get("audit");
    assert.deepEqual([action, target], ["session.delete", sessionId]);
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
    await close();
  });

  test("that are gone before they are deleted are told to be", async () => {
    const { page, close } = await open(gateway, "sessions", { expects: [REFUSED] });
    await visit(gateway, ["gone"]);
    const [{ sessionId }] = await gateway.get("sessions?search=gone");
    await page.getByRole("button", { name: `Delete session ${sessionId}` }).click();
    await gateway.ask("DELETE", `sessions/${sessionId}`);
    await page.getByRole("dialog").getByRole("button", { name: "Delete session" }).click();
    await page.getByRole("alert").getByText(/could not be deleted: there is no session/).waitFor();
    await has(page, 6);
    await close();
  });

  test("have no serious fault of accessibility, and fit on a phone", async () => {
    for (const options of [{ theme: "light" }, { theme: "dark" }, { size: PHONE }]) {
      const { page, close } = await open(gateway, "sessions", options);
      await has(page, 6);
      await page.getByText("By server", { exact: true }).click();
      assert.deepEqual(await faults(page), []);
      const { size } = options;
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(!size || width <= size.width, `it is ${width} pixels wide`);
      await close();
    }
  });

  // The last one here: from now on there are tokens.
  test("are not deleted by who may only look, and it is said which role may", async () => {
    const { token } = await gateway.ask("POST", "tokens", { name: "deployer", role: "deploy" });
    gateway.token = token;
    const viewer = await gateway.ask("POST", "tokens", { name: "viewer", role: "read" });
    const { page, close } = await open(gateway, "sessions", { expects: [REFUSED] });
    const login = page.getByRole("dialog", { name: "Access token" });
    await login.getByLabel("Token").fill(viewer.token);
    await login.getByRole("button", { name: "Sign in" }).click();
    await has(page, 6);
    await page.getByRole("button", { name: /^Delete session/ }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete session" }).click();
    await page.getByRole("alert").getByText(/this takes the role operate; your token has read/).waitFor();
    assert.equal((await gateway.get("sessions")).length, 6);
    await close();
  });
});

describe(`${MANY} sessions`, () => {
  let gateway;
  before(async () => {
    ({ gateway } = await keeping("sticky-learn"));
    await visit(gateway, names(MANY, "one"));
  });

  test("are shown a hundred at a time, and every page has its address", async () => {
    const { page, close } = await open(gateway, "sessions");
    const say = (text) => paging(page).getByText(text, { exact: true }).waitFor();
    await say("1–100 of 5,000");
    assert.equal(await table(page).getAttribute("aria-rowcount"), "101");
    const newer = page.getByRole("button", { name: "Newer sessions" });
    assert.equal(await newer.getAttribute("aria-disabled"), "true");
    const first = await rows(page).first().innerText();
    await page.getByRole("button", { name: "Older sessions" }).click();
    await say("101–200 of 5,000");
    assert.notEqual(await rows(page).first().innerText(), first);
    await page.getByRole("button", { name: "Last page" }).click();
    await say("4,901–5,000 of 5,000");
    assert.match(page.url(), /\?page=50$/);
    await page.reload();
    await say("4,901–5,000 of 5,000");
    await newer.click();
    await say("4,801–4,900 of 5,000");
    await page.getByRole("button", { name: "First page" }).click();
    await say("1–100 of 5,000");
    await close();
  });

  test("are searched on the gateway, from whatever page", async () => {
    const { page, close } = await open(gateway, "sessions?page=50");
    await paging(page).getByText("4,901–5,000 of 5,000").waitFor();
    await search(page).fill("one-77");
    await has(page, 1);
    assert.ok(!(await paging(page).isVisible()));
    await close();
  });

  test("lead to the last page there is when an address names a later one", async () => {
    const { page, close } = await open(gateway, "sessions?page=9999");
    await paging(page).getByText("4,901–5,000 of 5,000").waitFor();
    await close();
  });
});
