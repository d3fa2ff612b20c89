// What can be done with a server, each with its way back.

import { ApiError, get, pathOf, post, put, remove } from "../../lib/api.js";
import { confirm, openForm, show } from "../../lib/dialog.js";
import { element } from "../../lib/dom.js";
import { ago, clock, count, milliseconds, seconds } from "../../lib/format.js";
import { stateOf } from "../../lib/servers.js";
import { attempt, done } from "../../lib/toast.js";

const path = ({ serverId, pool }, ...rest) => pathOf(["servers", serverId, ...rest], { pool });

export function addServer(pool, settings) {
  const isChecked = settings?.healthCheckEnabled !== false;
  const checks = [
    {
      name: "healthCheckPath",
      label: "Health check path",
      placeholder: settings?.healthCheckPath ?? "/health",
      hint: "The pool’s, unless it is given.",
    },
    {
      name: "healthCheckInterval",
      label: "Check every (seconds)",
      type: "number",
      placeholder: settings?.healthCheckInterval,
      hint: "The pool’s, unless it is given.",
    },
  ];
  return openForm({
    title: `Add a server to ${pool}`,
    fields: [
      { name: "host", label: "Host", placeholder: "10.0.0.7" },
      { name: "port", label: "Port", type: "number", placeholder: "3000" },
      {
        name: "weight",
        label: "Weight",
        type: "number",
        value: 1,
        hint: "Its share of the work, from 0.",
      },
      ...(isChecked ? checks : []),
    ],
    action: "Add server",
    async onSubmit(values) {
      requireSaid(values, "host", "Name a host or an address.");
      requireSaid(values, "port", "Write a port from 1 to 65535.");
      const server = await post(pathOf(["servers"]), { pool, ...values });
      done(`Added ${server.serverId}: it is ${server.status}.`, () => remove(path(server)));
    },
  });
}

// The API says what is wrong with a value; this says that there is none.
function requireSaid(values, field, message) {
  if (values[field] === undefined) {
    throw new ApiError(422, { code: "invalid", field, message });
  }
}

export function drainServer(server) {
  return attempt(async () => {
    await post(path(server, "drain"));
    done(`${server.serverId} takes no new work.`, () => post(path(server, "enable")));
  }, `${server.serverId} could not be drained`);
}

export function enableServer(server) {
  return attempt(async () => {
    await post(path(server, "enable"));
    done(`${server.serverId} takes work again.`, () => post(path(server, "drain")));
  }, `${server.serverId} could not be enabled`);
}

export async function removeServer(server) {
  const { serverId, pool } = server;
  const isSure = await confirm({
    title: `Remove ${serverId}?`,
    text: `It gets no new requests of pool ${pool} from then on, and finishes what it has.`,
    action: "Remove server",
  });
  if (isSure) {
    await attempt(async () => {
      await remove(path(server));
      done(`Removed ${serverId} from ${pool}.`, () =>
        post(pathOf(["servers"]), declaration(server)),
      );
    }, `${serverId} could not be removed`);
  }
}

// What was said of a server when it was added, as far as the API tells.
function declaration({ host, port, pool, weight, labels, healthCheckPath, healthCheckInterval }) {
  const checks = healthCheckPath ? { healthCheckPath, healthCheckInterval } : {};
  return { host, port, pool, weight, labels, ...checks };
}

// Change a weight. Null when it is done, or else why not.
export async function weighServer(server, text) {
  const weight = Number(text);
  if (text === "" || !Number.isInteger(weight) || weight < 0 || weight > 65_535) {
    return new Error("Write a whole number from 0 to 65535.");
  }
  if (weight === server.weight) {
    return null;
  }
  const before = server.weight;
  try {
    await put(path(server, "weight"), { weight });
  } catch (error) {
    return error;
  }
  done(`${server.serverId} has weight ${weight}.`, () =>
    put(path(server, "weight"), { weight: before }),
  );
  return null;
}

export function showServer(server) {
  return attempt(
    async () => show({ title: server.serverId, body: factsOf(await get(path(server))) }),
    `${server.serverId} could not be read`,
  );
}

function factsOf(server) {
  const labels = Object.entries(server.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  const check = server.healthCheckPath
    ? `GET ${server.healthCheckPath} every ${seconds(server.healthCheckInterval)}`
    : "not checked";
  const facts = [
    ["Pool", server.pool],
    ["State", stateOf(server)],
    ["Health check", check],
    ["Last check", ago(server.lastHealthCheck)],
    [
      "Last seen well",
      server.lastSeen ? `${clock(server.lastSeen)} (${ago(server.lastSeen)})` : "never",
    ],
    ["Added", server.addedAt ? clock(server.addedAt) : "–"],
    ["Declared by", server.source ?? "–"],
    ["Labels", labels.join(", ") || "none"],
    ["Requests", count(server.totalRequests)],
    ["Failed", count(server.failedRequests)],
    ["Mean response time", milliseconds(server.responseTime)],
  ];
  return element(
    "dl",
    { class: "facts" },
    facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
