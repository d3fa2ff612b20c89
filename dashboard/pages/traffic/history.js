// What the server kept of the last minutes, and what the stream adds to it.

import { get, pathOf } from "../../lib/api.js";
import { configurationOf } from "../../lib/configuration.js";
import { keyOf } from "../../lib/servers.js";
import { byName } from "../../lib/table.js";
import { failed } from "../../lib/toast.js";

const MEASURES = ["requestsPerSecond", "errorsPerSecond", "p50", "p90", "p99", "active"];

// Lines of a chart that can be told apart beside that of all of them, and so many
// lines' percentiles.
export const MOST_LINES = 7;
const MOST_SCOPES = 2;

// Points of each span.
const POINTS = 60;

// Seconds that are missing make a gap, which the server can fill.
const LONGEST_STEP_S = 1.6;

export class History {
  #onColumns;
  #choice = null;
  #data = null;
  #isLoading = false;
  // The configuration that the data is of.
  #configuration = null;

  // `onColumns` is given `{time, lines, scopes, span, names, shown}`: moments in
  // seconds, each line's `{name, ...columns}`, the lines that all others are part
  // of, seconds, and the names of what could have lines and of what does.
  constructor(onColumns) {
    this.#onColumns = onColumns;
  }

  // Look at a pool, a server or all, over so many minutes; of all, at the
  // pools in `line` if any are chosen.
  look(choice) {
    this.#choice = { ...choice };
    this.#load();
  }

  // Take a second's figures in. Of a longer span, a point is of several
  // seconds, and the server has it; as it has what was added meanwhile, and what
  // was not shown while nobody looked.
  take(figures) {
    if (this.#isLoading) {
      return;
    }
    if (!this.#data) {
      this.#load();
      return;
    }
    const at = new Date(figures.at).getTime() / 1000;
    const { periodSeconds, time } = this.#data;
    const step = at - (time.at(-1) ?? 0);
    const isOtherwise = this.#configuration !== configurationOf(figures);
    this.#configuration = configurationOf(figures);
    const isGap = step > (periodSeconds > 1 ? periodSeconds : LONGEST_STEP_S);
    const isSetBack = step < -periodSeconds;
    if (isOtherwise || isGap || isSetBack) {
      this.#load();
    } else if (periodSeconds === 1 && step > 0.1) {
      this.#append(at, figures);
    }
  }

  async #load() {
    const choice = this.#choice;
    const { minutes, pool, server } = choice;
    const query = { minutes, pool, server, top: pool && !server ? MOST_LINES : null };
    this.#isLoading = true;
    try {
      const data = await get(pathOf(["metrics", "history"], query));
      // Something else may have been chosen meanwhile.
      if (choice === this.#choice) {
        this.#data = sinceSetBack(data);
        this.#tell();
      }
    } catch (error) {
      failed(`The last minutes could not be read: ${error.message}`);
    } finally {
      if (choice === this.#choice) {
        this.#isLoading = false;
      }
    }
  }

  #append(at, figures) {
    const { total, pools, servers, time } = this.#data;
    const poolFigures = new Map(figures.pools.map((one) => [one.pool, one]));
    const serverFigures = new Map(figures.servers.map((one) => [keyOf(one), one]));
    push(time, at);
    extend(total, { ...figures, activeConnections: figures.requestsInFlight });
    pools.forEach((one) => extend(one, poolFigures.get(one.pool)));
    servers.forEach((one) => extend(one, serverFigures.get(keyOf(one))));
    this.#tell();
  }

  #tell() {
    const { time, total, pools, servers } = this.#data;
    const span = this.#choice.minutes * 60;
    const all = total && { ...total, name: "all pools" };
    // By name, whatever their rank is now, so that a server keeps its colour.
    const sorted = servers.toSorted((one, other) => byName(one.serverId, other.serverId));
    const isOne = this.#choice.server !== null;
    const named = [
      ...pools.map((one) => ({ ...one, name: one.pool })),
      // The same server in several pools is a line for each.
      ...sorted.map((one) => ({
        ...one,
        name: isOne && servers.length > 1 ? `${one.serverId} in ${one.pool}` : one.serverId,
      })),
    ];
    // What all the others are part of has the first line.
    const [whole, parts] = all
      ? [named.length > 1 ? [all] : [], this.#chosen(named)]
      : isOne
        ? [[], named.filter((line) => line.serverId)]
        : [named.slice(0, 1), named.slice(1)];
    const lines = [...whole, ...parts.slice(0, MOST_LINES)];
    const scopes = all ? [all] : lines.slice(0, isOne ? MOST_SCOPES : 1);
    const [names, shown] = [named, lines.slice(whole.length)].map(namesOf);
    this.#onColumns({ time, lines, scopes, span, names, shown });
  }

  // The pools that somebody has chosen, or else the busiest.
  #chosen(pools) {
    const { line } = this.#choice;
    return line ? pools.filter(({ name }) => line.includes(name)) : busiest(pools);
  }
}

// What was kept before the clock was set back would be drawn over what came
// after that, and is left out.
function sinceSetBack(data) {
  const { time, total, pools, servers } = data;
  const first = time.findLastIndex((at, index) => at <= time[index - 1]);
  if (first < 0) {
    return data;
  }
  const cut = (series) => {
    const columns = MEASURES.map((measure) => [measure, series[measure].slice(first)]);
    return { ...series, ...Object.fromEntries(columns) };
  };
  return {
    ...data,
    time: time.slice(first),
    total: total && cut(total),
    pools: pools.map(cut),
    servers: servers.map(cut),
  };
}

const namesOf = (lines) => lines.map(({ name }) => name);

function busiest(lines) {
  const weight = (line) => line.requestsPerSecond.reduce((sum, value) => sum + (value ?? 0), 0);
  const ranked = [...lines].sort((one, other) => weight(other) - weight(one)).slice(0, MOST_LINES);
  // In their own order, so that a line keeps its colour while figures change.
  return lines.filter((line) => ranked.includes(line));
}

function extend(series, newest) {
  for (const measure of series ? MEASURES : []) {
    const name = measure === "active" ? "activeConnections" : measure;
    push(series[measure], newest?.[name] ?? null);
  }
}

function push(column, value) {
  column.push(value);
  if (column.length > POINTS) {
    column.shift();
  }
}
