// Bars of a few servers, each with its name and value.

import { element, reconcile, setAttribute, setText } from "../../lib/dom.js";
import { SIGNS, keyOf, stateOf } from "../../lib/servers.js";

export class BarList {
  element = element("ul", { class: "bars" });
  #known = new Map();

  show(servers, measure, top) {
    const items = servers.map((server) => ({ server, measure, top }));
    reconcile(this.element, this.#known, items, { key: ({ server }) => keyOf(server), make: bar });
  }
}

function bar({ server }) {
  const sign = element("span", { class: "sign", "aria-hidden": "true" });
  const fill = element("div", { class: "fill" });
  const value = element("span", { class: "value" });
  const state = element("span", { class: "unseen" });
  const name = element(
    "span",
    { class: "name", title: `${server.serverId} of ${server.pool}` },
    `${server.serverId} `,
    element("span", { class: "quiet" }, server.pool),
    " ",
    state,
  );
  const node = element(
    "li",
    {},
    sign,
    name,
    element("div", { class: "track", "aria-hidden": "true" }, fill),
    value,
  );
  return {
    element: node,
    update({ server: now, measure, top }) {
      const number = measure.value(now) ?? 0;
      setAttribute(node, "data-state", stateOf(now));
      setText(sign, SIGNS[stateOf(now)]);
      setText(state, stateOf(now));
      setText(value, measure.form(measure.value(now)));
      fill.style.transform = `scaleX(${top === 0 ? 0 : number / top})`;
    },
  };
}
