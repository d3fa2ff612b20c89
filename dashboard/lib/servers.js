// What is shown of servers on several pages.

import { element, setAttribute, setText } from "./dom.js";

// A server may be in several pools.
export const keyOf = (server) => `${server.pool} ${server.serverId}`;

// What the checks of a server have found, or that it drains.
export function healthOf(server) {
  return server.draining ? "draining" : server.status;
}

// The one word for how a server does: a circuit that is not closed is worse than
// anything but failed checks.
export function stateOf(server) {
  const isBroken = isOut(server) && server.status !== "unhealthy";
  return isBroken ? `circuit ${server.circuit}` : healthOf(server);
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

// A state as a sign and a word.
function mark(stateOf, wordOf = (state) => state) {
  const sign = element("span", { "aria-hidden": "true" });
  const word = element("span");
  const node = element("span", { class: "state" }, sign, " ", word);
  return {
    node,
    update(server) {
      const state = stateOf(server);
      setAttribute(node, "data-state", state);
      setText(sign, SIGNS[state] ?? "");
      setText(word, wordOf(state));
    },
  };
}

export const stateMark = () => mark(stateOf);
export const healthMark = () => mark(healthOf);
export const circuitMark = () =>
  mark(
    (server) => `circuit ${server.circuit}`,
    (state) => state.replace("circuit ", ""),
  );

// Response times of the last second: unknown where nothing was answered in it.
export const median = ({ p50 }) => p50;
export const tail = ({ p99 }) => p99;
