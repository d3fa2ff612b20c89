// A pool: what it is, how it does, and its servers.

import { button, element, setAttribute, setText } from "../../lib/dom.js";
import { count, milliseconds, plural, rate, words } from "../../lib/format.js";
import { onNear } from "../../lib/near.js";
import { proposal } from "../../lib/proposal.js";
import { median, stateOf, tail } from "../../lib/servers.js";
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

  update({ figures, all, servers, configuration }) {
    this.#showBadges(figures);
    this.#showSummary(figures, all);
    this.#showAlgorithms(figures.algorithm, configuration);
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

  #showBadges({ panicking }) {
    const settings = this.#settings();
    const wanted = [
      panicking && PANIC,
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
    const healthy = all.filter((server) => stateOf(server) === "healthy").length;
    const { waiting, shed } = figures;
    // Where there are no limits, nobody waits for room.
    const isLimited = this.#isLimited() || waiting > 0 || shed > 0;
    const texts = [
      { value: `${healthy} of ${plural(all.length, "server")}`, label: "healthy" },
      { value: rate(figures.requestsPerSecond), label: "requests/s" },
      { value: rate(figures.errorsPerSecond), label: "errors/s" },
      { value: milliseconds(median(figures)), label: "median" },
      { value: milliseconds(tail(figures)), label: "p99" },
      {
        value: count(waiting),
        label: "waiting",
        title: "Requests that wait now for a server that has room",
        isHidden: !isLimited,
        isBad: waiting > 0,
      },
      {
        value: count(shed),
        label: "shed",
        title: "Requests that were refused, at once or after waiting, since no server had room",
        isHidden: !isLimited,
        isBad: shed > 0,
      },
    ];
    if (this.#figures.length === 0) {
      this.#figures = texts.map(({ title, label }) => {
        const value = element("strong");
        return { value, node: element("span", { title }, value, " ", label) };
      });
      this.#summary.append(...this.#figures.map(({ node }) => node));
    }
    texts.forEach(({ value, isHidden = false, isBad = false }, index) => {
      const shown = this.#figures[index];
      setText(shown.value, value);
      shown.node.hidden = isHidden;
      shown.value.classList.toggle("bad-text", isBad);
    });
  }

  #isLimited() {
    const { maxActive = null, maxActivePerServer = null } = this.#settings() ?? {};
    return maxActive !== null || maxActivePerServer !== null;
  }

  #showAlgorithms(current, configuration) {
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
    this.#choice.follow(current, configuration);
  }
}
