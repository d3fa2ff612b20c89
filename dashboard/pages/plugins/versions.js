// A plugin's versions: what they are, and what can be done with each.

import { pathOf, remove } from "../../lib/api.js";
import { confirm } from "../../lib/dialog.js";
import { button, element, outward } from "../../lib/dom.js";
import { bytes, clock, short, words } from "../../lib/format.js";
import { Table } from "../../lib/table.js";
import { attempt, done } from "../../lib/toast.js";
import { authorization } from "../../lib/token.js";
import { places } from "./library.js";

// Places where a version is bound that are named.
const FEW_PLACES = 3;

// How long the largest component may take over a slow line.
const DOWNLOAD_MS = 120_000;

// `onDelete` is called when there is one less.
export function versionTable(name, onDelete) {
  return new Table({
    caption: `Versions of ${name}`,
    key: ({ version }) => version,
    columns: [
      { id: "version", label: "Version", isHead: true, text: ({ version }) => short(version) },
      { id: "origin", label: "From", long: true, text: origin },
      { id: "signed", label: "Signed by", long: true, text: ({ signedBy }) => signedBy ?? "–" },
      { id: "size", label: "Size", isNumber: true, text: ({ size }) => bytes(size) },
      { id: "about", label: "What it is", wide: true, make: aboutCell },
      { id: "bound", label: "Bound at", long: true, text: ({ bound }) => fewPlaces(bound) },
      {
        id: "actions",
        label: "Actions",
        hidesLabel: true,
        make: (version) => versionActions(name, version, onDelete),
      },
    ],
  });
}

// All of them are told further below.
function fewPlaces(bound) {
  const more = bound.length - FEW_PLACES;
  return more > 0 ? `${places(bound.slice(0, FEW_PLACES))} and ${more} more` : places(bound);
}

function origin({ source, uploadedAt, uploader }) {
  const when = uploadedAt ? clock(uploadedAt) : "built in";
  return [source, when, uploader && `by ${uploader}`].filter(Boolean).join(", ");
}

// What it says of itself, which nobody has checked; where it was fetched, and
// what the gateway has found in it.
function aboutCell({ about, reference, roles, imports, exports }) {
  const title = [about.name, about.version].filter(Boolean).join(" ");
  const lines = [
    title && element("strong", {}, title),
    about.description,
    about.homepage && outward(about.homepage),
    reference && `fetched from ${reference}`,
    `${roles.map(words).join(", ")}: ${interfaces(imports, exports)}`,
  ];
  const parts = lines.filter(Boolean).map((line) => element("p", {}, line));
  return { node: element("div", { class: "about" }, parts) };
}

// Interfaces without what all of them have in common.
function interfaces(imports, exports) {
  const bare = (names) =>
    names.map((name) => name.replace("gatewright:plugin/", "")).join(", ") || "nothing";
  return `needs ${bare(imports)}; offers ${bare(exports)}`;
}

function versionActions(name, { version, source }, onDelete) {
  const what = `${short(version)} of ${name}`;
  const away = button(
    "Delete",
    { "aria-label": `Delete ${what}`, disabled: source === "default" },
    () => deleteVersion(name, version, onDelete),
  );
  const file = button("Download", { "aria-label": `Download ${what}` }, () =>
    download(name, version),
  );
  return { node: element("span", { class: "row-actions" }, file, away) };
}

// A link would not carry the token.
function download(name, version) {
  return attempt(async () => {
    const response = await fetch(pathOf(["plugins", name, "versions", version, "download"]), {
      headers: authorization(),
      signal: AbortSignal.timeout(DOWNLOAD_MS),
    });
    if (!response.ok) {
      throw new Error(`the gateway answered ${response.status}`);
    }
    const address = URL.createObjectURL(await response.blob());
    element("a", { href: address, download: `${name}-${short(version)}.wasm` }).click();
    URL.revokeObjectURL(address);
  }, "The component could not be downloaded");
}

async function deleteVersion(name, version, onDelete) {
  const title = `Delete version ${short(version)} of ${name}?`;
  if (
    await confirm({
      title,
      text: "Its component is gone then; it can be uploaded again.",
      action: "Delete version",
    })
  ) {
    await attempt(async () => {
      const removed = await remove(pathOf(["plugins", name, "versions", version]));
      done(`Deleted ${short(version)} of ${name}.`, removed);
      onDelete();
    }, "The version could not be deleted");
  }
}
