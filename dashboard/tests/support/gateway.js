// A real gateway on free ports, real servers behind it, real clients before it.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Running, folder } from "./processes.js";

// A server of the binary's own, which says its name in every answer.
export class Backend {
  static async start(...options) {
    const running = new Running("backend", ["--port", "0", ...options]);
    return new Backend(running, await running.said(/listens on http:\/\/(\S+) /));
  }

  constructor(running, address) {
    this.running = running;
    this.address = address;
    [this.host, this.port] = address.split(":");
  }

  // Come back on the same port after a kill.
  async again() {
    this.running = new Running("backend", ["--port", this.port]);
    await this.running.said(/listens on http:\/\/(\S+) /);
  }
}

// How servers are checked: quickly enough to see one fall within a test.
const CHECKS = '{ path = "/health", interval = "250ms", timeout = "1s", rise = 1, fall = 2 }';

// The configuration of a gateway whose pools have these servers, as
// `{web: ["127.0.0.1:3001"]}`. The first pool is the default one, and has the
// affinity if there is one.
export function configuration(pools, { balancer = "round-robin", affinity } = {}) {
  const [first] = Object.keys(pools);
  const keeping = (name) => (affinity && name === first ? `affinity = "${affinity}"\n` : "");
  const parts = Object.entries(pools).map(([name, servers]) =>
    `[pools.${name}]\n${keeping(name)}health = ${CHECKS}\nbalancer = "${balancer}"\nservers = ${JSON.stringify(servers)}\n`);
  const routes = Object.keys(pools).slice(1).map((name) => `{ path = "/${name}/*", pool = "${name}" }`);
  routes.push(`{ path = "/*", pool = "${first}" }`);
  return [
    `default_pool = "${first}"`,
    '[admin]\nlisten = "127.0.0.1:0"',
    "[workers]\ncount = 1",
    '[[listener]]\nname = "web"\nlisten = "127.0.0.1:0"',
    `[router]\nplugin = "path-router"\n[router.config]\nroutes = [${routes.join(", ")}]`,
    ...parts,
  ].join("\n\n");
}

// A gateway of this name in a cluster.
export function clustered(text, redis, name) {
  return `${text}\n\n[cluster]\nurl = "${redis.url}"\nname = "${name}"\n`;
}

export class Gateway {
  static async start(text) {
    const cwd = await folder();
    await writeFile(join(cwd, "gatewright.toml"), text);
    const gateway = new Gateway(cwd);
    await gateway.run();
    return gateway;
  }

  constructor(cwd) {
    this.folder = cwd;
    this.token = null;
  }

  async run() {
    this.running = new Running("run", [], { cwd: this.folder });
    this.admin = await this.running.said(/admin listening address=(\S+)/);
    this.address = await this.running.said(/serving: listening address=(\S+)/);
    this.origin = `http://${this.admin}`;
  }

  // Change its configuration, whether it runs or not.
  async edit(change) {
    const file = join(this.folder, "gatewright.toml");
    await writeFile(file, change(await readFile(file, "utf8")));
  }

  // Start it again where it was, after it has ended.
  async again() {
    await this.edit((text) => text.replace(/(\[admin\]\nlisten = ")[^"]*/, `$1${this.admin}`));
    await this.run();
  }

  // Ask the API as an operator would by hand.
  async ask(method, path, body) {
    const headers = body instanceof Uint8Array ? { "content-type": "application/wasm" } : { "content-type": "application/json" };
    if (this.token) {
      headers.authorization = `Bearer ${this.token}`;
    }
    const sent = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await fetch(`${this.origin}/api/${path}`, { method, headers, body: sent });
    const answer = await response.json();
    if (!answer.success) {
      throw new Error(`${method} ${path}: ${answer.error.message}`);
    }
    return answer.data;
  }

  get(path) {
    return this.ask("GET", path);
  }
}

// Clients who ask a gateway until the tests are over.
export async function traffic(gateway, { rate = 100, path = "/api/test" } = {}) {
  const options = ["--target", `http://${gateway.address}`, "--duration", "0s", "--rate", String(rate), "--path", path, "--json"];
  return new Running("traffic", options);
}

// Another build of a default plugin: the same code, with a digest of its own.
export async function build(name, text) {
  return described(name, { build: text });
}

// A default plugin with custom sections, which say more of it, by their names.
export async function described(name, sections) {
  const component = await readFile(new URL(`../../../plugins/dist/${name}.wasm`, import.meta.url));
  return Buffer.concat([component, ...Object.entries(sections).map(section)]);
}

// A custom section; its lengths stay below 128, where LEB128 is one byte.
function section([name, text]) {
  const content = Buffer.from(name + text);
  return Buffer.concat([Buffer.from([0, content.length + 1, name.length]), content]);
}

// Clients at a time that bring sessions.
const AT_A_TIME = 32;

// A request of a client for each of these sessions, which the application knows by
// its cookie.
export async function visit(gateway, names) {
  const left = [...names];
  const client = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const response = await fetch(`http://${gateway.address}/products`, { headers: { cookie: `sessionId=${name}` } });
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, client));
}
