// The style sheet's colours, for what is drawn on a canvas.

const probe = document.createElement("span");
probe.hidden = true;
const found = new Map();
const listeners = [];

// A token of `style/tokens.css`, such as `good`, as the theme in force has it.
export function colour(name) {
  if (!probe.isConnected) {
    document.body.append(probe);
  }
  if (!found.has(name)) {
    probe.style.color = `var(--${name})`;
    found.set(name, getComputedStyle(probe).color);
  }
  return found.get(name);
}

// Lines that are told apart by more than their colour have a dash too.
export const LINES = [
  ["line-1", []],
  ["line-2", [6, 3]],
  ["line-3", [2, 2]],
  ["line-4", [8, 3, 2, 3]],
  ["line-5", []],
  ["line-6", [6, 3]],
  ["line-7", [2, 2]],
  ["line-8", [8, 3, 2, 3]],
];

// Be told when the theme changes, and everything has to be drawn anew.
export function onTheme(listener) {
  listeners.push(listener);
}

function changed() {
  found.clear();
  listeners.forEach((listener) => listener());
}

document.addEventListener("gatewright:theme", () => requestAnimationFrame(changed));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
