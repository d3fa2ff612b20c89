// Live traffic: a bar for each server, and lines over the last minutes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { Backend } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

let gateway, a, b, d;
before(async () => {
  ({ gateway, a, b, d } = await world());
});
after(endAll);

const CHARTS = ["Requests per second", "Response times", "Errors per second", "Active requests"];

const bars = (page) => page.getByRole("region", { name: "Servers" });
const barOf = (page, server, pool = "web") =>
  bars(page).getByRole("listitem").filter({ hasText: server.address }).filter({ hasText: pool });
const chart = (page, name) => page.getByRole("figure").filter({ has: page.getByRole("heading", { name }) });

// The share of the longest bar that a bar is long.
const length = (bar) => bar.evaluate((item) => {
  const [track, fill] = [".track", ".fill"].map((part) => item.querySelector(part).getBoundingClientRect());
  return fill.width / track.width;
});

// What a bar says of itself: its figure.
const figure = async (bar) => parseFloat((await bar.innerText()).split("\n").at(-1));

test("the bar of a server that is added grows", async () => {
  const { page, close } = await open(gateway, "traffic");
  const server = await Backend.start();
  await barOf(page, a).waitFor();
  await gateway.ask("POST", "servers", { pool: "web", host: server.host, port: Number(server.port) });
  const bar = barOf(page, server);
  await bar.waitFor();
  await eventually("it is half as long as the longest", async () => (await length(bar)) > 0.5);
  assert.ok((await figure(bar)) > 5, await bar.innerText());
  await gateway.ask("DELETE", `servers/${server.address}`);
  await bar.waitFor({ state: "detached" });
  await close();
});

test("the bar of a server that is killed turns red, by colour, sign and word", async (context) => {
  const { page, close } = await open(gateway, "traffic");
  const bar = barOf(page, b);
  const colour = () => bar.locator(".sign").evaluate((sign) => getComputedStyle(sign).color);
  await bar.getByText("healthy", { exact: true }).waitFor();
  const before = await colour();
  const began = performance.now();
  await b.running.kill();
  await bar.getByText("unhealthy", { exact: true }).waitFor({ state: "attached" });
  context.diagnostic(`red after ${Math.round(performance.now() - began)} ms`);
  assert.match(await bar.innerText(), /▲/);
  const [red, green, blue] = (await colour()).match(/[\d.]+/g).map(Number);
  assert.ok(red > green && red > blue, `${before} became ${await colour()}`);
  await b.again();
  await bar.getByText("healthy", { exact: true }).waitFor({ state: "attached" });
  await close();
});

test("the lines begin with what the server has kept", async () => {
  await eventually("some seconds are kept", async () => (await gateway.get("metrics/history")).time.length > 5);
  const { page, close } = await open(gateway, "traffic");
  for (const name of CHARTS) {
    await chart(page, name).getByRole("img").waitFor();
  }
  const legend = chart(page, CHARTS[0]).getByRole("listitem");
  await eventually("each pool has a line", async () => (await legend.allInnerTexts()).some((text) => /^web/.test(text)));
  const value = async () => parseFloat((await legend.filter({ hasText: "all pools" }).locator("strong").innerText()).replace(",", ""));
  await eventually("the newest value is shown", async () => (await value()) > 20);
  await close();
});

test("a pool, a server and a span are chosen, and a reload shows the same", async () => {
  const { page, close } = await open(gateway, "traffic");
  await barOf(page, d, "api").waitFor();
  await page.getByRole("combobox", { name: "Pool" }).selectOption("web");
  await barOf(page, d, "api").waitFor({ state: "detached" });
  await page.getByRole("combobox", { name: "Server" }).selectOption(a.address);
  await barOf(page, b).waitFor({ state: "detached" });
  const span = page.getByRole("button", { name: "15 minutes" });
  const loaded = page.waitForResponse((response) => response.url().includes("minutes=15"));
  await span.click();
  assert.equal((await loaded).status(), 200);
  await page.reload();
  await barOf(page, a).waitFor();
  assert.equal(await barOf(page, b).count(), 0);
  assert.equal(await span.getAttribute("aria-pressed"), "true");
  await close();
});

test("the values under the pointer are told", async () => {
  await eventually("some seconds are kept", async () => (await gateway.get("metrics/history")).time.length > 20);
  const { page, close } = await open(gateway, "traffic");
  // Rates may be the same in every second; the slowest response is not.
  const figure = chart(page, "Response times");
  const value = figure.getByRole("listitem").filter({ hasText: "p99" }).locator("strong");
  await eventually("there is a value", async () => /\d/.test(await value.innerText()));
  await page.getByRole("button", { name: "Pause" }).click();
  const said = new Set();
  const box = await figure.getByRole("img").boundingBox();
  for (let share = 0.2; share < 1; share += 0.1) {
    await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
    said.add(await value.innerText());
  }
  assert.ok(said.size > 1, "the same value wherever the pointer was");
  await close();
});

test("what the bars show is a table too, for those who read rather than look", async () => {
  const { page, close } = await open(gateway, "traffic");
  await barOf(page, a).waitFor();
  await page.getByText("As a table").click();
  const row = page.getByRole("table", { name: "Servers" }).getByRole("row").filter({ hasText: a.address });
  await row.getByText("healthy", { exact: true }).waitFor();
  await close();
});

test("nothing moves while it is paused, and it says since when", async () => {
  const { page, close } = await open(gateway, "traffic");
  await barOf(page, a).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText(/As of \d\d:\d\d:\d\d: paused/).waitFor();
  const before = await bars(page).innerText();
  const first = await gateway.get("metrics");
  await eventually("time has passed", async () => (await gateway.get("metrics")).totalRequests > first.totalRequests + 200);
  assert.equal(await bars(page).innerText(), before);
  await page.getByRole("button", { name: "Resume" }).click();
  await eventually("it goes on", async () => (await bars(page).innerText()) !== before);
  await close();
});
