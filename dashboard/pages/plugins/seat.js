// A seat in the API: where it is, how it goes back, what it may be bound to.

import { get, pathOf, post, put } from "../../lib/api.js";
import { clock, short } from "../../lib/format.js";

// A seat's name is its place in the API: `web/balancer`, `-/policy.limits`.
export const path = ({ binding }, ...rest) => pathOf(["bindings", ...binding.split("/"), ...rest]);

export const goBack = (seat, tag) => post(path(seat, "rollback"), undefined, tag);

// What is said of a version beside, without how it does.
export const said = ({ state: _, ...beside }) => beside;

// The opposite of a change of who decides: what was bound before, with what
// stood beside it, which a rollback alone ends.
export const restore = (seat) => async (tag) => {
  const back = await goBack(seat, tag);
  const beside = ["canary", "shadow"].filter((part) => seat[part] !== null);
  if (beside.length > 0) {
    const body = Object.fromEntries(beside.map((part) => [part, said(seat[part])]));
    await put(path(seat), body, back.tag);
  }
};

// The plugins of which some version can take a role, as choices.
export function able(plugins, role) {
  const can = ({ roles }) => roles.includes(role);
  const those = plugins.filter(({ versions }) => versions.some(can));
  return those.map(({ name }) => ({ value: name, label: name }));
}

// The versions of a plugin that can take a role as choices, the newest first.
export async function choices(plugin, role) {
  const { versions } = await get(pathOf(["plugins", plugin]));
  return fitting(versions, role);
}

// The same, after the one that the plugin has if that can take it, too: what its
// file holds, where that is not known yet, is what it held last.
export async function choicesOrOwn(plugin, role) {
  const { version, versions } = await get(pathOf(["plugins", plugin]));
  const own = versions.findLast((one) =>
    version === null ? one.source === "file" : one.version === version,
  );
  const canOwn = own === undefined || own.roles.includes(role);
  return [...(canOwn ? [OWN] : []), ...fitting(versions, role)];
}

const OWN = { value: "", label: "the plugin’s own" };

function fitting(versions, role) {
  const newest = versions.filter(({ roles }) => roles.includes(role)).reverse();
  return newest.map(({ version, uploadedAt, source }) => {
    const when = uploadedAt ? clock(uploadedAt) : "built in";
    return { value: version, label: `${short(version)} · ${source}, ${when}` };
  });
}
