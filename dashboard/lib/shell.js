// What all pages have: header, navigation, the state of gateway and connection.

import { button, element, setAttribute, setText } from "./dom.js";
import { keepFocus } from "./focus.js";
import { clock, plural } from "./format.js";
import { live } from "./live.js";
import { installToasts } from "./toast.js";
import { forgetToken, token } from "./token.js";

const PAGES = [
  ["./", "Management"],
  ["traffic", "Traffic"],
  ["plugins", "Plugins"],
  ["requests", "Requests"],
  ["sessions", "Sessions"],
  ["events", "Events"],
  ["simulations", "Simulations"],
];

const WHY_STALE = {
  connecting: "the connection is being made.",
  paused: "paused.",
  locked: "the gateway asks for a token.",
};

const THEMES = ["system", "light", "dark"];

// Build what is around the page, and begin to follow the gateway; `options` are
// those of `live.start`.
export function startPage(current, options) {
  const header = document.querySelector("header");
  header.append(
    element(
      "a",
      { class: "brand", href: "./" },
      element("img", { src: "icon.svg", alt: "", width: 22, height: 22 }),
      "Gatewright",
    ),
    navigation(current),
    gatewayState(),
    element(
      "div",
      { class: "controls" },
      connectionState(),
      pauseButton(),
      themeButton(),
      signOutButton(),
    ),
  );
  // On a narrow screen not all pages' names are in sight.
  header.querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  installToasts();
  keepFocus();
  staleBanner();
  live.start(options);
}

function navigation(current) {
  const links = PAGES.map(([path, name]) =>
    element(
      "li",
      {},
      element("a", { href: path, "aria-current": name === current ? "page" : null }, name),
    ),
  );
  return element("nav", { "aria-label": "Pages" }, element("ul", {}, links));
}

// Screen readers are told when the state changes, not with every figure.
function gatewayState() {
  const shown = element("p", { class: "gateway-state", role: "status" });
  live.onFigures("gateway", ({ status, servers, pools }) => {
    const healthy = servers.filter((server) => server.status === "healthy").length;
    setAttribute(shown, "data-status", status);
    setText(shown, status);
    shown.title = `${healthy} of ${plural(servers.length, "server")} healthy in ${plural(pools.length, "pool")}`;
  });
  return shown;
}

function connectionState() {
  const word = element("span", { role: "status" });
  const countdown = element("span", { "aria-hidden": "true" });
  const retry = button("Retry now", { class: "small" }, () => live.reconnect());
  const shown = element("div", { class: "connection" }, word, countdown, retry);
  const words = {
    connecting: "connecting",
    live: "live",
    waiting: "reconnecting",
    locked: "no token",
    paused: "paused",
  };
  const labels = { waiting: "Retry now", locked: "Sign in" };
  const tick = () => {
    const { kind, until } = live.connection;
    const left =
      kind === "waiting" ? ` in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s` : "";
    setText(countdown, left);
  };
  live.onConnection(({ kind, reason }) => {
    shown.dataset.kind = kind;
    shown.title = reason ?? "";
    setText(word, words[kind]);
    retry.hidden = !(kind in labels);
    setText(retry, labels[kind] ?? "");
    tick();
  });
  setInterval(tick, 500);
  return shown;
}

function pauseButton() {
  const shown = button("Pause", { class: "small" }, () => {
    if (live.connection.kind === "paused") {
      live.resume();
    } else {
      live.pause();
    }
  });
  live.onConnection(({ kind }) => setText(shown, kind === "paused" ? "Resume" : "Pause"));
  return shown;
}

function themeButton() {
  const shown = button("", { class: "small" }, () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    document.dispatchEvent(new CustomEvent("gatewright:theme", { detail: next }));
    label();
  });
  const theme = () => document.documentElement.dataset.theme ?? "system";
  const label = () => {
    const signs = { system: "◐", light: "○", dark: "●" };
    setText(shown, signs[theme()]);
    setAttribute(shown, "aria-label", `Theme: ${theme()}`);
    shown.title = `Theme: ${theme()}`;
  };
  label();
  return shown;
}

function signOutButton() {
  const shown = button("Sign out", { class: "small", hidden: true }, () => {
    forgetToken();
    location.reload();
  });
  live.onConnection(() => {
    shown.hidden = token() === null;
  });
  return shown;
}

// Old figures are never shown as if they were new.
function staleBanner() {
  const banner = element("p", { class: "stale-banner", hidden: true });
  document.querySelector("main").prepend(banner);
  live.onConnection(({ kind, reason }) => {
    const isStale = kind !== "live" && !(kind === "connecting" && live.figuresAt === null);
    document.body.classList.toggle("stale", isStale);
    banner.hidden = !isStale;
    const age = live.figuresAt === null ? "Nothing is known yet" : `As of ${clock(live.figuresAt)}`;
    setText(banner, `${age}: ${WHY_STALE[kind] ?? reason}`);
  });
}
