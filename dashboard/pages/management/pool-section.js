// A pool: what it is, how it does, and its servers.

import { button, element, setAttribute, setText } from "../../lib/dom.js";
import { milliseconds, plural, rate, words } from "../../lib/format.js";
import { onNear } from "../../lib/near.js";
import { proposal } from "../../lib/proposal.js";
import { median, tail } from "../../lib/servers.js";
import { changeAlgorithm, changeSettings, deletePool } from "./pool-actions.js";
import { addServer } from "./server-actions.js";
import { serverTable } from "./server-table.js";

// What is said of a pool in which too few servers are well.
const PANIC = "panicking: all servers get requests";

// The height of a row that is not drawn yet, in pixels.
const USUAL_HEIGHT = 33;

export class PoolSection {
  #name;
  #declared;
  #table;
  #badges = element("span", { class: "badges" });
  #summary = element("p", { class: "pool-summary live" });
  #figures = [];
  #algorithm = element("select");
  #choice;
  #empty = element("p", { class: "empty", hidden: true }, "This pool has no servers.");
  #cards;
  #servers = [];
  #isNear = false;

  constructor(name, declared, trends) {
    this.#name = name;
    this.#declared = declared;
    this.#table = serverTable(name, trends);
    this.#cards = element("div", { class: "cards" }, this.#table.element, this.#empty);
    const id = `pool-${name}`;
    this.#choice = proposal(this.#algorithm, {
      label: `Apply the algorithm to ${name}`,
      apply: (wanted) => changeAlgorithm(name, this.#algorithm.dataset.current, wanted),
    });
    this.element = element(
      "section",
      { class: "card", "aria-labelledby": id },
      element(
        "div",
        { class: "card-head" },
        element("h2", { id }, name),
        this.#badges,
        this.#summary,
        element("span", { class: "grow" }),
        element(
          "div",
          { class: "buttons" },
          element("label", { class: "inline-label" }, "Algorithm", this.#algorithm),
          this.#choice.button,
          button("Add server", { class: "small", "aria-label": `Add server to ${name}` }, () =>
            addServer(name, this.#settings()),
          ),
          button("Settings", { class: "small", "aria-label": `Settings of ${name}` }, () =>
            changeSettings(name),
          ),
          button("Delete", { class: "small", "aria-label": `Delete pool ${name}` }, () =>
            deletePool(name),
          ),
        ),
      ),
      this.#cards,
    );
    onNear(this.element, (isNear) => {
      this.#isNear = isNear;
      this.#showServers();
    });
  }

  update({ figures, all, servers }) {
    this.#showBadges(figures);
    this.#showSummary(figures, all);
    this.#showAlgorithms(figures.algorithm);
    this.#servers = servers;
    this.#showServers();
  }

  // The servers of a hundred pools would fill more than a frame: those that
  // nobody can see have their place, and are drawn when they come near.
  #showServers() {
    const { length } = this.#servers;
    this.#table.element.hidden = length === 0;
    this.#empty.hidden = length > 0;
    if (this.#isNear) {
      this.#table.show(this.#servers);
    }
    this.#cards.style.minHeight = this.#isNear ? "" : `${length * USUAL_HEIGHT}px`;
  }

  #settings() {
    return this.#declared.pools.get(this.#name);
  }

  #showBadges({ panicking, waiting }) {
    const settings = this.#settings();
    const wanted = [
      panicking && PANIC,
      waiting > 0 && `${plural(waiting, "request")} waiting for room`,
      settings?.isDefault && "default pool",
      settings && settings.source !== "file" && "added at run time",
    ].filter(Boolean);
    const shown = [...this.#badges.children].map((badge) => badge.textContent);
    if (shown.join() !== wanted.join()) {
      this.#badges.replaceChildren(
        ...wanted.map((text) =>
          element("span", { class: text === PANIC ? "badge bad-text" : "badge" }, text),
        ),
      );
    }
  }

  #showSummary(figures, all) {
    const healthy = all.filter((server) => server.status === "healthy").length;
    const texts = [
      [`${healthy} of ${plural(all.length, "server")}`, "healthy"],
      [rate(figures.requestsPerSecond), "requests/s"],
      [rate(figures.errorsPerSecond), "errors/s"],
      [milliseconds(median(figures)), "median"],
      [milliseconds(tail(figures)), "p99"],
    ];
    if (this.#figures.length === 0) {
      this.#figures = texts.map(() => [element("strong"), element("span")]);
      this.#summary.append(
        ...this.#figures.map(([value, label]) => element("span", {}, value, " ", label)),
      );
    }
    texts.forEach(([value, label], index) => {
      setText(this.#figures[index][0], value);
      setText(this.#figures[index][1], label);
    });
  }

  #showAlgorithms(current) {
    const offered = this.#declared.algorithms.map(({ name }) => name);
    const names = [...new Set([...offered, current])];
    const shown = [...this.#algorithm.options].map(({ value }) => value);
    if (shown.join() !== names.join()) {
      const chosen = this.#algorithm.value;
      this.#algorithm.replaceChildren(
        ...names.map((name) => element("option", { value: name }, words(name))),
      );
      this.#algorithm.value = chosen;
    }
    setAttribute(this.#algorithm, "data-current", current);
    this.#choice.follow(current);
  }
}
