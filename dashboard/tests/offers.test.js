// What forms offer: what can do what it is chosen for, and nothing else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open } from "./support/browser.js";
import { build } from "./support/gateway.js";
import { altered } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

const SEAT = "web/balancer";
const PLUGIN = "round-robin";

// Those of the default set.
const BALANCERS = [
  "adaptive", "consistent-hash", "first", "ip-hash", "least-connections", "peak-ewma", "power-of-two",
  "prequal", PLUGIN, "weighted", "weighted-random", "zone",
];
const AFFINITIES = ["sticky-cookie", "sticky-ip", "sticky-learn"];

let gateway, balancer, affinity;
before(async () => {
  ({ gateway } = await world());
  // Two versions of one plugin, each of which can do something else.
  balancer = await uploaded(PLUGIN);
  affinity = await uploaded("sticky-cookie");
});
after(endAll);

async function uploaded(component) {
  const bytes = new Uint8Array(await build(component, "offered"));
  const { version } = await gateway.ask("POST", `plugins?name=${PLUGIN}`, bytes);
  return version;
}

const seat = (page) => page.getByRole("region", { name: SEAT, exact: true });

async function valuesOf(field) {
  await field.waitFor();
  return field.locator("option").evaluateAll((options) => options.map(({ value }) => value));
}

test("only balancers, in their versions that balance, can be activated where one balances", async () => {
  const { page, close } = await open(gateway, "plugins");
  await seat(page).getByRole("button", { name: `Activate in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `Who decides in ${SEAT}?` });
  const plugins = await valuesOf(dialog.getByLabel("Plugin"));
  assert.deepEqual(plugins, BALANCERS);
  const versions = await valuesOf(dialog.getByLabel("Version"));
  assert.ok(versions.includes(balancer) && !versions.includes(affinity), versions.join());
  assert.equal(versions[0], "", "the plugin's own can");
  await close();
});

test("an affinity is offered where sessions are kept, though its plugin is known as a balancer", async () => {
  await gateway.ask("PUT", "pools/web", { sessionPersistence: true });
  const { page, close } = await open(gateway, "plugins");
  const sessions = page.getByRole("region", { name: "web/affinity", exact: true });
  await sessions.getByRole("button", { name: "Activate in web/affinity" }).click();
  const dialog = page.getByRole("dialog", { name: "Who decides in web/affinity?" });
  const plugins = dialog.getByLabel("Plugin");
  assert.deepEqual(await valuesOf(plugins), [PLUGIN, ...AFFINITIES]);
  await plugins.selectOption(PLUGIN);
  const version = dialog.getByLabel("Version");
  await version.locator(`option[value="${affinity}"]`).waitFor({ state: "attached" });
  assert.deepEqual(await valuesOf(version), [affinity], "its own version cannot");
  await dialog.getByRole("button", { name: "Activate" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.equal((await gateway.get("bindings/web/affinity")).version, affinity);
  await gateway.ask("PUT", "pools/web", { sessionPersistence: false });
  await close();
});

test("only versions that balance can be tried beside a balancer", async () => {
  const { page, close } = await open(gateway, "plugins");
  for (const part of ["Canary", "Shadow"]) {
    await seat(page).getByRole("button", { name: `${part} in ${SEAT}` }).click();
    const dialog = page.getByRole("dialog", { name: `A ${part.toLowerCase()} in ${SEAT}` });
    assert.deepEqual(await valuesOf(dialog.getByLabel("Version")), [balancer]);
    await dialog.getByRole("button", { name: "Cancel" }).click();
  }
  await close();
});

test("no policy can be bound where no plugin is one, and it is said why", async () => {
  const isPolicy = ({ versions }) => versions.some(({ roles }) => roles.some((role) => role.endsWith("-policy")));
  const first = (page) => altered(page, /api\/plugins$/, ({ plugins }) => {
    plugins.splice(0, plugins.length, ...plugins.filter((plugin) => !isPolicy(plugin)));
  });
  const { page, close } = await open(gateway, "plugins", { first });
  await seat(page).waitFor();
  await page.getByRole("button", { name: "Bind a policy" }).click();
  const dialog = page.getByRole("dialog", { name: "Bind a policy" });
  await dialog.getByText("No plugin here can be a policy. Upload one first.").waitFor();
  assert.equal(await dialog.getByRole("textbox").count(), 0);
  await close();
});

test("a policy is offered for the moment that it can be asked at", async () => {
  const roles = { early: ["request-policy"], late: ["request-policy", "response-policy"] };
  const version = (name) => ({ version: name.padEnd(64, "0"), roles: roles[name], source: "upload", uploadedAt: new Date().toISOString() });
  const first = async (page) => {
    await altered(page, /api\/plugins$/, ({ plugins }) => {
      plugins.push(...Object.keys(roles).map((name) => ({ ...plugins[0], name, versions: [version(name)] })));
    });
    for (const name of Object.keys(roles)) {
      const data = { name, version: version(name).version, versions: [version(name)] };
      await page.route(`**/api/plugins/${name}`, (route) => route.fulfill({ json: { success: true, data } }));
    }
  };
  const { page, close } = await open(gateway, "plugins", { first });
  await seat(page).waitFor();
  await page.getByRole("button", { name: "Bind a policy" }).click();
  const dialog = page.getByRole("dialog", { name: "Bind a policy" });
  const plugin = dialog.getByLabel("Plugin");
  const offered = async () => (await valuesOf(plugin)).filter((name) => name in roles);
  assert.deepEqual(await offered(), ["early", "late"]);
  await dialog.getByLabel("When", { exact: true }).selectOption("response-policy");
  assert.deepEqual(await offered(), ["late"]);
  await plugin.selectOption("late");
  await dialog.locator(`option[value="${version("late").version}"]`).waitFor({ state: "attached" });
  await close();
});
