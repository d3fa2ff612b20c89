// Simulations: what `gatewright simulate --json` came to, opened from files and
// compared. Nothing of it leaves the browser.

import { takeFiles } from "../lib/drop.js";
import { startPage } from "../lib/shell.js";
import { failed } from "../lib/toast.js";
import { showComparison } from "./simulations/comparison.js";
import { Curves } from "./simulations/curves.js";
import { Lines } from "./simulations/lines.js";
import { readReport } from "./simulations/report.js";
import { showRuns } from "./simulations/runs.js";
import { Servers } from "./simulations/servers.js";

const how = document.getElementById("how");
const results = document.getElementById("results");

// How it is looked at, kept in the address: whoever opens the same files there
// sees the same. The files themselves are not.
const asked = new URLSearchParams(location.search);
const choice = {
  line: asked.has("line") ? asked.getAll("line") : null,
  load: asked.get("load"),
  under: asked.get("under"),
};

let runs = [];
let serial = 0;

const lines = new Lines(choice.line, (line) => {
  choose({ line });
  showCurves();
});
const curves = new Curves(choice.load, (load) => choose({ load }));
const servers = new Servers(choice.under, (under) => choose({ under }));

function choose(change) {
  Object.assign(choice, change);
  const said = Object.entries(choice).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => [name, one]),
  );
  window.history.replaceState(null, "", `?${new URLSearchParams(said)}`);
}

async function bring(files) {
  for (const file of files) {
    try {
      add(file.name, await readReport(file));
    } catch (error) {
      failed(`${file.name} cannot be shown. ${error.message}`);
    }
  }
}

function add(file, report) {
  const text = JSON.stringify(report);
  if (runs.some((run) => run.text === text)) {
    failed(`${file} has nothing that is not open already.`);
    return;
  }
  serial += 1;
  const base = file.replace(/\.json$/i, "");
  const isTaken = runs.some(({ name }) => name === base);
  runs.push({ id: serial, name: isTaken ? `${base} (${serial})` : base, report, text });
  how.open = false;
  show();
}

function close(run) {
  runs = runs.filter((one) => one !== run);
  how.open = runs.length === 0;
  show();
}

// A row for each policy of each file, each with a name of its own.
function rows() {
  const taken = new Set();
  return runs.flatMap((run) =>
    run.report.policies.map((outcome, index) => {
      const plain = runs.length > 1 ? `${outcome.policy} · ${run.name}` : outcome.policy;
      const name = taken.has(plain) ? `${plain} (${index + 1})` : plain;
      taken.add(name);
      return { key: `${run.id} ${index}`, run, name, outcome };
    }),
  );
}

function show() {
  showRuns(runs, close);
  results.hidden = runs.length === 0;
  if (runs.length > 0) {
    const all = rows();
    showComparison(all);
    servers.show(all);
    showCurves();
  }
}

function showCurves() {
  curves.show(lines.of(rows()));
}

startPage("Simulations");
takeFiles(document.getElementById("drop"), {
  text: "Drop the JSON of simulations here, or",
  action: "Choose files",
  accept: ".json,application/json",
  label: "Simulation files",
  multiple: true,
  bring,
});
