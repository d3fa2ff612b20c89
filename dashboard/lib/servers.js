// What is shown of servers on several pages.

import { element, setAttribute, setText } from "./dom.js";

// A server may be in several pools.
export const keyOf = (server) => `${server.pool} ${server.serverId}`;

// The one word for how a server does.
export function stateOf(server) {
  return server.draining ? "draining" : server.status;
}

// A form for each state, so that colour is not the only sign.
export const SIGNS = { healthy: "●", unhealthy: "▲", draining: "◒", unknown: "○" };

// The state as a sign and a word.
export function stateMark() {
  const sign = element("span", { "aria-hidden": "true" });
  const word = element("span");
  const node = element("span", { class: "state" }, sign, " ", word);
  return {
    node,
    update(server) {
      const state = stateOf(server);
      setAttribute(node, "data-state", state);
      setText(sign, SIGNS[state]);
      setText(word, state);
    },
  };
}

// Response times of the last second: unknown where nothing was answered in it.
export const median = ({ p50 }) => p50;
export const tail = ({ p99 }) => p99;
