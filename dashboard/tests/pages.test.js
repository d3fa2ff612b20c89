// What holds for every page, in both themes and on a phone.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { faults } from "./support/accessibility.js";
import { PHONE, eventually, open } from "./support/browser.js";
import { PAGES, isLive } from "./support/pages.js";
import { endAll } from "./support/processes.js";
import { world } from "./support/world.js";

// The most that a page may be, uncompressed, with its scripts, styles and
// pictures; not counted are the figures that it then reads.
const MOST_BYTES = 300_000;

let gateway, a;
before(async () => {
  ({ gateway, a } = await world());
  await eventually("some seconds are kept", async () => (await gateway.get("metrics/history")).time.length > 3);
});
after(endAll);

for (const { path, name } of PAGES) {
  describe(`the page ${name}`, () => {
    for (const theme of ["light", "dark"]) {
      test(`has no serious fault of accessibility in ${theme} colours`, async () => {
        const { page, close } = await open(gateway, path, { theme });
        await isLive(page);
        assert.deepEqual(await faults(page), []);
        await close();
      });
    }

    test("fits on a phone without scrolling sideways", async () => {
      const { page, close } = await open(gateway, path, { size: PHONE });
      await isLive(page);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= PHONE.width, `it is ${width} pixels wide`);
      const link = await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).boundingBox();
      assert.ok(link.x >= 0 && link.x + link.width <= PHONE.width, "its name is in sight");
      assert.deepEqual(await faults(page), []);
      await close();
    });

    test("is small and asks nobody else", async (context) => {
      const { page, seen, close } = await open(gateway, path);
      await isLive(page);
      const bytes = await seen.bytes();
      context.diagnostic(`${name}: ${bytes} bytes`);
      assert.ok(bytes > 1_000 && bytes < MOST_BYTES, `${bytes} bytes`);
      await close();
    });

    test("is reached by its name, and says which one it is", async () => {
      const { page, close } = await open(gateway, path === "" ? "traffic" : "");
      await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
      const link = page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name });
      await page.waitForURL(`${gateway.origin}/${path}`);
      assert.equal(await link.getAttribute("aria-current"), "page");
      await page.getByRole("heading", { level: 1 }).waitFor();
      await close();
    });

    test("lets the keyboard skip to its content", async () => {
      const { page, close } = await open(gateway, path);
      await page.keyboard.press("Tab");
      const skip = page.getByRole("link", { name: "Skip to the content" });
      assert.ok(await skip.evaluate((link) => link === document.activeElement));
      await page.keyboard.press("Enter");
      await eventually("the content has the focus", () => page.evaluate(() => document.activeElement.id === "main"));
      await close();
    });
  });
}

test("a dialog has no serious fault of accessibility in either theme", async () => {
  for (const theme of ["light", "dark"]) {
    const { page, close } = await open(gateway, "", { theme });
    await page.getByRole("button", { name: "Add server to web" }).click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await faults(page), []);
    await close();
  }
});

test("an unhealthy server's page has none either", async () => {
  await a.running.kill();
  for (const theme of ["light", "dark"]) {
    const { page, close } = await open(gateway, "", { theme });
    await page.getByText("unhealthy", { exact: true }).waitFor();
    assert.deepEqual(await faults(page), []);
    await close();
  }
  await a.again();
});
