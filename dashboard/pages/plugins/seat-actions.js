// What can be done with a seat, each with its way back.

import { ApiError, get, pathOf, post, put, remove } from "../../lib/api.js";
import { confirm, openForm } from "../../lib/dialog.js";
import { clock, short } from "../../lib/format.js";
import { attempt, done } from "../../lib/toast.js";

// A seat's name is its place in the API: `web/balancer`, `-/policy.limits`.
const path = ({ binding }, ...rest) => pathOf(["bindings", ...binding.split("/"), ...rest]);

const goBack = (seat) => post(path(seat, "rollback"));

// The versions of a plugin as choices, the newest first.
async function choices(plugin) {
  const { versions } = await get(pathOf(["plugins", plugin]));
  return versions.reverse().map(({ version, uploadedAt, source }) => {
    const when = uploadedAt ? clock(uploadedAt) : "built in";
    return { value: version, label: `${short(version)} · ${source}, ${when}` };
  });
}

const OWN = { value: "", label: "the plugin’s own" };

// Let another version decide, or another plugin.
export function activate(seat) {
  return attempt(async () => {
    const [{ plugins }, versions] = await Promise.all([
      get(pathOf(["plugins"])),
      choices(seat.plugin),
    ]);
    await openForm({
      title: `Who decides in ${seat.binding}?`,
      text: "It takes over between two requests; none fails or waits.",
      fields: [
        {
          name: "plugin",
          label: "Plugin",
          type: "select",
          value: seat.plugin,
          options: plugins.map(({ name }) => ({ value: name, label: name })),
        },
        {
          name: "version",
          label: "Version",
          type: "select",
          value: seat.pinned ? seat.version : "",
          options: [OWN, ...versions],
        },
      ],
      action: "Activate",
      wire: (form) =>
        form.onChange("plugin", (name) =>
          attempt(
            async () => form.setOptions("version", [OWN, ...(await choices(name))]),
            `The versions of ${name} could not be read`,
          ),
        ),
      async onSubmit({ plugin, version = null }) {
        await put(path(seat), { plugin, version });
        done(`${plugin} ${version ? short(version) : ""} decides in ${seat.binding}.`, () =>
          goBack(seat),
        );
      },
    });
  }, `The versions of ${seat.plugin} could not be read`);
}

// Try a version as a canary or as a shadow.
export function tryBeside(seat, part) {
  const isCanary = part === "canary";
  return attempt(async () => {
    const versions = (await choices(seat.plugin)).filter(({ value }) => value !== seat.version);
    await openForm({
      title: isCanary ? `A canary in ${seat.binding}` : `A shadow in ${seat.binding}`,
      text:
        versions.length === 0
          ? `${seat.plugin} has no other version: upload one first.`
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
        await put(path(seat), { [part]: body });
        done(`${short(version)} is a ${part} in ${seat.binding}.`, () =>
          put(path(seat), { [part]: null }),
        );
      },
    });
  }, `The versions of ${seat.plugin} could not be read`);
}

// Change the share of a canary or shadow.
export function share(seat, part, value) {
  const { version, ...before } = seat[part];
  const field = part === "canary" ? "percent" : "sample";
  const set = (number) => put(path(seat), { [part]: { version, [field]: number } });
  return attempt(async () => {
    await set(value);
    done(`The ${part} in ${seat.binding} has ${value} %.`, () => set(before[field]));
  }, `The share of the ${part} in ${seat.binding} could not be changed`);
}

export function endBeside(seat, part) {
  const { state: _, ...before } = seat[part];
  return attempt(async () => {
    await put(path(seat), { [part]: null });
    done(`The ${part} in ${seat.binding} has ended.`, () => put(path(seat), { [part]: before }));
  }, `The ${part} in ${seat.binding} could not be ended`);
}

// Let the version that was tried decide for all.
export async function promote(seat, part) {
  const { version } = seat[part];
  const isSure = await confirm({
    title: `Promote ${short(version)}?`,
    text: `It decides in ${seat.binding} for all requests from then on. A rollback leads back to ${short(seat.version)}.`,
    action: "Promote",
  });
  if (isSure) {
    await attempt(
      async () => {
        await put(path(seat), { version });
        done(`${short(version)} decides in ${seat.binding}.`, () => goBack(seat));
      },
      `${short(version)} could not be promoted`,
    );
  }
}

export async function rollBack(seat) {
  const [{ plugin, version }] = seat.history;
  const target = `${plugin ?? "nothing"} ${version ? short(version) : "in its own version"}`;
  const isSure = await confirm({
    title: `Roll ${seat.binding} back?`,
    text: `It goes back to ${target}; a canary or shadow ends.`,
    action: "Roll back",
  });
  if (isSure) {
    await attempt(async () => {
      await goBack(seat);
      done(`${seat.binding} has gone back to ${target}.`);
    }, `${seat.binding} could not be rolled back`);
  }
}

// Put a policy behind the others.
export function bindPolicy() {
  return attempt(async () => {
    const { plugins } = await get(pathOf(["plugins"]));
    await openForm({
      title: "Bind a policy",
      text: "It is asked about every request, after the policies that are there.",
      fields: [
        { name: "name", label: "Name", placeholder: "limits" },
        {
          name: "plugin",
          label: "Plugin",
          type: "select",
          options: plugins.map(({ name }) => ({ value: name, label: name })),
        },
        {
          name: "role",
          label: "When",
          type: "select",
          value: "request-policy",
          options: [
            { value: "request-policy", label: "before the request is routed" },
            { value: "response-policy", label: "on the response’s head" },
          ],
        },
        {
          name: "onFault",
          label: "When it faults",
          type: "select",
          value: "deny",
          options: [
            { value: "deny", label: "answer with 503" },
            { value: "allow", label: "let the request go on" },
          ],
        },
      ],
      action: "Bind",
      async onSubmit({ name, ...wanted }) {
        if (name === undefined) {
          throw new ApiError(422, { code: "invalid", field: "name", message: "Give it a name." });
        }
        const seat = { binding: `-/policy.${name}` };
        await put(path(seat), wanted);
        done(`${wanted.plugin} is bound as policy ${name}.`, () => remove(path(seat)));
      },
    });
  }, "The plugins could not be read");
}

// Take an affinity or a policy away.
export async function unbind(seat) {
  const isPolicy = seat.role.endsWith("-policy");
  const isSure = await confirm({
    title: `Unbind ${seat.binding}?`,
    text: isPolicy
      ? `Requests pass without asking ${seat.plugin} from then on.`
      : "Clients are no longer kept on their server.",
    action: "Unbind",
  });
  if (isSure) {
    await attempt(async () => {
      await remove(path(seat));
      done(`Nothing is bound at ${seat.binding} any more.`, () => goBack(seat));
    }, `${seat.binding} could not be unbound`);
  }
}
