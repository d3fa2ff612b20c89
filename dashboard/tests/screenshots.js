// Pictures of every page, light and dark, on a desktop and on a phone, of a
// gateway that is at work, and of Management in a cluster: `node screenshots.js FOLDER`.

import { join } from "node:path";

import { DESKTOP, PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, build, clustered, configuration, traffic, visit } from "./support/gateway.js";
import { PAGES, isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { Redis } from "./support/redis.js";
import { file, simulated } from "./support/simulations.js";

const SIZES = { desktop: DESKTOP, phone: PHONE };

// How long the gateway works before it is pictured: a chart's whole minute.
const MINUTE_MS = 70_000;

// Shoppers whom the application knows.
const SESSIONS = 240;

const POLICIES = ["round-robin", "least-connections", "power-of-two", "peak-ewma", "prequal"];

const [folder] = process.argv.slice(2);

// A shop with a fallen server, one that is drained, one that errs, one whose circuit
// is open, and a canary.
async function shop() {
  const manners = [[], ["--delay", "4ms", "--jitter", "6ms"], ["--delay", "12ms"], ["--error-rate", "0.02"], [], [], ["--error-rate", "1"]];
  const web = await Promise.all(manners.map((options) => Backend.start(...options)));
  const api = await Promise.all([Backend.start("--delay", "2ms"), Backend.start("--delay", "2ms")]);
  const pools = { web: web.map((one) => one.address), api: api.map((one) => one.address) };
  const gateway = await Gateway.start(configuration(pools, { balancer: "weighted", affinity: "sticky-learn" }));
  await traffic(gateway, { rate: 160, path: "/products" });
  await traffic(gateway, { rate: 45, path: "/api/test" });
  const { version } = await gateway.ask("POST", "plugins?name=weighted", new Uint8Array(await build("weighted", "next")));
  await gateway.ask("PUT", "bindings/web/balancer", { canary: { version, percent: 20 } });
  await gateway.ask("PUT", `servers/${web[1].address}/weight`, { weight: 2 });
  await gateway.ask("POST", `servers/${web[4].address}/drain`);
  await web[5].running.kill();
  const shoppers = Array.from({ length: SESSIONS }, (_, number) => `shopper-${number}`);
  await visit(gateway, shoppers);
  // What clients name once only is forgotten within the minute.
  await visit(gateway, shoppers);
  return gateway;
}

// One of three gateways with one desired state, of which another one was killed.
async function clusterOfThree() {
  const [redis, ...servers] = await Promise.all([Redis.start(), Backend.start(), Backend.start("--delay", "3ms")]);
  const text = configuration({ web: servers.map((one) => one.address) }, { balancer: "least-connections" });
  const gateways = [];
  for (const name of ["gw-1", "gw-2", "gw-3"]) {
    gateways.push(await Gateway.start(clustered(text, redis, name)));
  }
  const [gateway, , killed] = gateways;
  await traffic(gateway, { rate: 80, path: "/products" });
  await eventually("each is known", async () => (await gateway.get("cluster")).gateways.length === 3);
  await killed.running.kill();
  await eventually("one is silent", async () => (await gateway.get("cluster")).gateways.some(({ silent }) => silent));
  return gateway;
}

// Picture a page in all its forms.
async function picture(gateway, path, name, prepare) {
  for (const theme of ["light", "dark"]) {
    for (const [device, size] of Object.entries(SIZES)) {
      const { page, close } = await open(gateway, path, { theme, size });
      await isLive(page);
      await prepare(page);
      await page.screenshot({ path: join(folder, `${name.toLowerCase()}-${theme}-${device}.png`) });
      await close();
    }
  }
  console.log(name);
}

// What a page shows beside what it opens with.
async function prepared(page, name, simulation) {
  if (name === "Plugins") {
    await isCounted(page);
  } else if (name === "Sessions") {
    await page.getByText("By server", { exact: true }).click();
  } else if (name === "Simulations") {
    await page.getByLabel("Simulation files").setInputFiles([file("slow-one.json", simulation)]);
    await page.getByRole("img", { name: /^Requests on servers/ }).waitFor();
  }
}

// How fast a plugin decides takes two readings.
function isCounted(page) {
  const seat = page.getByRole("region", { name: "web/balancer" });
  return eventually("decisions are counted", async () => /Decisions\/s\s+\d/.test(await seat.innerText()));
}

try {
  const gateway = await shop();
  const simulation = await simulated(POLICIES, { options: ["--timings"] });
  const began = Date.now();
  const points = async () => (await gateway.get("metrics/history")).time.length;
  await eventually("a minute is charted", async () => (await points()) >= 60, MINUTE_MS);
  console.log(`a minute of traffic after ${Math.round((Date.now() - began) / 1000)} s`);
  for (const { path, name } of PAGES) {
    await picture(gateway, path, name, (page) => prepared(page, name, simulation));
  }
  await picture(await clusterOfThree(), "", "Cluster", (page) => page.getByText("silent", { exact: true }).waitFor());
} finally {
  await endAll();
}
