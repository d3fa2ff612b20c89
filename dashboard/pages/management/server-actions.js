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
      { name: "host", label: "Host", placeholder: "10.0.0.7", hint: "Or unix:/run/app.sock." },
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
      if (!values.host.startsWith("unix:")) {
        requireSaid(values, "port", "Write a port from 1 to 65535.");
      }
      const added = await post(pathOf(["servers"]), { pool, ...values });
      const { serverId, status } = added.data;
      done(`Added ${serverId} to ${pool}: it is ${status}.`, added, (tag) => remove(path(added.data), tag));
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
    const drained = await post(path(server, "drain"));
    const enable = (tag) => post(path(server, "enable"), undefined, tag);
    done(`${server.serverId} takes no new work of ${server.pool}.`, drained, enable);
  }, `${server.serverId} could not be drained`);
}

export function enableServer(server) {
  return attempt(async () => {
    const enabled = await post(path(server, "enable"));
    const drain = (tag) => post(path(server, "drain"), undefined, tag);
    done(`${server.serverId} takes work of ${server.pool} again.`, enabled, drain);
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
      const asks = [path(server), pathOf(["pools", pool])];
      const [known, settings] = await Promise.all(asks.map(get));
      const removed = await remove(path(server));
      const body = declaration(known, settings);
      done(`Removed ${serverId} from ${pool}.`, removed, (tag) =>
        post(pathOf(["servers"]), body, tag),
      );
    }, `${serverId} could not be removed`);
  }
}

// What makes a server again as it was. Its checks are its own where they are not
// the pool's.
function declaration({ host, port, pool, weight, labels, draining, ...server }, settings) {
  const checks = ["healthCheckPath", "healthCheckInterval"];
  const own = checks.filter((name) => server[name] !== settings[name]);
  const ownChecks = Object.fromEntries(own.map((name) => [name, server[name]]));
  return { host, port, pool, weight, labels, draining, ...ownChecks };
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
  const set = (number, tag) => put(path(server, "weight"), { weight: number }, tag);
  const before = server.weight;
  try {
    const weighed = await set(weight);
    done(`${server.serverId} has weight ${weight} in ${server.pool}.`, weighed, (tag) => set(before, tag));
    return null;
  } catch (error) {
    return error;
  }
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
    ["Health", server.status],
    [
      "Circuit",
      server.circuitOpenedAt
        ? `${server.circuit}, opened ${ago(server.circuitOpenedAt)}`
        : `${server.circuit}, opened ${count(server.ejections)} times`,
    ],
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
