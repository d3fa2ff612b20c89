// Simulations by the real program.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { folder, printed } from "./processes.js";

export const ABOUT = "One server of six is slow for a while.";

export const SCENARIO = `about = "${ABOUT}"
duration = "20s"
objective = "100ms"
arrivals = { poisson = { rate = 200 } }
work = { log-normal = { median = "20ms", sigma = 0.6 } }

[[servers]]
name = "web"
count = 4
concurrency = 4

[[servers]]
name = "small"
count = 2
concurrency = 2

[[failures]]
servers = "web[0]"
from = "5s"
to = "12s"
delay = "300ms"
`;

// What the policies come to in the scenario, as the program prints it.
export async function simulated(policies, { name = "slow-one", json = true, options = [] } = {}) {
  const cwd = await folder();
  await writeFile(join(cwd, `${name}.toml`), SCENARIO);
  const wanted = policies.flatMap((policy) => ["--policy", policy]);
  return printed("simulate", [`${name}.toml`, ...(json ? ["--json"] : []), ...wanted, ...options], { cwd });
}

// A file as the browser's picker gives it.
export const file = (name, text) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });
