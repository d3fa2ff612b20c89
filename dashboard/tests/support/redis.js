// A real Redis: Debian's `redis-server`, on a port of its own, in a folder of its own.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { promisify } from "node:util";

import { eventually } from "./browser.js";
import { atTheEnd, folder } from "./processes.js";

// One that nothing listens on now.
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

export class Redis {
  #child = null;
  #folder;
  #port;

  static async start() {
    const redis = new Redis();
    redis.#folder = await folder();
    redis.#port = await freePort();
    atTheEnd(() => redis.stop());
    process.once("exit", () => redis.#child?.kill("SIGKILL"));
    await redis.again();
    // It is known to have been empty for long, so that nobody waits to begin a cluster.
    await redis.#ask("set", "gatewright:empty", "0");
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.#port}/0`;
  }

  // Start it where it was, with what it had when it was stopped.
  async again() {
    const settings = { port: this.#port, bind: "127.0.0.1", appendonly: "yes", appendfsync: "always", save: "" };
    const options = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
    this.#child = spawn("redis-server", options, { cwd: this.#folder, stdio: "ignore" });
    await eventually("redis-server answers", () => this.#answers());
  }

  async stop() {
    const child = this.#child;
    this.#child = null;
    if (child && child.exitCode === null) {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
  }

  async #answers() {
    return (await this.#ask("ping")) === "PONG";
  }

  // What redis-cli says to a command.
  async #ask(...command) {
    const { stdout } = await promisify(execFile)("redis-cli", ["-p", String(this.#port), ...command]);
    return stdout.trim();
  }
}
