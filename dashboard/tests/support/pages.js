// The pages that there are.

export const PAGES = [
  { path: "", name: "Management" },
  { path: "traffic", name: "Traffic" },
  { path: "plugins", name: "Plugins" },
  { path: "requests", name: "Requests" },
  { path: "sessions", name: "Sessions" },
  { path: "events", name: "Events" },
  { path: "simulations", name: "Simulations" },
];

// Wait until a page follows the gateway and shows what it tells.
export async function isLive(page) {
  await page.getByRole("status").getByText("live", { exact: true }).or(page.getByRole("status").filter({ hasText: /^live$/ })).first().waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
}

// An answer of the API with something else in it, as a stranger's doing would.
export async function altered(page, pattern, alter) {
  await page.route(pattern, async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    alter(answer.data);
    await route.fulfill({ response, json: answer });
  });
}
