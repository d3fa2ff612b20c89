// Rows of a table: only those near the screen are elements, so that a thousand
// servers cost as much as forty.

import { element } from "./dom.js";
import { timed } from "./frames.js";

// Fewer are simply all there.
const FEW = 60;

// Rows beyond the screen's edges, so that scrolling shows no gap.
const MARGIN = 8;

// The height of a row, in pixels, before there is one to measure.
const USUAL_HEIGHT = 36;

export class Rows {
  #body;
  #columns;
  #key;
  #make;
  #items = [];
  #rows = new Map();
  #above;
  #below;
  #height = null;
  #isAsked = false;

  // `make(item)` gives `{element, update(item)}`, all of about one height.
  constructor(body, { columns, key, make }) {
    this.#body = body;
    this.#columns = columns;
    this.#key = key;
    this.#make = make;
    this.#above = spacer(columns);
    this.#below = spacer(columns);
  }

  // Show these items, in this order.
  show(items) {
    this.#items = items;
    this.#height = null;
    this.#draw(true);
    if (items.length > FEW) {
      ["scroll", "resize"].forEach((event) => window.addEventListener(event, this.#later));
    }
  }

  // Draw once more in the next frame; a table that has left the page lets go.
  #later = ({ type }) => {
    if (type === "resize") {
      this.#height = null;
    }
    if (!this.#body.isConnected) {
      ["scroll", "resize"].forEach((event) => window.removeEventListener(event, this.#later));
    } else if (!this.#isAsked && this.#items.length > FEW) {
      this.#isAsked = true;
      requestAnimationFrame(() => {
        this.#isAsked = false;
        timed("scroll", () => this.#draw(false));
      });
    }
  };

  #draw(isNews) {
    const { first, last } = this.#window();
    const shown = this.#items.slice(first, last);
    const keys = new Set(shown.map(this.#key));
    for (const [key, row] of this.#rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.#rows.delete(key);
      }
    }
    this.#space(this.#above, first, "first");
    let next = this.#above.isConnected
      ? this.#above.nextElementSibling
      : this.#body.firstElementChild;
    shown.forEach((item, index) => {
      const key = this.#key(item);
      let row = this.#rows.get(key);
      if (!row) {
        row = this.#make(item);
        this.#rows.set(key, row);
        row.update(item);
      } else if (isNews) {
        row.update(item);
      }
      row.element.setAttribute("aria-rowindex", first + index + 2);
      if (row.element === next) {
        next = next.nextElementSibling;
      } else {
        this.#body.insertBefore(row.element, next);
      }
    });
    this.#space(this.#below, this.#items.length - last, "last");
  }

  // Which items are near the screen.
  #window() {
    const total = this.#items.length;
    if (total <= FEW) {
      return { first: 0, last: total };
    }
    const height = this.#rowHeight();
    const top = this.#body.getBoundingClientRect().top;
    const visible = Math.ceil(innerHeight / height);
    const first = Math.min(
      Math.max(0, Math.floor(-top / height) - MARGIN),
      Math.max(0, total - visible - MARGIN),
    );
    return { first, last: Math.min(total, first + visible + 2 * MARGIN) };
  }

  // The mean of those that are there: a long text may take two lines.
  #rowHeight() {
    if (this.#height === null && this.#rows.size > 0) {
      const first = this.#above.isConnected
        ? this.#above.nextElementSibling
        : this.#body.firstElementChild;
      const last = this.#below.isConnected
        ? this.#below.previousElementSibling
        : this.#body.lastElementChild;
      const span = last.getBoundingClientRect().bottom - first.getBoundingClientRect().top;
      this.#height = span / this.#rows.size || null;
    }
    return this.#height ?? USUAL_HEIGHT;
  }

  #space(space, rows, end) {
    if (rows <= 0) {
      space.remove();
      return;
    }
    space.firstElementChild.style.height = `${rows * this.#rowHeight()}px`;
    if (end === "first" && this.#body.firstElementChild !== space) {
      this.#body.prepend(space);
    } else if (end === "last" && this.#body.lastElementChild !== space) {
      this.#body.append(space);
    }
  }
}

function spacer(columns) {
  return element(
    "tr",
    { class: "spacer", "aria-hidden": "true" },
    element("td", { colspan: columns }),
  );
}
