// What is shown of servers on several pages.

import { element, setAttribute, setText } from "./dom.js";

// A server may be in several pools.
export const keyOf = (server) => `${server.pool} ${server.serverId}`;

// The one word for how a server does: a circuit that is not closed is worse than
// anything but failed checks.
export function stateOf(server) {
  const { draining, status, circuit } = server;
  if (isOut(server) && !draining && status !== "unhealthy") {
    return `circuit ${circuit}`;
  }
  return draining ? "draining" : status;
}

// Whether it gets no requests, or one at a time on trial.
function isOut({ circuit }) {
  return circuit === "open" || circuit === "half-open";
}

// A form for each state, so that colour is not the only sign.
export const SIGNS = {
  healthy: "●",
  unhealthy: "▲",
  draining: "◒",
  unknown: "○",
  "circuit open": "⊘",
  "circuit half-open": "◑",
};

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
