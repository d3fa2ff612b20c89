// What can be done with a seat, each with its way back.

import { ApiError, get, pathOf, put, remove } from "../../lib/api.js";
import { confirm, openForm } from "../../lib/dialog.js";
import { short } from "../../lib/format.js";
import { attempt, done } from "../../lib/toast.js";
import { able, choicesOrOwn, goBack, path, restore } from "./seat.js";

// Let another version decide, or another plugin.
export function activate(seat) {
  return attempt(async () => {
    const [{ plugins }, versions] = await Promise.all([
      get(pathOf(["plugins"])),
      choicesOrOwn(seat.plugin, seat.role),
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
          options: able(plugins, seat.role),
        },
        {
          name: "version",
          label: "Version",
          type: "select",
          value: seat.pinned ? seat.version : "",
          options: versions,
        },
      ],
      action: "Activate",
      wire(form) {
        const pinned = (name) => (name === seat.plugin && seat.pinned ? seat.version : "");
        form.onChange("plugin", (name) => offerVersions(form, name, seat.role, pinned(name)));
      },
      async onSubmit({ plugin, version = null }) {
        const changed = await put(path(seat), { plugin, version });
        const which = version ? ` ${short(version)}` : "";
        done(`${plugin}${which} decides in ${seat.binding}.`, changed, restore(seat));
      },
    });
  }, `The versions of ${seat.plugin} could not be read`);
}

// A plugin's own versions are its choices, and no other's.
function offerVersions(form, name, role, chosen = "") {
  form.setOptions("version", []);
  return attempt(async () => {
    const versions = await choicesOrOwn(name, role);
    // Something else may have been chosen meanwhile.
    const now = form.values();
    if (now.plugin === name && (now.role ?? role) === role) {
      form.setOptions("version", versions, chosen);
    }
  }, `The versions of ${name} could not be read`);
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
        const changed = await put(path(seat), { version });
        done(`${short(version)} decides in ${seat.binding}.`, changed, restore(seat));
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
      done(`${seat.binding} has gone back to ${target}.`, await goBack(seat));
    }, `${seat.binding} could not be rolled back`);
  }
}

const WHENS = [
  { value: "request-policy", label: "before the request is routed" },
  { value: "response-policy", label: "on the response’s head" },
];

// Put a policy behind the others.
export function bindPolicy() {
  return attempt(async () => {
    const { plugins } = await get(pathOf(["plugins"]));
    const whens = WHENS.filter(({ value }) => able(plugins, value).length > 0);
    if (whens.length === 0) {
      const text = "No plugin here can be a policy. Upload one first.";
      await openForm({ title: "Bind a policy", text, fields: [], action: null });
      return;
    }
    const [{ value: role }] = whens;
    const offered = able(plugins, role);
    const versions = await choicesOrOwn(offered[0].value, role);
    await openForm({
      title: "Bind a policy",
      text: "It is asked about every request, after the policies that are there.",
      fields: [
        { name: "name", label: "Name", placeholder: "limits" },
        { name: "role", label: "When", type: "select", value: role, options: whens },
        { name: "plugin", label: "Plugin", type: "select", options: offered },
        { name: "version", label: "Version", type: "select", options: versions },
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
      wire(form) {
        form.onChange("role", (wanted) => {
          const fitting = able(plugins, wanted);
          form.setOptions("plugin", fitting);
          offerVersions(form, fitting[0].value, wanted);
        });
        form.onChange("plugin", (wanted) => offerVersions(form, wanted, form.values().role));
      },
      async onSubmit({ name, version = null, ...binding }) {
        if (name === undefined) {
          throw new ApiError(422, { code: "invalid", field: "name", message: "Give it a name." });
        }
        const seat = { binding: `-/policy.${name}` };
        const wanted = { ...binding, version };
        const bound = await put(path(seat), wanted);
        const isNew = bound.data.history[0]?.plugin === null;
        done(`${wanted.plugin} is bound as policy ${name}.`, bound, (tag) =>
          isNew ? remove(path(seat), tag) : goBack(seat, tag),
        );
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
      const unbound = await remove(path(seat));
      done(`Nothing is bound at ${seat.binding} any more.`, unbound, restore(seat));
    }, `${seat.binding} could not be unbound`);
  }
}
