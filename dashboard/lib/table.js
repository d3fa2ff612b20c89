// A table that sorts by its columns and keeps its rows.

import { button, element, setAttribute, setText } from "./dom.js";
import { Rows } from "./rows.js";

// How long somebody who has moved the pointer or pressed a key aims at a row of
// a log, whose newest entries are what one waits for.
const AIM_MS = 3_000;

export class Table {
  #columns;
  #isLog;
  #usedAt = -Infinity;
  #order;
  #rows;
  #items = [];
  #heads;
  #body;
  #key;
  #positions = new Map();

  // Columns are `{id, label, text(item) | make(item) → {node, update(item)},
  // sort(item), isNumber, isHead, hidesLabel, wide, long}`. A column without
  // `sort` does not sort. A wide one takes what room is left, and on a narrow
  // screen it takes a line, as a long one does. The rows of a log come and go.
  constructor({ caption, columns, key, order = null, onRow, isLog = false }) {
    this.#columns = columns;
    this.#isLog = isLog;
    this.#key = key;
    this.#order = order;
    this.#heads = new Map(columns.map((column) => [column.id, this.#head(column)]));
    this.#body = element("tbody");
    this.element = element(
      "table",
      {},
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, element("tr", {}, [...this.#heads.values()])),
      this.#body,
    );
    this.#rows = new Rows(this.#body, {
      columns: columns.length,
      key,
      make: (item) => this.#row(item, onRow),
    });
    this.#mark();
    ["pointermove", "keydown"].forEach((event) =>
      this.#body.addEventListener(event, () => {
        this.#usedAt = performance.now();
      }),
    );
  }

  show(items) {
    this.#items = items;
    setAttribute(this.element, "aria-rowcount", items.length + 1);
    this.#rows.show(this.#sorted());
  }

  #head({ id, label, sort, isNumber, hidesLabel }) {
    const content = hidesLabel ? element("span", { class: "unseen" }, label) : label;
    const inner = sort ? button(label, { class: "sort" }, () => this.#sortBy(id)) : content;
    return element("th", { scope: "col", class: isNumber ? "number" : null }, inner);
  }

  #sortBy(id) {
    const isSame = this.#order?.id === id;
    const column = this.#columns.find((one) => one.id === id);
    // Of figures, the largest are of interest first.
    const first = Boolean(column.isNumber);
    this.#order = { id, descending: isSame ? !this.#order.descending : first };
    this.#positions.clear();
    this.#mark();
    this.#rows.show(this.#sorted());
  }

  #mark() {
    for (const [id, head] of this.#heads) {
      const isIt = this.#order?.id === id;
      const direction = this.#order?.descending ? "descending" : "ascending";
      setAttribute(head, "aria-sort", isIt ? direction : null);
    }
  }

  #sorted() {
    const column = this.#columns.find((one) => one.id === this.#order?.id);
    if (!column) {
      return this.#items;
    }
    const sign = this.#order.descending ? -1 : 1;
    const compare = this.#isHeld()
      ? (one, other) => this.#position(one) - this.#position(other)
      : (one, other) => sign * compared(column.sort(one), column.sort(other));
    const sorted = [...this.#items].sort(compare);
    this.#positions = new Map(sorted.map((item, index) => [this.#key(item), index]));
    return sorted;
  }

  // Nothing moves away from under a pointer or out of a focus: who aims at a
  // row's button must not hit another row's.
  #isHeld() {
    const isUsed = !this.#isLog || performance.now() - this.#usedAt < AIM_MS;
    return isUsed && this.#positions.size > 0 && this.#body.matches(":hover, :focus-within");
  }

  #position(item) {
    return this.#positions.get(this.#key(item)) ?? Infinity;
  }

  #row(item, onRow) {
    const updates = [];
    const cells = this.#columns.map((column) => {
      const { isNumber, isHead, label, hidesLabel, wide, long } = column;
      const classes = [isNumber && "number", wide && "wide", long && "long"]
        .filter(Boolean)
        .join(" ");
      const cell = element(isHead ? "th" : "td", {
        scope: isHead ? "row" : null,
        class: classes || null,
        // On a narrow screen each row is a card, and this its labels.
        dataset: hidesLabel || isHead ? {} : { label },
      });
      if (column.make) {
        const made = column.make(item);
        cell.append(made.node);
        updates.push(made.update);
      } else {
        updates.push((now) => setText(cell, column.text(now)));
      }
      return cell;
    });
    const row = element("tr", {}, cells);
    return {
      element: row,
      update(now) {
        updates.forEach((update) => update?.(now));
        onRow?.(row, now);
      },
    };
  }
}

// Names in the order that people expect, with numbers by their value.
export const byName = new Intl.Collator("en", { numeric: true }).compare;

function compared(one, other) {
  if (typeof one === "string") {
    return byName(one, other);
  }
  return (one ?? -1) - (other ?? -1);
}
