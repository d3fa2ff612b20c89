// Simulations: what the real simulator printed, opened in the browser and compared
// there.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { faults } from "./support/accessibility.js";
import { DESKTOP, PHONE, eventually, open } from "./support/browser.js";
import { Backend, Gateway, configuration } from "./support/gateway.js";
import { endAll } from "./support/processes.js";
import { ABOUT, SCENARIO, file, simulated } from "./support/simulations.js";

const POLICIES = ["round-robin", "least-connections", "power-of-two"];

let gateway, first, second, timed;
before(async () => {
  const server = await Backend.start();
  gateway = await Gateway.start(configuration({ web: [server.address] }));
  first = await simulated(POLICIES);
  second = await simulated(POLICIES, { options: ["--seed", "7"] });
  timed = await simulated(["first"], { name: "timed", options: ["--timings"] });
});
after(endAll);

const picker = (page) => page.getByLabel("Simulation files");
const policies = (page) => page.getByRole("table", { name: "Policies" });
const rows = (page) => policies(page).getByRole("row").filter({ has: page.getByRole("rowheader") });
const chart = (page, title) => page.getByRole("img", { name: title });
const heat = (page) => page.getByRole("img", { name: /^Requests on servers under/ });
const box = (page, name) => page.getByRole("group", { name: "Lines of" }).getByRole("checkbox", { name });
const refusal = (page) => page.getByRole("alert");

async function opened(files, options = {}, path = "simulations") {
  const found = await open(gateway, path, options);
  await picker(found.page).setInputFiles(files);
  await rows(found.page).first().waitFor();
  return found;
}

const one = () => [file("slow-one.json", first)];
const two = () => [...one(), file("seed-7.json", second)];

// What a column says of each policy, by name.
async function column(page, label) {
  const heads = await policies(page).getByRole("columnheader").allInnerTexts();
  const place = heads.findIndex((head) => head.trim() === label);
  assert.ok(place > 0, `${label} is none of ${heads}`);
  const cells = await rows(page).evaluateAll(
    (all, index) => all.map(({ children }) => [children[0].textContent, children[index].textContent]),
    place,
  );
  return new Map(cells);
}

describe("before a file is open", () => {
  test("it is told how to make one", async () => {
    const { page, close } = await open(gateway, "simulations");
    await page.getByText("gatewright simulate examples/simulate/slow-server.toml --json").waitFor();
    await page.getByRole("button", { name: "Choose files" }).waitFor();
    assert.equal(await policies(page).count(), 0);
    await close();
  });

  test("the button opens the browser's picker, for several", async () => {
    const { page, close } = await open(gateway, "simulations");
    const asked = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Choose files" }).press("Enter");
    const chooser = await asked;
    assert.ok(chooser.isMultiple());
    await chooser.setFiles(two());
    await eventually("all are compared", async () => (await rows(page).count()) === 6);
    await close();
  });
});

describe("a simulation", () => {
  test("is told in its words and figures", async () => {
    const { page, close } = await opened(one());
    const card = page.getByRole("region", { name: "slow-one" });
    await card.getByText(ABOUT).waitFor();
    await card.getByText("6 servers · seed 1 · 3 policies · objective 100 ms").waitFor();
    const { policies: outcomes } = JSON.parse(first);
    const [p99, errors] = [await column(page, "p99"), await column(page, "Errors")];
    for (const { policy, p99Ms, errors: failed } of outcomes) {
      const [number, unit] = p99.get(policy).replace(/[^\d. ms]/g, "").trim().split(" ");
      const told = Number(number) * (unit.startsWith("s") ? 1000 : 1);
      assert.ok(Math.abs(told - p99Ms) <= p99Ms * 0.006, `${policy}: ${p99.get(policy)} of ${p99Ms}`);
      assert.ok(errors.get(policy).includes(String(failed)));
    }
    await close();
  });

  test("marks the best of each column, and that alone", async () => {
    const { page, close } = await opened(one());
    const { policies: outcomes } = JSON.parse(first);
    for (const [label, value] of [["p90", "p90Ms"], ["p99", "p99Ms"], ["Mean", "meanMs"], ["Imbalance", "imbalance"]]) {
      const cells = await column(page, label);
      const best = Math.min(...outcomes.map((outcome) => outcome[value]));
      for (const outcome of outcomes) {
        const isMarked = cells.get(outcome.policy).includes("★");
        assert.equal(isMarked, outcome[value] === best, `${outcome.policy} in ${label}`);
      }
    }
    const within = Math.max(...outcomes.map((outcome) => outcome.within));
    const cells = await column(page, "Within");
    assert.ok(outcomes.filter((outcome) => outcome.within === within).every(({ policy }) => cells.get(policy).includes("★")));
    for (const outcome of outcomes) {
      const words = `${(outcome.within * 100).toFixed(2)} %`;
      assert.ok(cells.get(outcome.policy).includes(words), `${cells.get(outcome.policy)} is not ${words}`);
    }
    await close();
  });

  test("is sorted by its columns", async () => {
    const { page, close } = await opened(one());
    await policies(page).getByRole("button", { name: "p99", exact: true }).click();
    const sorted = JSON.parse(first).policies.sort((a, b) => b.p99Ms - a.p99Ms).map(({ policy }) => policy);
    assert.deepEqual(await rows(page).getByRole("rowheader").allInnerTexts(), sorted);
    await close();
  });

  test("has lines of its response times and loads, told where the pointer is", async () => {
    const { page, close } = await opened(one());
    for (const [title, place] of [["Response times", /in [\d.]+ % of requests/], ["Requests at a time", /at [\d.]+ s/]]) {
      const drawn = chart(page, title);
      await drawn.hover();
      const figure = page.locator("figure").filter({ has: drawn });
      await figure.getByText(place).waitFor();
      for (const policy of POLICIES) {
        await figure.getByRole("listitem").filter({ hasText: policy }).getByText(/\d/).first().waitFor();
      }
    }
    await close();
  });

  test("shows each server over time, under each policy, and what each group got", async () => {
    const { page, close } = await opened(one());
    await page.getByRole("img", { name: /^Requests on servers under round-robin, 6 rows, at most/ }).waitFor();
    await heat(page).hover({ position: { x: 400, y: 10 } });
    await page.getByText(/^web\[0\] at [\d.]+ s: [\d.]+ requests$/).waitFor();
    await page.getByRole("combobox", { name: "Under" }).selectOption("power-of-two");
    await page.getByRole("img", { name: /^Requests on servers under power-of-two/ }).waitFor();
    const { groups } = JSON.parse(first).policies.find(({ policy }) => policy === "power-of-two");
    const small = page.getByRole("table", { name: "Groups of servers" }).getByRole("row").filter({ hasText: "small" });
    const { requests } = groups.find(({ name }) => name === "small");
    await small.getByRole("cell", { name: requests.toLocaleString("en"), exact: true }).waitFor();
    await close();
  });

  test("tells how long decisions took where that was asked for", async () => {
    const { page, close } = await opened(one());
    const heads = policies(page).getByRole("columnheader");
    assert.ok(!(await heads.allInnerTexts()).includes("Decision"));
    await picker(page).setInputFiles([file("timed.json", timed)]);
    await heads.filter({ hasText: "Decision" }).waitFor();
    const decision = await column(page, "Decision");
    assert.match(decision.get("first"), /^\d+(\.\d+)? (ns|µs)$/);
    assert.equal(decision.get("round-robin"), "–");
    await close();
  });

  test("comes in by being dropped, too", async () => {
    const { page, close } = await open(gateway, "simulations");
    const transfer = await page.evaluateHandle((text) => {
      const made = new DataTransfer();
      made.items.add(new File([text], "dropped.json", { type: "application/json" }));
      return made;
    }, first);
    await page.locator("#drop").dispatchEvent("drop", { dataTransfer: transfer });
    await eventually("its policies are shown", async () => (await rows(page).count()) === 3);
    await page.getByRole("button", { name: "Close dropped" }).waitFor();
    await close();
  });

  test("is sent nowhere", async () => {
    const { page, close } = await open(gateway, "simulations");
    await page.getByRole("status").getByText("live", { exact: true }).first().waitFor();
    const asked = [];
    page.on("request", (request) => asked.push(`${request.method()} ${request.url()}`));
    await picker(page).setInputFiles(one());
    await rows(page).first().waitFor();
    await heat(page).waitFor();
    assert.deepEqual(asked, []);
    await close();
  });
});

describe("several simulations", () => {
  test("are compared row by row, and closed one by one", async () => {
    const { page, close } = await opened(two());
    await eventually("all are there", async () => (await rows(page).count()) === 6);
    const names = await rows(page).evaluateAll((all) => all.map(({ children }) => children[1].textContent));
    assert.deepEqual(names, ["slow-one", "seed-7"].flatMap((name) => POLICIES.map(() => name)));
    await page.getByRole("button", { name: "Close slow-one" }).click();
    await eventually("its rows are gone", async () => (await rows(page).count()) === 3);
    await page.getByText("6 servers · seed 7").waitFor();
    await page.getByRole("button", { name: "Close seed-7" }).click();
    await page.getByText("gatewright simulate examples/simulate/slow-server.toml --json").waitFor();
    assert.ok(!(await page.getByRole("heading", { name: "Policies" }).isVisible()));
    await close();
  });

  test("of different scenarios have a best each", async () => {
    const other = JSON.parse(second);
    const { page, close } = await opened([...one(), file("other.json", JSON.stringify({ ...other, scenario: "another" }))]);
    await page.getByText("of its scenario: other traffic, other figures").waitFor();
    const marks = await rows(page).filter({ hasText: "★" }).allInnerTexts();
    assert.ok(marks.some((text) => text.includes("slow-one")) && marks.some((text) => text.includes("other")), marks.join());
    await close();
  });

  test("are opened once", async () => {
    const { page, close } = await opened(one());
    await picker(page).setInputFiles([file("copy.json", first)]);
    await refusal(page).getByText("copy.json has nothing that is not open already.").waitFor();
    assert.equal(await rows(page).count(), 3);
    await close();
  });

  test("have no more lines than can be told apart", async () => {
    const third = JSON.stringify({ ...JSON.parse(second), seed: 8 });
    const { page, close } = await opened([...two(), file("seed-8.json", third)]);
    await eventually("all are there", async () => (await rows(page).count()) === 9);
    await page.getByText("8 lines can be told apart: take one away to add another.").waitFor();
    assert.ok(await box(page, "power-of-two · seed-8").isDisabled());
    await box(page, "round-robin · slow-one").uncheck();
    await box(page, "power-of-two · seed-8").check();
    await close();
  });
});

test("how it is looked at is in the address, and the files are not", async () => {
  const { page, close } = await opened(one());
  await box(page, "round-robin").uncheck();
  await page.getByRole("combobox", { name: "Load" }).selectOption("mean");
  await page.getByRole("combobox", { name: "Under" }).selectOption("power-of-two");
  const { search } = new URL(page.url());
  assert.equal(search, "?line=least-connections&line=power-of-two&load=mean&under=power-of-two");
  await close();
  const again = await opened(one(), {}, `simulations${search}`);
  assert.ok(!(await box(again.page, "round-robin").isChecked()));
  assert.ok(await box(again.page, "least-connections").isChecked());
  assert.equal(await again.page.getByRole("combobox", { name: "Load" }).inputValue(), "mean");
  await again.page.getByRole("img", { name: /^Requests on servers under power-of-two/ }).waitFor();
  await again.close();
});

describe("a file that is something else", () => {
  const altered = (change) => {
    const report = JSON.parse(first);
    change(report);
    return JSON.stringify(report);
  };
  const CASES = [
    ["is empty", () => "", "It is empty."],
    ["is a scenario", () => SCENARIO, "It looks like a scenario, which has to be simulated first"],
    ["was cut off", () => first.slice(0, 5_000), "Its JSON is broken, or not all of it is there"],
    ["is another JSON", () => '{"success": true, "data": []}', "“scenario” is missing: it is not what gatewright simulate --json prints."],
    ["is a list", () => "[]", "It is a list, and should be an object"],
    ["has a text for a number", () => altered(({ policies: [, one] }) => { one.p99Ms = "fast"; }), "“policies[1].p99Ms” is a text, and should be a number."],
    ["compares nobody", () => altered((report) => { report.policies = []; }), "“policies” is empty: there is nothing to compare."],
    ["has columns of different lengths", () => altered(({ policies: [one] }) => { one.load.max.pop(); }), /“policies\[0\]\.load\.max” has \d+ values for \d+ moments\./],
  ];

  for (const [what, text, message] of CASES) {
    test(`that ${what} is told to be`, async () => {
      const { page, close } = await open(gateway, "simulations");
      await picker(page).setInputFiles([file("bad.json", text())]);
      await refusal(page).getByText("bad.json cannot be shown.").waitFor();
      await refusal(page).getByText(message).waitFor();
      assert.equal(await policies(page).count(), 0);
      await close();
    });
  }

  test("that is the table for people is told to be, and the good one beside it is shown", async () => {
    const table = await simulated(["first"], { json: false });
    const { page, close } = await open(gateway, "simulations");
    await picker(page).setInputFiles([file("table.txt", table), ...one()]);
    await refusal(page).getByText("table.txt cannot be shown. It is no JSON. Make one by gatewright simulate SCENARIO --json > FILE").waitFor();
    await eventually("the good one is shown", async () => (await rows(page).count()) === 3);
    await close();
  });

  test("is text, whatever it says", async () => {
    const hostile = `<img src="x" onerror="window.isTaken = true">`;
    const text = altered((report) => {
      report.about = hostile;
      report.policies[0].policy = hostile;
      report.policies[0].groups[0].name = hostile;
    });
    const { page, close } = await opened([file(`${hostile}.json`, text)]);
    await rows(page).getByText(hostile).first().waitFor();
    assert.equal(await page.locator("img[src=x]").count(), 0);
    assert.equal(await page.evaluate(() => window.isTaken), undefined);
    await close();
  });

  test("of an earlier version lacks what that did not tell, and is shown all the same", async () => {
    const text = altered(({ policies: all }) => {
      for (const outcome of all) {
        ["heat", "groups", "load", "distribution", "within"].forEach((name) => delete outcome[name]);
      }
    });
    const { page, close } = await opened([file("early.json", text)]);
    assert.equal(await rows(page).count(), 3);
    assert.ok(!(await page.getByRole("heading", { name: "Servers over time" }).isVisible()));
    await close();
  });
});

test("what is open has no serious fault of accessibility, and fits every screen", async () => {
  const TABLET = { width: 1_100, height: 800 };
  for (const options of [{ theme: "light" }, { theme: "dark" }, { size: PHONE }, { size: TABLET }]) {
    const { page, close } = await opened(two(), options);
    await heat(page).waitFor();
    assert.deepEqual(await faults(page), []);
    const { width } = options.size ?? DESKTOP;
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `it is ${wide} pixels wide at ${width}`);
    await close();
  }
});

test("a gateway that does not answer takes nothing away", async () => {
  const { page, close } = await opened(one(), { expects: [/ERR_/] });
  await gateway.running.kill();
  await page.getByRole("status").getByText("reconnecting").waitFor();
  assert.equal(await rows(page).count(), 3);
  assert.equal(await heat(page).evaluate((canvas) => getComputedStyle(canvas).filter), "none");
  await picker(page).setInputFiles([file("seed-7.json", second)]);
  await eventually("others can be opened", async () => (await rows(page).count()) === 6);
  await close();
});
