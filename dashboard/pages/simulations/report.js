// What `gatewright simulate --json` prints, read from a file and checked: nothing
// of a file that is something else is shown.

import { bytes } from "../../lib/format.js";

// More than the largest scenarios give, and what a browser still reads at once.
const MOST_BYTES = 64 * 2 ** 20;

const COMMAND = "gatewright simulate SCENARIO --json > FILE";

// How a scenario may begin, which is no result.
const SCENARIO = /^\s*(#|\[|(about|seed|duration|requests|warm_up|objective|arrivals|work)\s*=)/;

// What a file holds; throws what is wrong with it, in words.
export async function readReport(file) {
  if (file.size > MOST_BYTES) {
    throw new Error(`It has ${bytes(file.size)}, and at most ${bytes(MOST_BYTES)} are read.`);
  }
  const text = await file.text().catch(() => {
    throw new Error("The browser cannot read it. Is it a folder, or has it been moved?");
  });
  const report = parsed(text);
  REPORT(report, "");
  report.policies.forEach(agree);
  return report;
}

function parsed(text) {
  if (text.trim() === "") {
    throw new Error(`It is empty. Make one by ${COMMAND}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(whyNoJson(text, error));
  }
}

function whyNoJson(text, { message }) {
  if (/^\s*\{/.test(text)) {
    return `Its JSON is broken, or not all of it is there (${message}).`;
  }
  if (SCENARIO.test(text)) {
    return `It looks like a scenario, which has to be simulated first: ${COMMAND}`;
  }
  return `It is no JSON. Make one by ${COMMAND}`;
}

// Kinds of values: each throws, with the path, when a value is of another one.

const is = (test, what) => (value, path) => {
  if (!test(value)) {
    const place = path === "" ? "It" : `“${path}”`;
    throw new Error(`${place} is ${nameOf(value)}, and should be ${what}.`);
  }
};

const number = is((value) => typeof value === "number", "a number");
const text = is((value) => typeof value === "string", "a text");
const array = is(Array.isArray, "a list");
const object = is(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "an object, as a simulation’s JSON is",
);

const orNull = (kind) => (value, path) => value === null || kind(value, path);

const listOf = (kind) => (value, path) => {
  array(value, path);
  value.forEach((one, index) => kind(one, `${path}[${index}]`));
};

// With these fields; what else there is, as of a later version, is let be.
const record =
  (fields, optional = {}) =>
  (value, path) => {
    object(value, path);
    const at = (name) => (path === "" ? name : `${path}.${name}`);
    for (const [name, kind] of Object.entries(fields)) {
      if (!(name in value)) {
        throw new Error(
          `“${at(name)}” is missing: it is not what gatewright simulate --json prints.`,
        );
      }
      kind(value[name], at(name));
    }
    for (const [name, kind] of Object.entries(optional)) {
      if (value[name] !== undefined) {
        kind(value[name], at(name));
      }
    }
  };

const figure = orNull(number);
const figures = listOf(number);

const OUTCOME = record(
  {
    policy: text,
    requests: number,
    p50Ms: figure,
    p90Ms: figure,
    p99Ms: figure,
    p999Ms: figure,
    meanMs: figure,
    errors: number,
  },
  {
    within: figure,
    retries: number,
    utilisation: record({ mean: figure, min: figure, max: figure }),
    imbalance: figure,
    peak: number,
    overruled: number,
    fallbacks: number,
    faults: number,
    decisionNs: figure,
    distribution: listOf(figures),
    load: record({ atS: figures, mean: figures, max: figures }),
    groups: listOf(
      record({
        name: text,
        servers: number,
        requests: number,
        fewest: number,
        most: number,
        utilisation: figure,
      }),
    ),
    heat: record({ rows: listOf(text), values: listOf(figures) }),
  },
);

const REPORT = record(
  { scenario: text, seed: number, servers: number, policies: someOf(listOf(OUTCOME)) },
  { about: text, gateways: number, workers: number, objectiveMs: figure },
);

function someOf(kind) {
  return (value, path) => {
    kind(value, path);
    if (value.length === 0) {
      throw new Error(`“${path}” is empty: there is nothing to compare.`);
    }
  };
}

// Columns that belong together are as long as each other.
function agree({ load, heat, distribution = [] }, index) {
  const at = `policies[${index}]`;
  const same = (one, other, path, what) => {
    if (one.length !== other.length) {
      throw new Error(`“${at}.${path}” has ${one.length} values for ${other.length} ${what}.`);
    }
  };
  distribution.forEach((pair, place) =>
    same(pair, [0, 1], `distribution[${place}]`, "of a time and its share"),
  );
  if (load) {
    same(load.mean, load.atS, "load.mean", "moments");
    same(load.max, load.atS, "load.max", "moments");
  }
  if (heat) {
    same(heat.values, heat.rows, "heat.values", "rows");
    heat.values.forEach((row, place) =>
      same(row, load?.atS ?? heat.values[0], `heat.values[${place}]`, "moments"),
    );
  }
}

function nameOf(value) {
  if (value === null) {
    return "nothing";
  }
  const names = { object: "an object", string: "a text", number: "a number", boolean: "a truth" };
  return Array.isArray(value) ? "a list" : names[typeof value];
}
