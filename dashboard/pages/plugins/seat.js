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

// The versions of a plugin as choices, the newest first.
export async function choices(plugin) {
  const { versions } = await get(pathOf(["plugins", plugin]));
  return versions.reverse().map(({ version, uploadedAt, source }) => {
    const when = uploadedAt ? clock(uploadedAt) : "built in";
    return { value: version, label: `${short(version)} · ${source}, ${when}` };
  });
}
