// Plugins: brought in, tried beside, activated, rolled back, looked at.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, open } from "./support/browser.js";
import { build } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

const REFUSED = /status of 4\d\d/;

// What the tests bind: the balancer of pool web.
const SEAT = "web/balancer";
const PLUGIN = "round-robin";

let gateway;
before(async () => {
  ({ gateway } = await world());
});
after(endAll);

const seat = (page, name = SEAT) => page.getByRole("region", { name, exact: true });
const bound = () => gateway.get(`bindings/${SEAT}`);
const short = (version) => version.slice(0, 8);

async function upload(page, name, bytes) {
  await page.getByLabel("Component file").setInputFiles({ name: `${name}.wasm`, mimeType: "application/wasm", buffer: bytes });
  const dialog = page.getByRole("dialog", { name: `Upload ${name}.wasm` });
  assert.equal(await dialog.getByLabel("Plugin").inputValue(), name);
  await dialog.getByRole("button", { name: "Upload" }).click();
  await dialog.waitFor({ state: "detached" });
}

// A version of the default plugin that is there and bound nowhere.
async function uploaded(text) {
  const bytes = await build(PLUGIN, text);
  const { version } = await gateway.ask("POST", `plugins?name=${PLUGIN}`, new Uint8Array(bytes));
  return version;
}

async function confirmed(page, name, action) {
  await page.getByRole("dialog", { name }).getByRole("button", { name: action, exact: true }).click();
}

async function begin(page, part, version) {
  await seat(page).getByRole("button", { name: `${part} in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `A ${part.toLowerCase()} in ${SEAT}` });
  await dialog.getByLabel("Version").selectOption(version);
  await dialog.getByLabel(`${part} share`).fill("50");
  await dialog.getByRole("button", { name: "Start" }).click();
  await dialog.waitFor({ state: "detached" });
}

test("a version is uploaded, tried as a canary, promoted, and rolled back", async () => {
  const { page, close } = await open(gateway, "plugins", { expects: [REFUSED] });
  const before = (await bound()).version;
  await seat(page).waitFor();
  await upload(page, PLUGIN, await build(PLUGIN, "canary"));
  await page.getByRole("status").filter({ hasText: "is there" }).waitFor();
  const { versions } = await gateway.get(`plugins/${PLUGIN}`);
  const { version } = versions.find((one) => one.source === "upload");

  await begin(page, "Canary", version);
  await eventually("it decides for its share", async () => {
    const { bindings } = await gateway.get(`plugins/${PLUGIN}/stats`);
    return bindings.some((one) => one.part === "canary" && one.decisions > 10);
  });
  await seat(page).getByText(/[1-9]\d* decisions, 0 faults/).waitFor();
  const slider = seat(page).getByRole("slider", { name: `Canary share in ${SEAT}` });
  const apply = seat(page).getByRole("button", { name: `Apply canary share in ${SEAT}` });
  await slider.fill("79");
  await slider.press("ArrowRight");
  assert.equal((await bound()).canary.percent, 50, "what the keyboard passes by is not in force");
  await apply.click();
  await eventually("it has another share", async () => (await bound()).canary.percent === 80);
  // What is refused is not shown as if it were so.
  await page.route(`**/api/bindings/${SEAT}`, (route) =>
    route.fulfill({ status: 422, json: { success: false, error: { code: "invalid", message: "not here" } } }));
  await slider.fill("20");
  await apply.click();
  await page.getByRole("alert").filter({ hasText: "not here" }).waitFor();
  assert.equal(await slider.inputValue(), "80");
  await page.unroute(`**/api/bindings/${SEAT}`);

  await seat(page).getByRole("button", { name: `Promote canary in ${SEAT}` }).click();
  await confirmed(page, `Promote ${short(version)}`, "Promote");
  await eventually("it decides for all", async () => (await bound()).version === version);
  await seat(page).getByText(short(version)).first().waitFor();

  await seat(page).getByRole("button", { name: `Roll back ${SEAT}` }).click();
  await confirmed(page, `Roll ${SEAT} back?`, "Roll back");
  // What was bound before the promotion had a canary, which ends with it.
  await eventually("what was before decides", async () => (await bound()).version === before && (await bound()).canary === null);
  await close();
});

test("a shadow's agreement is told, and it ends", async () => {
  const version = await uploaded("shadow");
  const { page, close } = await open(gateway, "plugins");
  await seat(page).waitFor();
  await begin(page, "Shadow", version);
  await seat(page).getByText(/Agreement [\d.]+\s?% of [1-9]/).waitFor();
  await seat(page).getByRole("button", { name: `End shadow in ${SEAT}` }).click();
  await eventually("it has ended", async () => (await bound()).shadow === null);
  await close();
});

test("another plugin is activated, and undone", async () => {
  const { page, close } = await open(gateway, "plugins");
  await seat(page).getByRole("button", { name: `Activate in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `Who decides in ${SEAT}?` });
  await dialog.getByLabel("Plugin").selectOption("power-of-two");
  await dialog.getByRole("button", { name: "Activate" }).click();
  await eventually("it decides", async () => (await bound()).plugin === "power-of-two");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await eventually("the one before decides", async () => (await bound()).plugin === PLUGIN);
  await close();
});

test("the versions to choose from are those of the plugin that is chosen", async () => {
  const [{ version: own }] = (await gateway.get("plugins/power-of-two")).versions;
  const { version: pinned } = await bound();
  await gateway.ask("PUT", `bindings/${SEAT}`, { version: pinned });
  const { page, close } = await open(gateway, "plugins");
  await seat(page).getByText("chosen here").waitFor();
  await seat(page).getByRole("button", { name: `Activate in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `Who decides in ${SEAT}?` });
  const version = dialog.getByLabel("Version");
  assert.equal(await version.inputValue(), pinned);
  await dialog.getByLabel("Plugin").selectOption("power-of-two");
  await eventually("its versions are there", async () => (await version.locator(`option[value="${own}"]`).count()) === 1);
  assert.equal(await version.locator(`option[value="${pinned}"]`).count(), 0, "and no other's");
  assert.equal(await version.inputValue(), "");
  await dialog.getByLabel("Plugin").selectOption(PLUGIN);
  await eventually("the one that is bound is chosen again", async () => (await version.inputValue()) === pinned);
  await dialog.getByLabel("Plugin").selectOption("power-of-two");
  await version.selectOption(own);
  await dialog.getByRole("button", { name: "Activate" }).click();
  await eventually("it decides", async () => (await bound()).version === own);
  await gateway.ask("PUT", `bindings/${SEAT}`, { plugin: PLUGIN, version: null });
  await close();
});

test("another plugin is undone with the canary that ended by it", async () => {
  const version = await uploaded("beside");
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: { version, percent: 5 } });
  const { page, close } = await open(gateway, "plugins");
  await seat(page).getByText(`Canary ${short(version)}`).waitFor();
  await seat(page).getByRole("button", { name: `Activate in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `Who decides in ${SEAT}?` });
  await dialog.getByLabel("Plugin").selectOption("power-of-two");
  await dialog.getByRole("button", { name: "Activate" }).click();
  await eventually("it decides", async () => (await bound()).plugin === "power-of-two");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await eventually("the canary is back", async () => (await bound()).canary?.version === version);
  assert.equal((await bound()).plugin, PLUGIN);
  await gateway.ask("PUT", `bindings/${SEAT}`, { canary: null });
  await close();
});

test("a rollback by Undo goes over no change of somebody else's", async () => {
  const { page, close } = await open(gateway, "plugins", { expects: [REFUSED] });
  await seat(page).getByRole("button", { name: `Activate in ${SEAT}` }).click();
  const dialog = page.getByRole("dialog", { name: `Who decides in ${SEAT}?` });
  await dialog.getByLabel("Plugin").selectOption("power-of-two");
  await dialog.getByRole("button", { name: "Activate" }).click();
  const undo = page.getByRole("button", { name: "Undo" }).last();
  await undo.waitFor();
  await gateway.ask("PUT", `bindings/${SEAT}`, { plugin: "weighted", version: null });
  await undo.click();
  await page.getByRole("alert").filter({ hasText: "the configuration has been changed since" }).waitFor();
  assert.equal((await bound()).plugin, "weighted");
  await gateway.ask("PUT", `bindings/${SEAT}`, { plugin: PLUGIN, version: null });
  await close();
});

test("what is no plugin is refused with the whole reason", async () => {
  const { page, close } = await open(gateway, "plugins", { expects: [REFUSED] });
  await seat(page).waitFor();
  await upload(page, "nonsense", Buffer.from("no component"));
  const refusal = page.getByRole("alert").filter({ hasText: "nonsense.wasm was refused" });
  await refusal.waitFor();
  const told = await fetch(`${gateway.origin}/api/plugins?name=nonsense`, {
    method: "POST",
    headers: { "content-type": "application/wasm" },
    body: "no component",
  });
  const { error } = await told.json();
  assert.ok((await refusal.innerText()).includes(error.message), await refusal.innerText());
  await close();
});

test("what is read aloud of an upload is what changes, and not how far it is", async () => {
  const { page, close } = await open(gateway, "plugins", { expects: [REFUSED] });
  await seat(page).waitFor();
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 1_000_000,
  });
  const spoken = await page.evaluateHandle(() => {
    const texts = new Set();
    new MutationObserver(() => document.querySelectorAll("#uploads [role=status]").forEach((one) => texts.add(one.textContent)))
      .observe(document.getElementById("uploads"), { childList: true, subtree: true, characterData: true });
    return texts;
  });
  await upload(page, "slow", Buffer.alloc(1_500_000));
  const far = await page.getByText(/ of 1\.4 MiB$/).first().innerText();
  await eventually("it goes on", async () => {
    const now = await page.getByText(/ of 1\.4 MiB$/).or(page.getByRole("alert")).first().innerText();
    return now !== far;
  });
  await page.getByRole("alert").filter({ hasText: "slow.wasm was refused" }).waitFor();
  const said = await spoken.evaluate((texts) => [...texts]);
  assert.ok(said.length <= 3, said.join("\n"));
  await close();
});

test("how long a compile lasts is told by the page's own clock", async () => {
  const early = { time: Date.now() - 3_600_000 };
  const { page, close } = await open(gateway, "plugins", { first: (page) => page.clock.install(early) });
  await seat(page).waitFor();
  const told = await page.evaluateHandle(() => {
    const texts = new Set();
    new MutationObserver(() => document.querySelectorAll("#uploads .quiet").forEach((one) => texts.add(one.textContent)))
      .observe(document.getElementById("uploads"), { childList: true, subtree: true, characterData: true });
    return texts;
  });
  // The largest: its compile takes some seconds.
  await upload(page, "path-router", await build("path-router", "lasting"));
  await page.getByRole("region", { name: "path-router", exact: true }).waitFor();
  const lasts = (await told.evaluate((texts) => [...texts])).filter((text) => text.startsWith("for"));
  assert.ok(lasts.length > 0 && lasts.every((text) => /^for \d s now$/.test(text)), lasts.join());
  await close();
});

test("a component that is dropped comes in, and is deleted again", async () => {
  const { page, close } = await open(gateway, "plugins");
  await seat(page).waitFor();
  const bytes = [...await build("weighted", "dropped")];
  await page.getByText("Drop a WebAssembly component here").evaluate((target, content) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(content)], "dropped.wasm", { type: "application/wasm" }));
    target.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
  }, bytes);
  const dialog = page.getByRole("dialog", { name: "Upload dropped.wasm" });
  await dialog.getByRole("button", { name: "Upload" }).click();
  const detail = page.getByRole("region", { name: "dropped", exact: true });
  await detail.getByRole("table", { name: "Versions of dropped" }).waitFor();
  await detail.getByRole("button", { name: "Delete plugin" }).click();
  await confirmed(page, "Delete plugin dropped?", "Delete plugin");
  await eventually("it is gone", async () => (await gateway.get("plugins")).plugins.every(({ name }) => name !== "dropped"));
  await close();
});

test("a plugin tells how long its decisions take, and what it writes", async () => {
  const { page, close } = await open(gateway, "plugins");
  await page.getByRole("table", { name: "Plugins" }).getByRole("button", { name: "path-router", exact: true }).click();
  const detail = page.getByRole("region", { name: "path-router", exact: true });
  const times = detail.getByRole("list", { name: /^Decision times of -\/router/ });
  await times.getByRole("listitem").first().waitFor();
  await detail.getByText(/[1-9][\d,.]* decisions, no faults.* of memory/).waitFor();
  await detail.getByRole("list", { name: "Log of path-router" }).waitFor();
  await close();
});

test("a plugin that is opened twice at once is looked at once, and none that was closed", async () => {
  const { page, close } = await open(gateway, "plugins");
  const looks = [];
  page.on("request", (request) => /path-router\/logs/.test(request.url()) && looks.push(performance.now()));
  const name = page.getByRole("table", { name: "Plugins" }).getByRole("button", { name: "path-router", exact: true });
  const detail = page.getByRole("region", { name: "path-router", exact: true });
  await name.dblclick();
  await eventually("it is looked at again and again", () => looks.length === 4);
  const took = looks[3] - looks[0];
  assert.ok(took > 5_000, `four looks within ${took} ms are those of two`);
  await detail.getByRole("button", { name: "Close path-router" }).click();

  // Closed before it is there, it stays closed.
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/api/plugins/path-router", async (route) => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest("**/api/plugins/path-router");
  await name.click();
  await asked;
  await detail.getByRole("button", { name: "Close path-router" }).click();
  looks.length = 0;
  const answered = page.waitForResponse("**/api/plugins/path-router");
  release();
  await answered;
  await page.waitForTimeout(3_000);
  assert.equal(looks.length, 0, "nobody looks at what is closed");
  await close();
});

test("an address leads to the plugin that it names, whenever it is written", async () => {
  const { page, close } = await open(gateway, "plugins#no%20such%plugin", { expects: [REFUSED] });
  await page.getByRole("alert").getByText(/could not be read/).waitFor();
  await page.evaluate(() => {
    location.hash = "weighted";
  });
  await page.getByRole("region", { name: "weighted", exact: true }).waitFor();
  await close();
});

test("the picture shows every step of a request with who decides there", async () => {
  const { page, close } = await open(gateway, "plugins");
  const picture = page.getByRole("region", { name: "The way of a request" });
  await picture.getByText("path-router").waitFor();
  await picture.getByText(gateway.address).first().waitFor();
  const lane = picture.getByRole("list", { name: "In pool web" });
  await lane.getByText(PLUGIN).waitFor();
  await eventually("times are told", async () => /\d\s?(ns|µs)/.test(await lane.innerText()));
  await close();
});
