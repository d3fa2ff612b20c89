// Live traffic: a bar for each server, and lines over the last minutes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration, traffic } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { canAlter, hide, setBack, withhold } from "./support/stream.js";
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

test("the bar of a server that is killed turns red before the next figures, by colour, sign and word", async (context) => {
  const { page, close } = await open(gateway, "traffic", { first: canAlter });
  const bar = barOf(page, b);
  const colour = () => bar.locator(".sign").evaluate((sign) => getComputedStyle(sign).color);
  await bar.getByText("healthy", { exact: true }).waitFor();
  const before = await colour();
  await withhold(page, true);
  const began = performance.now();
  await b.running.kill();
  await bar.getByText("unhealthy", { exact: true }).waitFor({ state: "attached" });
  context.diagnostic(`red after ${Math.round(performance.now() - began)} ms`);
  assert.match(await bar.innerText(), /▲/);
  const [red, green, blue] = (await colour()).match(/[\d.]+/g).map(Number);
  assert.ok(red > green && red > blue, `${before} became ${await colour()}`);
  await withhold(page, false);
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

test("what was not seen while the page was hidden is asked for, and no line goes over it", async () => {
  const { page, close } = await open(gateway, "traffic");
  const kept = async () => (await gateway.get("metrics/history")).time.length;
  await barOf(page, a).waitFor();
  await hide(page, true);
  const { totalRequests } = await gateway.get("metrics");
  await eventually("some seconds have passed", async () => (await gateway.get("metrics")).totalRequests > totalRequests + 400);
  const answered = page.waitForResponse(/metrics\/history/);
  await hide(page, false);
  const { data } = await (await answered).json();
  const steps = data.time.slice(1).map((at, index) => at - data.time[index]);
  assert.ok(steps.every((step) => step < 1.6), `${await kept()} are kept, with steps of ${Math.max(...steps)} s`);
  await close();
});

test("the lines go on when the gateway's clock is set back", async () => {
  const { page, close } = await open(gateway, "traffic", { first: canAlter });
  const all = chart(page, "Requests per second").getByRole("listitem").filter({ hasText: "all pools" });
  await all.waitFor();
  const since = Date.now() / 1000;
  await page.route(/metrics\/history/, async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    answer.data.time = answer.data.time.map((at) => (at < since ? at : at - 3_600));
    await route.fulfill({ response, json: answer });
  });
  await setBack(page, 77_777);
  await all.getByText("77,777").waitFor();
  await close();
});

test("the lines that could not be read are asked for again", async () => {
  const { page, close } = await open(gateway, "traffic", {
    first: (page) => page.route(/metrics\/history/, (route) => route.abort(), { times: 2 }),
    expects: [/ERR_FAILED/],
  });
  await page.getByText(/The last minutes could not be read/).waitFor();
  await chart(page, "Requests per second").getByRole("listitem").filter({ hasText: "all pools" }).waitFor();
  await close();
});

test("a server of two pools has its response times in each", async () => {
  await gateway.ask("POST", "servers", { pool: "api", host: a.host, port: Number(a.port) });
  const { page, close } = await open(gateway, `traffic?server=${a.address}`);
  const names = (name) => chart(page, name).getByRole("listitem").allInnerTexts();
  await eventually("both are told", async () => {
    const times = (await names("Response times")).join();
    return /p99 in api/.test(times) && /p99 in web/.test(times);
  });
  const lines = (await names("Requests per second")).join();
  assert.ok(lines.includes(`${a.address} in api`) && lines.includes(`${a.address} in web`), lines);
  await gateway.ask("DELETE", `servers/${a.address}?pool=api`);
  await close();
});

test("a column of several servers tells of all of them", async () => {
  const names = Array.from({ length: 700 }, (_, index) => `127.1.${index % 7}.${1 + Math.floor(index / 7)}:3000`);
  const crowd = await Gateway.start([
    '[admin]\nlisten = "127.0.0.1:0"',
    '[[listener]]\nlisten = "127.0.0.1:0"',
    `[pools.web]\nhealth = false\nservers = ${JSON.stringify(names)}`,
  ].join("\n"));
  await crowd.ask("POST", `servers/${names[1]}/drain`);
  const { page, close } = await open(crowd, "traffic", { size: PHONE });
  const picture = bars(page).getByRole("img", { name: /of 700 servers/ });
  await picture.hover({ position: { x: 1, y: 80 } });
  await page.getByText(/^[34] servers from 127\.1\.0\.1:3000: /).waitFor();
  await close();
});

test("of many pools the busiest have lines, and others when they are chosen", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `pool-${index}`);
  const many = await Gateway.start(configuration(Object.fromEntries(names.map((name) => [name, [a.address]]))));
  await traffic(many, { rate: 40, path: "/pool-11/busy" });
  const { page, close } = await open(many, "traffic");
  await page.getByText("7 of 12 pools, the busiest; choose others below.").waitFor();
  const lines = () => chart(page, CHARTS[0]).getByRole("listitem").allInnerTexts();
  const has = async (name) => (await lines()).some((text) => text.startsWith(name));
  await eventually("the busiest has a line", () => has("pool-11"));
  assert.equal((await lines()).length, 8, "and seven have, beside all of them");
  await page.getByText("Choose pools").click();
  const list = page.getByRole("group", { name: "Pools with a line" });
  const box = (name) => list.getByRole("checkbox", { name, exact: true });
  const [without] = await Promise.all(names.map(async (name) => ((await box(name).isChecked()) ? null : name))).then((all) => all.filter(Boolean));
  assert.ok(await box(without).isDisabled(), "more could not be told apart");
  await box("pool-11").uncheck();
  await page.getByText("6 of 12 pools, as chosen; choose others below.").waitFor();
  await box(without).check();
  await eventually("what is chosen has a line", async () => (await has(without)) && !(await has("pool-11")));
  await page.reload();
  await page.getByText("7 of 12 pools, as chosen").waitFor();
  await eventually("a reload shows the same", async () => (await has(without)) && !(await has("pool-11")));
  await page.getByRole("button", { name: "Show the busiest" }).click();
  await eventually("the busiest have lines again", () => has("pool-11"));
  await close();
});

test("of many servers the busiest have lines, and one is chosen above", async () => {
  const servers = Array.from({ length: 9 }, (_, index) => `127.1.0.${index + 1}:3000`);
  const many = await Gateway.start(configuration({ web: servers }).replaceAll(/health = .*/g, "health = false"));
  const { page, close } = await open(many, "traffic?pool=web");
  await page.getByText("7 of 9 servers, the busiest; choose one above.").waitFor();
  assert.ok(await page.getByText("Choose pools").isHidden());
  await page.getByRole("combobox", { name: "Server" }).selectOption(servers[8]);
  await page.getByText("7 of 9 servers").waitFor({ state: "hidden" });
  await close();
});

test("nothing moves while it is paused, and it says since when", async () => {
  const { page, close } = await open(gateway, "traffic");
  await barOf(page, a).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText(/As of \d\d:\d\d:\d\d: paused/).waitFor();
  const before = await bars(page).innerText();
  // On a quiet machine the figures of steady traffic are the same every second.
  const more = await traffic(gateway, { rate: 80, path: "/api/test" });
  await eventually("the gateway knows of more", async () => {
    const servers = await gateway.get("metrics/servers");
    return servers.find((one) => one.pool === "api" && one.serverId === d.address).requestsPerSecond > 60;
  });
  assert.equal(await bars(page).innerText(), before);
  await page.getByRole("button", { name: "Resume" }).click();
  await eventually("it goes on", async () => (await figure(barOf(page, d, "api"))) > 60);
  await more.kill();
  await close();
});
