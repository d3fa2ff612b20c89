// Fields of forms: label, hint, value, and what is wrong with it.

import { element, setAttribute, setText } from "./dom.js";

let serial = 0;

// Fields by their descriptions: `{name, label, type, value, hint, options}`,
// where `type` is `text`, `number`, `password`, `checkbox`, `range` or `select`.
export function fieldset(descriptions) {
  const fields = new Map(descriptions.map((one) => [one.name, field(one)]));
  return {
    element: element(
      "div",
      { class: "fields" },
      [...fields.values()].map((one) => one.element),
    ),
    values: () => Object.fromEntries([...fields].map(([name, one]) => [name, one.value()])),
    focus: () => fields.values().next().value?.focus(),
    // Be told when a field's value changes, as it is now.
    onChange(name, listener) {
      const one = fields.get(name);
      one.input.addEventListener("change", () => listener(one.value()));
    },
    setOptions: (name, options, chosen) =>
      fields.get(name).input.replaceChildren(...optionsOf(options, chosen)),
    // Show a refusal beside its field; false when no field here is to blame.
    blame(error) {
      for (const one of fields.values()) {
        one.complain("");
      }
      const blamed = fields.get(error.field);
      blamed?.complain(error.message);
      blamed?.focus();
      return blamed !== undefined;
    },
  };
}

function field(description) {
  const id = `field-${(serial += 1)}`;
  const input = inputOf(description, id);
  const wrong = element("p", { class: "field-error", id: `${id}-error`, "aria-live": "polite" });
  const hint = description.hint
    ? element("p", { class: "hint", id: `${id}-hint` }, description.hint)
    : null;
  setAttribute(input, "aria-describedby", hint ? `${id}-hint ${id}-error` : `${id}-error`);
  const label = element(
    "label",
    { for: id },
    description.label,
    description.type === "range" ? reading(input, description.unit) : null,
  );
  const isCheckbox = description.type === "checkbox";
  return {
    input,
    element: element(
      "div",
      { class: isCheckbox ? "field check" : "field" },
      isCheckbox ? [input, label] : [label, input],
      wrong,
      hint,
    ),
    value: () => valueOf(input, description.type),
    focus: () => input.focus(),
    complain(text) {
      setAttribute(input, "aria-invalid", text ? "true" : null);
      setText(wrong, text);
    },
  };
}

// A slider's value as text.
function reading(input, unit) {
  const shown = element("output", { for: input.id }, `${input.value}${unit}`);
  input.addEventListener("input", () => setText(shown, `${input.value}${unit}`));
  return [" ", shown];
}

function inputOf({ name, type = "text", value, options, placeholder, min, max, step }, id) {
  if (type === "select") {
    return element("select", { id, name }, optionsOf(options, value));
  }
  const input = element("input", {
    id,
    name,
    type,
    placeholder,
    min,
    max,
    step,
    autocomplete: "off",
    spellcheck: "false",
    inputmode: type === "number" ? "decimal" : null,
  });
  if (type === "checkbox") {
    input.checked = Boolean(value);
  } else {
    input.value = value ?? "";
  }
  return input;
}

function optionsOf(options, chosen) {
  return options.map(({ value, label }) =>
    element("option", { value, selected: value === chosen }, label),
  );
}

// The value as the API takes it: nothing typed is nothing said. A number that
// is none is sent as it was typed, so that the API says what is wrong with it.
function valueOf(input, type) {
  if (type === "checkbox") {
    return input.checked;
  }
  const text = input.value.trim();
  if (text === "") {
    return undefined;
  }
  return ["number", "range"].includes(type) && Number.isFinite(Number(text)) ? Number(text) : text;
}
