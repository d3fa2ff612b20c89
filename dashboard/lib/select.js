// Lists to choose one of what there is from, or all of it.

import { element } from "./dom.js";

// Offer `names` below `all`, whose value is empty. A list is changed when what it
// lists does, and not with every figure.
export function fill(select, all, names, current) {
  const wanted = [all, ...names];
  const isSame =
    select.options.length === wanted.length &&
    wanted.every((name, index) => select.options[index].textContent === name);
  if (!isSame) {
    select.replaceChildren(
      ...wanted.map((name, index) => element("option", { value: index === 0 ? "" : name }, name)),
    );
  }
  select.value = current ?? "";
}
