// What the page knows of the gateway now: the newest figures, what happens, and
// how the connection stands. Pages subscribe to it.

import { inFrame, timed } from "./frames.js";
import { askForToken } from "./login.js";
import { follow } from "./stream.js";

// The id before all events: the stream begins with those that are kept.
const BEFORE_ALL = "0-0";

// A page that nobody has looked at for so long gives its stream back.
const HIDDEN_MS = 5 * 60_000;

class Live {
  // `{kind}`: `connecting`, `live`, `waiting`, `locked` or `paused`.
  connection = { kind: "connecting" };
  // The newest `metrics` event, and when it came.
  figures = null;
  figuresAt = null;
  #onFigures = new Map();
  #onEvent = [];
  #onConnection = [];
  #controller = null;
  #skipPause = () => {};
  #hidden = null;
  #lastId = null;

  // Be told of figures, in a frame of its own, under a name of its own: once a
  // second, and once more about the same moment when a server's health or circuit
  // changes.
  onFigures(name, listener) {
    this.#onFigures.set(name, listener);
    if (this.figures) {
      inFrame(name, () => listener(this.figures));
    }
  }

  // Be told of `health`, `circuit`, `panic`, `plugin`, `change`, `audit` and `missed` events, each
  // as `{kind, id, ...data}`.
  onEvent(listener) {
    this.#onEvent.push(listener);
  }

  onConnection(listener) {
    this.#onConnection.push(listener);
    listener(this.connection);
  }

  // Begin; a page that lists events wants what happened before it, too.
  start({ fromEarlier = false } = {}) {
    this.#lastId = fromEarlier ? BEFORE_ALL : null;
    document.addEventListener("visibilitychange", () => this.#seenOrNot());
    window.addEventListener("online", () => this.#skipPause());
    this.#follow();
  }

  // Keep what is shown as it is, and ask for nothing.
  pause() {
    this.#controller?.abort();
    this.#tell({ kind: "paused" });
  }

  resume() {
    this.#follow();
  }

  // Try at once, instead of in a while.
  reconnect() {
    if (this.connection.kind === "locked") {
      this.#unlock();
    } else {
      this.#skipPause();
    }
  }

  #follow() {
    this.#controller?.abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    follow({
      signal,
      lastId: this.#lastId,
      tell: (connection) => !signal.aborted && this.#tell(connection),
      onEvent: (event) => !signal.aborted && this.#take(event),
      skipPause: (skip) => {
        this.#skipPause = skip;
      },
    });
  }

  #tell(connection) {
    this.connection = connection;
    this.#onConnection.forEach((listener) => listener(connection));
    if (connection.kind === "locked") {
      this.#unlock(connection.reason);
    }
  }

  async #unlock(reason) {
    if (await askForToken(reason ?? "This takes a token.")) {
      this.#follow();
    }
  }

  #take({ event, data, id }) {
    if (event === "metrics") {
      // Nobody sees what a hidden page draws.
      if (!document.hidden) {
        this.#show(timed("parse", () => JSON.parse(data)));
      }
      return;
    }
    this.#lastId = id ?? this.#lastId;
    const happened = { kind: event, id, ...JSON.parse(data) };
    if (event === "health" || event === "circuit") {
      this.#recolour(happened);
    }
    this.#onEvent.forEach((listener) => listener(happened));
  }

  #show(figures) {
    this.figures = figures;
    this.figuresAt = Date.now();
    this.#tellFigures();
  }

  // A server's health or circuit is seen when it changes, and not with the next
  // figures; those that are younger know of it.
  #recolour({ pool, serverId, at, status, circuit }) {
    const { servers = [], at: known } = this.figures ?? {};
    const server = servers.find((one) => one.pool === pool && one.serverId === serverId);
    if (server && new Date(at) > new Date(known)) {
      Object.assign(server, status ? { status } : { circuit });
      this.#tellFigures();
    }
  }

  #tellFigures() {
    for (const [name, listener] of this.#onFigures) {
      inFrame(name, () => listener(this.figures));
    }
  }

  #seenOrNot() {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => this.#controller?.abort(), HIDDEN_MS);
    } else if (this.connection.kind !== "paused" && this.#controller?.signal.aborted) {
      this.#follow();
    } else {
      this.#skipPause();
    }
  }
}

export const live = new Live();
