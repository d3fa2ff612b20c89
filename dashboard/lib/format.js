// Numbers, times and sizes as people read them. What is not known is a dash.

const UNKNOWN = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clockForm = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayForm = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
});

const isUnknown = (value) => value === null || value === undefined || Number.isNaN(value);

// Two or three digits that mean something: 0.42, 4.2, 42, 420.
function significant(value) {
  if (value === 0) {
    return "0";
  }
  const digits = value < 0.995 ? 2 : value < 9.95 ? 1 : 0;
  return value.toFixed(digits);
}

export function count(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  return value < 100_000 ? whole.format(value) : compact.format(value);
}

export function rate(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  if (value === 0) {
    return "0";
  }
  return value < 9.95 ? value.toFixed(1) : count(value);
}

export function milliseconds(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  return value < 999.5 ? `${significant(value)} ms` : `${significant(value / 1000)} s`;
}

export function nanoseconds(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  if (value < 999.5) {
    return `${Math.round(value)} ns`;
  }
  return value < 999_500 ? `${significant(value / 1000)} µs` : milliseconds(value / 1e6);
}

export function bytes(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  const units = ["B", "KiB", "MiB", "GiB"];
  let [size, unit] = [value, 0];
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${size} B` : `${significant(size)} ${units[unit]}`;
}

// A share of 1. Only all is 100 %, and only nothing 0.
export function percent(share) {
  if (isUnknown(share)) {
    return UNKNOWN;
  }
  if (share > 0 && share < 0.0001) {
    return "< 0.01 %";
  }
  // Cut and not rounded, so that none but all is all.
  const value = share > 0.99 && share < 1 ? Math.floor(share * 1000) / 10 : share * 100;
  return value > 99 && value < 100 ? `${value.toFixed(1)} %` : `${significant(value)} %`;
}

export function seconds(value) {
  if (isUnknown(value)) {
    return UNKNOWN;
  }
  return value < 1 ? `${whole.format(value * 1000)} ms` : `${Number(value.toFixed(2))} s`;
}

// How long something lasts, in its two largest units.
export function duration(value) {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const first = Math.max(
    0,
    units.findIndex(([, size]) => value >= size),
  );
  const parts = units.slice(first, first + 2).map(([unit, size], index) => {
    const before = index === 0 ? value : value % units[first][1];
    return `${Math.floor(before / size)} ${unit}`;
  });
  return value < 1 ? "0 s" : parts.join(" ");
}

// The time of day of a moment, or its date too when that is another day.
export function clock(moment) {
  if (isUnknown(moment)) {
    return UNKNOWN;
  }
  const date = new Date(moment);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clockForm.format(date) : `${dayForm.format(date)}, ${clockForm.format(date)}`;
}

// How long ago a moment is.
export function ago(moment) {
  if (isUnknown(moment)) {
    return "never";
  }
  const age = Math.max(0, (Date.now() - new Date(moment).getTime()) / 1000);
  if (age < 1.5) {
    return "just now";
  }
  const steps = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86_400, 3600, "h"],
    [Infinity, 86_400, "days"],
  ];
  const [, size, unit] = steps.find(([below]) => age < below);
  return `${Math.round(age / size)} ${unit} ago`;
}

// Enough of a version's digest to tell it by.
export function short(version) {
  return version ? version.slice(0, 8) : UNKNOWN;
}

// An algorithm or role in words.
export function words(name) {
  return name ? name.replaceAll(/[_-]/g, " ") : UNKNOWN;
}

// "1 server", "2 servers".
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
