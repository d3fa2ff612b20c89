// Programs that a test starts, each ended by its own process id.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

// How long a program may take to say what it is waited for.
const PATIENCE_MS = 30_000;

// How long a program may take to end after it was asked to.
const END_MS = 5_000;

const program = process.env.GATEWRIGHT;

// Programs that run now: none outlives the tests, whatever ends those.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(1));
}

// What is to be undone when the tests of a file are over, the last first.
const endings = [];

export function atTheEnd(ending) {
  endings.push(ending);
}

export async function endAll() {
  for (const ending of endings.splice(0).reverse()) {
    await ending();
  }
}

// A folder of its own, which goes when the tests are over.
export async function folder() {
  const made = await mkdtemp(join(tmpdir(), "gatewright-dashboard-"));
  atTheEnd(() => rm(made, { recursive: true, force: true }));
  return made;
}

// The most that a command may print, in bytes.
const MOST_OUTPUT = 64 * 2 ** 20;

// What one of the binary's commands prints before it ends.
export async function printed(command, options = [], { cwd } = {}) {
  needProgram();
  const { stdout } = await promisify(execFile)(program, [command, ...options], { cwd, maxBuffer: MOST_OUTPUT });
  return stdout;
}

function needProgram() {
  if (!program) {
    throw new Error("GATEWRIGHT names no program: run these tests by `cargo xtask test`");
  }
}

// One of the binary's commands, running.
export class Running {
  #child;
  #said = "";
  #name;

  constructor(command, options = [], { cwd } = {}) {
    needProgram();
    this.#name = command;
    const environment = { ...process.env, NO_COLOR: "1" };
    this.#child = spawn(program, [command, ...options], { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output.setEncoding("utf8").on("data", (text) => {
        this.#said += text;
        this.#child.emit("said");
      });
    }
    running.add(this.#child);
    this.#child.on("exit", () => {
      running.delete(this.#child);
      this.#child.emit("said");
    });
    atTheEnd(() => this.end());
  }

  // Wait until it has said what a pattern finds; gives the pattern's first group.
  async said(pattern) {
    const late = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = this.#said.match(pattern);
      if (found) {
        return found[1];
      }
      if (this.#hasEnded()) {
        throw new Error(`${this.#name} has ended:\n${this.#said}`);
      }
      await once(this.#child, "said", { signal: late }).catch(() => {
        throw new Error(`${this.#name} never said ${pattern}:\n${this.#said}`);
      });
    }
  }

  // End it without a word, as a crash does.
  async kill() {
    await this.#ended("SIGKILL");
  }

  async end() {
    await this.#ended("SIGTERM");
  }

  async #ended(signal) {
    if (this.#hasEnded()) {
      return;
    }
    const exit = once(this.#child, "exit");
    this.#child.kill(signal);
    const hurry = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    await exit;
    clearTimeout(hurry);
  }

  #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
