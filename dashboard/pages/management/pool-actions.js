// What can be done with a pool.

import { ApiError, ask, get, pathOf, post, put, remove } from "../../lib/api.js";
import { confirm, openForm } from "../../lib/dialog.js";
import { words } from "../../lib/format.js";
import { attempt, done } from "../../lib/toast.js";

export function createPool(algorithms) {
  const choices = algorithms.map(({ name }) => ({ value: name, label: words(name) }));
  return openForm({
    title: "Create a pool",
    text: "It gets requests once a route of the configuration file names it.",
    fields: [
      { name: "pool", label: "Name", placeholder: "shop" },
      {
        name: "algorithm",
        label: "Algorithm",
        type: "select",
        options: choices,
        value: "least_connections",
      },
      {
        name: "servers",
        label: "Servers",
        placeholder: "10.0.0.7:3000, 10.0.0.8:3000",
        hint: "host:port or unix:/path, separated by commas",
      },
      { name: "healthCheckPath", label: "Health check path", placeholder: "/health" },
      {
        name: "healthCheckEnabled",
        label: "Check the servers’ health",
        type: "checkbox",
        value: true,
      },
    ],
    action: "Create pool",
    async onSubmit({ servers, healthCheckEnabled, ...values }) {
      if (values.pool === undefined) {
        throw new ApiError(422, { code: "invalid", field: "pool", message: "Give it a name." });
      }
      const body = { ...values, healthCheckEnabled, servers: addresses(servers) };
      const created = await post(pathOf(["pools"]), body).catch((error) => {
        throw placed(error);
      });
      const own = pathOf(["pools", values.pool]);
      done(`Created pool ${values.pool}.`, created, (tag) => remove(own, tag));
    },
  });
}

// Here all of all servers is one field.
function placed(error) {
  const isServers = /^(host|port|weight|servers\b.*)$/.test(error.field ?? "");
  return Object.assign(error, { field: isServers ? "servers" : error.field });
}

// "10.0.0.7:3000, [::1]:3000, unix:/run/app.sock" as the API takes servers.
function addresses(text) {
  const parts = (text ?? "").split(/[\s,]+/).filter(Boolean);
  return parts.map((part) => {
    if (part.startsWith("unix:")) {
      return { host: part };
    }
    const colon = part.lastIndexOf(":");
    const port = Number(part.slice(colon + 1));
    if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
      const message = `“${part}” is no host:port.`;
      throw new ApiError(422, { code: "invalid", field: "servers", message });
    }
    return { host: part.slice(0, colon), port };
  });
}

// Settings that are none while another one is off.
const WITHIN = {
  healthCheckPath: "healthCheckEnabled",
  healthCheckInterval: "healthCheckEnabled",
  healthCheckTimeout: "healthCheckEnabled",
  failThreshold: "circuitBreaker",
  openTime: "circuitBreaker",
};

// Settings as fields. The names are the API's.
function fieldsOf(settings) {
  return [
    { name: "maxRetries", label: "Retries", type: "number", hint: "Attempts beyond the first." },
    { name: "requestTimeout", label: "Request timeout (seconds)", type: "number" },
    { name: "connectTimeout", label: "Connect timeout (seconds)", type: "number" },
    {
      name: "hashKey",
      label: "Hash key",
      hint: "client-address, path, header:NAME or cookie:NAME",
    },
    { name: "healthCheckPath", label: "Health check path" },
    { name: "healthCheckInterval", label: "Check every (seconds)", type: "number" },
    { name: "healthCheckTimeout", label: "Check timeout (seconds)", type: "number" },
    {
      name: "failThreshold",
      label: "Failures that open a circuit",
      type: "number",
      hint: "Requests in a row without a usable answer.",
    },
    { name: "openTime", label: "A circuit is open for (seconds)", type: "number" },
    {
      name: "panicThreshold",
      label: "Panic threshold (percent)",
      type: "number",
      hint: "All servers get requests while fewer are well. 0 is never.",
    },
    { name: "slowStart", label: "Slow start (seconds)", type: "number" },
    { name: "healthCheckEnabled", label: "Check the servers’ health", type: "checkbox" },
    { name: "circuitBreaker", label: "Leave servers alone that fail", type: "checkbox" },
    { name: "sessionPersistence", label: "Keep clients on their server", type: "checkbox" },
  ].map((field) => ({ ...field, value: settings[field.name] }));
}

// Change settings, if nobody else has since they were read.
export async function changeSettings(pool) {
  const path = pathOf(["pools", pool]);
  await attempt(async () => {
    const { data: settings, tag } = await ask("GET", path);
    await openForm({
      title: `Settings of ${pool}`,
      fields: fieldsOf(settings),
      action: "Save",
      async onSubmit(values) {
        const wanted = difference(settings, values);
        if (Object.keys(wanted).length === 0) {
          return;
        }
        const changed = await put(path, wanted, tag).catch((error) => {
          throw error.status === 412
            ? new Error(
                "Somebody else has changed the configuration meanwhile. Close this and look again.",
              )
            : error;
        });
        const before = settingsBefore(settings, wanted);
        done(`Changed ${pool}.`, changed, (now) => put(path, before, now));
      },
    });
  }, `The settings of ${pool} could not be read`);
}

// What is to be otherwise. Every setting that there is has a value.
function difference(settings, values) {
  const isOff = (name) => name in WITHIN && !values[WITHIN[name]];
  const emptied = Object.keys(values).find(
    (name) => values[name] === undefined && settings[name] !== null && !isOff(name),
  );
  if (emptied) {
    const message = `It cannot be empty; ${settings[emptied]} is in force.`;
    throw new ApiError(422, { code: "invalid", field: emptied, message });
  }
  return Object.fromEntries(
    Object.entries(values).filter(
      ([name, value]) => value !== undefined && value !== settings[name] && !isOff(name),
    ),
  );
}

// The same settings as they were. With a switch goes what was set within.
function settingsBefore(settings, wanted) {
  const goes = (name) => name in wanted || WITHIN[name] in wanted;
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => goes(name) && value !== null),
  );
}

// Change a pool's algorithm. The API's answer when it is done, else null.
export async function changeAlgorithm(pool, before, wanted) {
  const set = (algorithm, tag) => put(pathOf(["algorithm"]), { pool, algorithm }, tag);
  let changed = null;
  await attempt(async () => {
    changed = await set(wanted);
    // With its configuration, which the name alone does not bring back; that
    // takes the role that binds plugins.
    const goBack = (tag) =>
      post(pathOf(["bindings", pool, "balancer", "rollback"]), undefined, tag).catch((error) => {
        if (error.status !== 403) {
          throw error;
        }
        return set(before, tag);
      });
    done(`Pool ${pool} has ${words(wanted)}.`, changed, goBack);
  }, `The algorithm of ${pool} could not be changed`);
  return changed;
}

export async function deletePool(pool) {
  await attempt(async () => {
    const { isDefault, servers } = await get(pathOf(["pools", pool]));
    if (isDefault && !(await passOnDefault(pool))) {
      return;
    }
    const isSure = await confirm({
      title: `Delete pool ${pool}?`,
      text: `Its ${servers.length} server${servers.length === 1 ? " goes" : "s go"} with it. This cannot be undone here.`,
      action: "Delete pool",
    });
    if (isSure) {
      done(`Deleted pool ${pool}.`, await remove(pathOf(["pools", pool])));
    }
  }, `Pool ${pool} could not be deleted`);
}

// Some pool gets what no route takes: another one first. True when it does, and
// when there is no other.
async function passOnDefault(pool) {
  const pools = await get(pathOf(["pools"]));
  const others = pools.map((one) => one.pool).filter((name) => name !== pool);
  if (others.length === 0) {
    return true;
  }
  const path = pathOf(["config"]);
  return openForm({
    title: `${pool} is the default pool`,
    text: `It gets the requests that no route takes. Choose the pool that gets them from now on; then ${pool} can be deleted.`,
    fields: [
      {
        name: "defaultPool",
        label: "Default pool",
        type: "select",
        options: others.map((name) => ({ value: name, label: name })),
      },
    ],
    action: "Make it the default pool",
    async onSubmit({ defaultPool }) {
      const changed = await put(path, { defaultPool });
      done(`${defaultPool} is the default pool.`, changed, (tag) =>
        put(path, { defaultPool: pool }, tag),
      );
      return true;
    },
  });
}
