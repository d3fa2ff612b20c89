// Every plugin that there is.

import { button, element, setText } from "../../lib/dom.js";
import { short } from "../../lib/format.js";
import { Table } from "../../lib/table.js";

const container = document.getElementById("library");
let table = null;

export function showLibrary(plugins, open) {
  table ??= makeTable(open);
  table.show(plugins);
}

function makeTable(open) {
  const made = new Table({
    caption: "Plugins",
    key: ({ name }) => name,
    columns: [
      {
        id: "name",
        label: "Plugin",
        isHead: true,
        sort: ({ name }) => name,
        make: (plugin) => nameCell(plugin, open),
      },
      { id: "source", label: "From", sort: ({ source }) => source, text: ({ source }) => source },
      { id: "version", label: "Own version", long: true, text: ({ version }) => short(version) },
      {
        id: "versions",
        label: "Versions",
        isNumber: true,
        sort: ({ versionCount }) => versionCount,
        text: ({ versionCount }) => String(versionCount),
      },
      {
        id: "memory",
        label: "Memory at most",
        isNumber: true,
        long: true,
        text: ({ memory }) => memory ?? "–",
      },
      {
        id: "bound",
        label: "Bound at",
        wide: true,
        sort: ({ bound }) => bound.length,
        isNumber: false,
        text: ({ bound }) => places(bound),
      },
    ],
  });
  container.replaceChildren(made.element);
  return made;
}

// Its name, and what its own version says of itself.
function nameCell({ name }, open) {
  const about = element("p", { class: "quiet" });
  const link = button(name, { class: "link", dataset: { plugin: name } }, () => open(name));
  return {
    node: element("div", { class: "named" }, link, about),
    update({ about: said }) {
      setText(about, said?.description ?? "");
      about.title = about.textContent;
      about.hidden = !said?.description;
    },
  };
}

// Give the focus to a plugin's name, if it is there.
export function focusPlugin(name) {
  container.querySelector(`[data-plugin="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
}

// Where something is bound, in words.
export function places(bound) {
  const named = bound.map(({ binding, part }) =>
    part === "active" ? binding : `${binding} (${part})`,
  );
  return named.join(", ") || "nowhere";
}
