// Plugins: who decides where, which versions there are, and how they do.

import { ask, get, pathOf } from "../lib/api.js";
import { configurationIn, configurationOf } from "../lib/configuration.js";
import { inFrame } from "../lib/frames.js";
import { live } from "../lib/live.js";
import { poll } from "../lib/poll.js";
import { startPage } from "../lib/shell.js";
import { failed } from "../lib/toast.js";
import { showChain } from "./plugins/chain.js";
import { installDetail, openDetail } from "./plugins/detail.js";
import { showLibrary } from "./plugins/library.js";
import { bindPolicy } from "./plugins/seat-actions.js";
import { compareShadows, showSeats } from "./plugins/seats.js";
import { installUpload } from "./plugins/uploading.js";

// How often what the stream does not carry is asked for while it is shown.
const LOOK_MS = 2_000;

// What changes by hand only; `seated` is the configuration that has the bindings.
const known = { plugins: [], bindings: [], listeners: [], seated: null, configuration: null };
const filter = document.getElementById("filter");
let isLoading = false;
let isWanted = false;

// One question at a time; what is wanted meanwhile is asked once afterwards.
async function load() {
  isWanted = true;
  while (isWanted && !isLoading) {
    isWanted = false;
    isLoading = true;
    try {
      const [{ plugins }, bound, listeners] = await Promise.all([
        get(pathOf(["plugins"])),
        ask("GET", pathOf(["bindings"])),
        get(pathOf(["listeners"])),
      ]);
      const seated = configurationIn(bound);
      Object.assign(known, { plugins, bindings: bound.data, listeners, seated });
      showLibrary(plugins, openDetail);
      inFrame("seats", show);
    } catch (error) {
      known.configuration = null;
      failed(`The plugins could not be read: ${error.message}`);
    } finally {
      isLoading = false;
    }
  }
}

function show() {
  if (live.figures && known.bindings.length > 0) {
    showChain(known, live.figures);
    showSeats(known, live.figures, filter.value.toLowerCase());
  }
}

// The plugin that the address names, if it does not name the page's content.
function openNamed() {
  const { hash } = location;
  if (hash && hash !== document.querySelector(".skip").hash) {
    openDetail(decoded(hash.slice(1)));
  }
}

// Whoever writes an address by hand may write a percent sign.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

startPage("Plugins");
installDetail(() => known.bindings);
installUpload({ onDone: load, open: openDetail });
document.getElementById("bind-policy").addEventListener("click", bindPolicy);
filter.addEventListener("input", () => inFrame("seats", show));
live.onEvent(({ kind, action }) => {
  // An upload changes no configuration, and is told by the audit log alone.
  if (kind === "change" || kind === "plugin" || /^(plugin|binding)\./.test(action)) {
    load();
  }
});
live.onFigures("seats", (figures) => {
  if (known.configuration !== configurationOf(figures)) {
    known.configuration = configurationOf(figures);
    load();
  }
  show();
});
poll(() => compareShadows(known.bindings), LOOK_MS);
window.addEventListener("hashchange", openNamed);
openNamed();
