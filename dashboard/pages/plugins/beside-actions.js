// What can be done with a version beside the one that decides, each with its
// way back.

import { put } from "../../lib/api.js";
import { openForm } from "../../lib/dialog.js";
import { short, words } from "../../lib/format.js";
import { attempt, done } from "../../lib/toast.js";
import { choices, path, said } from "./seat.js";

// Try a version as a canary or as a shadow.
export function tryBeside(seat, part) {
  const isCanary = part === "canary";
  return attempt(async () => {
    const all = await choices(seat.plugin, seat.role);
    const versions = all.filter(({ value }) => value !== seat.version);
    await openForm({
      title: isCanary ? `A canary in ${seat.binding}` : `A shadow in ${seat.binding}`,
      text:
        versions.length === 0
          ? `${seat.plugin} has no other version that can be the ${words(seat.role)}: upload one first.`
          : isCanary
            ? "It decides for its share of the requests."
            : "It is asked too, compared, and never obeyed.",
      fields:
        versions.length === 0
          ? []
          : [
              { name: `${part}.version`, label: "Version", type: "select", options: versions },
              {
                name: isCanary ? "canary.percent" : "shadow.sample",
                label: isCanary ? "Canary share" : "Shadow share",
                type: "range",
                min: 1,
                max: 100,
                value: 10,
                unit: " %",
              },
            ],
      action: versions.length === 0 ? null : "Start",
      async onSubmit(values) {
        const version = values[`${part}.version`];
        const body = isCanary
          ? { version, percent: values["canary.percent"] }
          : { version, sample: values["shadow.sample"] };
        const begun = await put(path(seat), { [part]: body });
        const before = seat[part] && said(seat[part]);
        done(`${short(version)} is a ${part} in ${seat.binding}.`, begun, (tag) =>
          put(path(seat), { [part]: before }, tag),
        );
      },
    });
  }, `The versions of ${seat.plugin} could not be read`);
}

// Change the share of a canary or shadow. The API's answer when it is done, else null.
export async function share(seat, part, value) {
  const before = said(seat[part]);
  const field = part === "canary" ? "percent" : "sample";
  const set = (beside, tag) => put(path(seat), { [part]: beside }, tag);
  let changed = null;
  await attempt(async () => {
    changed = await set({ ...before, [field]: value });
    done(`The ${part} in ${seat.binding} has ${value} %.`, changed, (tag) => set(before, tag));
  }, `The share of the ${part} in ${seat.binding} could not be changed`);
  return changed;
}

export function endBeside(seat, part) {
  const before = said(seat[part]);
  return attempt(async () => {
    const ended = await put(path(seat), { [part]: null });
    done(`The ${part} in ${seat.binding} has ended.`, ended, (tag) =>
      put(path(seat), { [part]: before }, tag),
    );
  }, `The ${part} in ${seat.binding} could not be ended`);
}
