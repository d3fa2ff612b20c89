// Which part of a long list is shown, and the way to the others.

import { button, element, setAttribute, setText } from "../../lib/dom.js";

export class Paging {
  #container;
  #text = element("p", { role: "status" });
  #page = 0;
  #last = 0;
  // Each with the page that it leads to.
  #ways;

  // `onChoose` is given a page, from 0.
  constructor(container, onChoose) {
    this.#container = container;
    this.#ways = [
      ["« First", "First page", () => 0],
      ["‹ Newer", "Newer sessions", () => this.#page - 1],
      ["Older ›", "Older sessions", () => this.#page + 1],
      ["Last »", "Last page", () => this.#last],
    ].map(([text, label, target]) => ({
      target,
      node: button(text, { class: "small", "aria-label": label }, () => {
        if (this.#leadsOn(target())) {
          onChoose(target());
        }
      }),
    }));
    container.append(this.#text, ...this.#ways.map(({ node }) => node));
  }

  show({ page, limit, total }) {
    this.#page = page;
    this.#last = Math.max(0, Math.ceil(total / limit) - 1);
    this.#container.hidden = total <= limit;
    const [first, end] = [page * limit + 1, Math.min(total, (page + 1) * limit)];
    setText(this.#text, `${exact(first)}–${exact(end)} of ${exact(total)}`);
    // A button that is disabled would lose the focus.
    for (const { node, target } of this.#ways) {
      setAttribute(node, "aria-disabled", this.#leadsOn(target()) ? null : "true");
    }
  }

  #leadsOn(page) {
    return page !== this.#page && page >= 0 && page <= this.#last;
  }
}

const exact = (number) => number.toLocaleString("en");
