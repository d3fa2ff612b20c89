// A component comes in: dropped or chosen, named, sent, compiled; and why not.

import { look, pathOf } from "../../lib/api.js";
import { openForm } from "../../lib/dialog.js";
import { button, element, setText } from "../../lib/dom.js";
import { takeFiles } from "../../lib/drop.js";
import { bytes, milliseconds, seconds, short } from "../../lib/format.js";
import { poll } from "../../lib/poll.js";
import { upload } from "../../lib/upload.js";

// How often to look how far the compile is.
const LOOK_MS = 500;

const list = document.getElementById("uploads");
let after = null;

// `onDone` is called when there is a new version, `open` shows its plugin.
export function installUpload({ onDone, open }) {
  after = { onDone, open };
  takeFiles(document.getElementById("drop"), {
    text: "Drop a WebAssembly component here, or",
    action: "Choose a file",
    accept: ".wasm,application/wasm",
    label: "Component file",
    bring,
  });
}

async function bring(files) {
  for (const file of files) {
    await describe(file);
  }
}

async function describe(file) {
  const wanted = await openForm({
    title: `Upload ${file.name}`,
    text: `${bytes(file.size)}. It is checked, compiled and tried aside, and decides nothing until it is activated.`,
    fields: [
      {
        name: "name",
        label: "Plugin",
        value: file.name.replace(/\.wasm$/, "").replaceAll("_", "-"),
        hint: "A new name declares a new plugin; a known one gets a version.",
      },
      {
        name: "grants",
        label: "Grants",
        placeholder: "store, clock",
        hint: "What a new plugin may import beside what needs no grant.",
      },
      {
        name: "memory",
        label: "Memory at most",
        placeholder: "16MiB",
        hint: "Of each instance of a new plugin.",
      },
    ],
    action: "Upload",
    onSubmit: (values) => values,
  });
  if (wanted) {
    await send(file, wanted);
  }
}

async function send(file, { name, grants, memory }) {
  const row = makeRow(name, file);
  list.prepend(row.element);
  const path = pathOf(["plugins"], {
    name: name ?? "",
    grants: grants?.replaceAll(" ", ""),
    memory,
  });
  let endPoll = null;
  try {
    const version = await upload(path, file, (share) => {
      row.sent(share);
      if (share === 1) {
        endPoll ??= poll(() => lookAt(name, row), LOOK_MS);
      }
    });
    row.done(version);
    after.onDone();
    after.open(version.name);
  } catch (error) {
    row.refused(error.message);
  } finally {
    endPoll?.();
  }
}

// What goes wrong with it the upload's own answer says.
async function lookAt(name, row) {
  const { uploads } = await look(pathOf(["plugins"]));
  const own = uploads.find((one) => one.name === name);
  if (own) {
    row.working(own.state);
  }
}

function makeRow(name, file) {
  const text = element("p", { role: "status" }, `Sending ${file.name}…`);
  // How far it is changes too often to be read aloud.
  const far = element("p", { class: "quiet", "aria-hidden": "true" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
  const away = button("Dismiss", { hidden: true }, () => node.remove());
  const node = element(
    "div",
    { class: "upload" },
    text,
    far,
    bar,
    element("div", { class: "buttons" }, away),
  );
  let isOver = false;
  // What is done with it now, and since when by the page's own clock: that of the
  // gateway may be another.
  let [working, since] = [null, 0];
  const end = (words, kind) => {
    isOver = true;
    bar.remove();
    far.remove();
    away.hidden = false;
    node.classList.add(kind);
    setText(text, words);
  };
  return {
    element: node,
    sent(share) {
      bar.value = share;
      setText(far, `${bytes(Math.round(share * file.size))} of ${bytes(file.size)}`);
      if (share === 1) {
        setText(text, `${file.name} is checked and compiled…`);
        // How long that takes nobody knows: the bar only moves.
        bar.removeAttribute("value");
      }
    },
    working(state) {
      if (!isOver) {
        [working, since] = state === working ? [working, since] : [state, performance.now()];
        const lasts = Math.round((performance.now() - since) / 1000);
        const isWaiting = state === "waiting";
        setText(
          text,
          isWaiting ? `${file.name} waits for the uploads before it.` : `${file.name} is compiled…`,
        );
        setText(far, isWaiting || lasts === 0 ? "" : `for ${seconds(lasts)} now`);
      }
    },
    done: ({ version, roles, compileMs }) =>
      end(
        `${name} ${short(version)} is there: ${roles.join(", ")}, compiled in ${milliseconds(compileMs)}. Activate it where it shall decide.`,
        "done",
      ),
    refused(reason) {
      text.setAttribute("role", "alert");
      end(`${file.name} was refused:\n${reason}`, "refused");
    },
  };
}
