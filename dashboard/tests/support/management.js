// What the tests of Management look at: pools, rows, messages.

// A browser says so of every answer that refuses.
export const REFUSED = /status of 4\d\d/;

export const pool = (page, name) => page.getByRole("region", { name, exact: true });
export const rowOf = (page, server, name = "web") => pool(page, name).getByRole("row").filter({ hasText: server.address });

export const toast = (page) => page.getByRole("status").filter({ has: page.getByRole("button", { name: "Undo" }) }).last();
export const undo = (page) => toast(page).getByRole("button", { name: "Undo" }).last().click();

// What a column says of a server.
export async function cell(page, row, column) {
  const heads = await page.getByRole("columnheader").allInnerTexts();
  const index = heads.findIndex((head) => head.toLowerCase().startsWith(column.toLowerCase()));
  return row.getByRole("rowheader").or(row.getByRole("cell")).nth(index).innerText();
}

// What a screen reader says of a field beside its name.
export async function described(field) {
  return field.evaluate((input) =>
    (input.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" "));
}
