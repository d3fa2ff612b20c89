// Where the focus is when a button has gone that somebody pressed by keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { build } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

const SEAT = "web/balancer";
const PLUGIN = "round-robin";

let gateway, version;
before(async () => {
  ({ gateway } = await world());
  const bytes = new Uint8Array(await build(PLUGIN, "focus"));
  ({ version } = await gateway.ask("POST", `plugins?name=${PLUGIN}`, bytes));
});
after(endAll);

const seat = (page, name = SEAT) => page.getByRole("region", { name, exact: true });

// Press a button as a keyboard does, and answer what it asks.
async function press(page, button, answer) {
  await button.focus();
  await page.keyboard.press("Enter");
  if (answer) {
    await page.getByRole("dialog").getByRole("button", { name: answer, exact: true }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: answer, exact: true }).press("Enter");
  }
}

const focused = (page) => page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);

async function isIn(page, place, what) {
  await eventually(what, () => place.evaluate((one) => one.contains(document.activeElement)));
}

test("promoting a canary leaves the focus in its seat", async () => {
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: { version, percent: 5 } });
  const { page, close } = await open(gateway, "plugins");
  const promote = seat(page).getByRole("button", { name: `Promote canary in ${SEAT}` });
  await press(page, promote, "Promote");
  await promote.waitFor({ state: "hidden" });
  await isIn(page, seat(page), "something of the seat has the focus");
  assert.equal(await focused(page), `Activate in ${SEAT}`, "what comes after what has gone");
  await close();
});

test("going back as far as it goes leaves the focus in the seat", async () => {
  const { page, close } = await open(gateway, "plugins");
  const back = seat(page).getByRole("button", { name: `Roll back ${SEAT}` });
  await press(page, back, "Roll back");
  await eventually("there is nothing to go back to", () => back.isDisabled());
  await isIn(page, seat(page), "something of the seat has the focus");
  await close();
});

test("ending a shadow leaves the focus in its seat", async () => {
  await gateway.ask("PUT", `bindings/${SEAT}`, { shadow: { version, sample: 5 } });
  const { page, close } = await open(gateway, "plugins");
  const end = seat(page).getByRole("button", { name: `End shadow in ${SEAT}` });
  await press(page, end);
  await end.waitFor({ state: "hidden" });
  await isIn(page, seat(page), "something of the seat has the focus");
  await close();
});

test("unbinding what keeps sessions leaves the focus at the next seat", async () => {
  await gateway.ask("PUT", "pools/web", { sessionPersistence: true });
  const { page, close } = await open(gateway, "plugins");
  const sessions = seat(page, "web/affinity");
  await press(page, sessions.getByRole("button", { name: "Unbind web/affinity" }), "Unbind");
  await eventually("it is unbound", async () => !(await gateway.get("pools/web")).sessionPersistence);
  await isIn(page, page.locator("#seats"), "something of the seats has the focus");
  await close();
});

test("a message's button that goes gives the focus back to where it was", async () => {
  const { page, close } = await open(gateway, "plugins");
  const filter = page.getByRole("searchbox", { name: "Filter" });
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: { version, percent: 5 } });
  await press(page, seat(page).getByRole("button", { name: `End canary in ${SEAT}` }));
  await filter.focus();
  await press(page, page.getByRole("button", { name: "Undo" }));
  await eventually("the filter has it", () => filter.evaluate((one) => one === document.activeElement));
  await close();
});

test("a plugin that is closed leaves the focus at its name", async () => {
  const { page, close } = await open(gateway, "plugins");
  const name = page.getByRole("table", { name: "Plugins" }).getByRole("button", { name: "weighted", exact: true });
  await press(page, name);
  const detail = seat(page, "weighted");
  await press(page, detail.getByRole("button", { name: "Close weighted" }));
  await detail.waitFor({ state: "detached" });
  assert.ok(await name.evaluate((one) => one === document.activeElement));
  await close();
});

test("a pool that is deleted leaves the focus at another one", async () => {
  await gateway.ask("POST", "pools", { pool: "gone", servers: [{ host: "127.0.0.1", port: 9 }] });
  const { page, close } = await open(gateway, "");
  await press(page, page.getByRole("button", { name: "Delete pool gone" }), "Delete pool");
  await seat(page, "gone").waitFor({ state: "detached" });
  await isIn(page, page.locator("#pools"), "something of a pool has the focus");
  await close();
});

test("a refusal leaves the focus on the button that was pressed", async () => {
  const { page, close } = await open(gateway, "", { expects: [/status of 4\d\d/] });
  await page.getByRole("button", { name: "Create pool" }).click();
  const dialog = page.getByRole("dialog", { name: "Create a pool" });
  await dialog.getByLabel("Name").fill("web");
  await dialog.getByRole("button", { name: "Create pool" }).press("Enter");
  await dialog.getByText("there is a pool web already").waitFor();
  assert.equal(await focused(page), "Create pool");
  await close();
});

test("a button that goes after somebody pointed elsewhere takes no focus there", async () => {
  const { page, close } = await open(gateway, "plugins");
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: { version, percent: 5 } });
  await seat(page).getByRole("button", { name: `End canary in ${SEAT}` }).focus();
  await page.getByRole("heading", { name: "Who decides where" }).click();
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: null });
  await seat(page).getByRole("button", { name: `End canary in ${SEAT}` }).waitFor({ state: "hidden" });
  assert.ok(await page.evaluate(() => document.activeElement.matches("body, main")));
  await close();
});
