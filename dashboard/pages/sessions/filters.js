// Which sessions are wanted: of a pool, on a server, or those that are searched
// for.

import { fill } from "../../lib/select.js";

// How long a search waits for the next letter.
const PAUSE_MS = 250;

export class Filters {
  #pool = document.getElementById("pool");
  #server = document.getElementById("server");
  #search = document.getElementById("search");
  #onChange;
  #timer = null;
  // As the address says, so that a reload shows the same.
  #chosen;

  // `onChange` is called when something else is wanted.
  constructor(onChange) {
    const asked = new URLSearchParams(location.search);
    this.#chosen = { pool: asked.get("pool"), server: asked.get("server") };
    this.#onChange = onChange;
    this.#pool.addEventListener("change", () =>
      this.choose({ pool: this.#pool.value || null, server: null }),
    );
    this.#server.addEventListener("change", () =>
      this.choose({ ...this.#chosen, server: this.#server.value || null }),
    );
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(onChange, PAUSE_MS);
    });
  }

  // Want those of a pool, or of a server of it.
  choose({ pool, server }) {
    this.#chosen = { pool, server };
    this.#onChange();
  }

  // What there is to choose from. What was chosen and has gone stays in its list.
  offer(pools) {
    const { pool, server } = this.#chosen;
    const names = pools.map((one) => one.pool);
    const own = pools.filter((one) => pool === null || one.pool === pool);
    const servers = own.flatMap((one) => one.servers.map(({ serverId }) => serverId));
    fill(this.#pool, "All pools", including(names, pool), pool);
    fill(this.#server, "All servers", including(servers, server), server);
  }

  isSet() {
    return Object.values(this.query()).some(Boolean);
  }

  // In the API's words.
  query() {
    return { ...this.#chosen, search: this.#search.value.trim() };
  }
}

const including = (names, name) => [...new Set(name === null ? names : [...names, name])];
