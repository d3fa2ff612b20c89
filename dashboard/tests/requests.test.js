// Recent requests, each opened into what was decided about it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

let gateway, c, d;
before(async () => {
  ({ gateway, c, d } = await world());
});
after(endAll);

const table = (page) => page.getByRole("table", { name: "Requests" });
const rows = (page) => table(page).getByRole("row").filter({ has: page.getByRole("rowheader") });

test("requests are found by path, server and status", async () => {
  const { page, close } = await open(gateway, "requests");
  await rows(page).filter({ hasText: "/products" }).first().waitFor();
  await rows(page).filter({ hasText: "/api/test" }).first().waitFor();
  await page.getByRole("searchbox", { name: "Search" }).fill("/api/test");
  await rows(page).filter({ hasText: "/products" }).first().waitFor({ state: "detached" });
  await page.getByRole("searchbox", { name: "Search" }).fill(d.address);
  const found = await rows(page).allInnerTexts();
  assert.ok(found.length > 0 && found.every((text) => text.includes(d.address)), found[0]);
  await page.getByRole("searchbox", { name: "Search" }).fill("");
  await page.getByRole("combobox", { name: "Status" }).selectOption("5xx");
  await page.getByText("No recent request fits.").waitFor();
  await close();
});

test("a request opens into its decisions, and the keyboard closes them", async () => {
  const { page, close } = await open(gateway, "requests");
  await page.getByRole("searchbox", { name: "Search" }).fill(c.address);
  await table(page).getByRole("button", { name: /^Explain GET \/products/ }).first().click();
  const dialog = page.getByRole("dialog", { name: "GET /products" });
  const decisions = dialog.getByRole("table", { name: "Decisions, in order" }).getByRole("row");
  const router = decisions.filter({ hasText: "path-router" });
  await router.getByText(/\d\s?(ns|µs)/).waitFor();
  const balancer = decisions.filter({ hasText: "round-robin" });
  await balancer.getByText(c.address).first().waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await close();
});

test("newer requests come on top again after one was looked at", async () => {
  const { page, close } = await open(gateway, "requests");
  const newest = table(page).getByRole("button", { name: /^Explain/ }).first();
  await newest.click();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const known = await newest.getAttribute("aria-label");
  await eventually("another one is the newest", async () => (await newest.getAttribute("aria-label")) !== known);
  await close();
});

test("a request that asked to be explained is opened by its id", async () => {
  const { token } = await gateway.ask("POST", "tokens", { name: "operator", role: "deploy" });
  gateway.token = token;
  const asked = await fetch(`http://${gateway.address}/products/3`, { headers: { "x-gatewright-explain": token } });
  const id = asked.headers.get("x-gatewright-explain");
  assert.ok(id, "the answer tells the id");
  const { page, close } = await open(gateway, "requests", { expects: [/status of 401/] });
  const dialog = page.getByRole("dialog", { name: "Access token" });
  await dialog.getByLabel("Token").fill(token);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByLabel("Explain", { exact: true }).fill(id);
  await page.getByRole("button", { name: "Open", exact: true }).click();
  const explanation = page.getByRole("dialog", { name: "GET /products/3" });
  await explanation.getByText("it asked to be explained").waitFor();
  await eventually("its id is shown", async () => (await explanation.innerText()).includes(id));
  await close();
});
