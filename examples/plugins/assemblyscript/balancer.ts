// A balancer that stays in its zone: of the endpoints that may be used, the
// least loaded one whose label `zone` is the configured one; when there is none,
// the least loaded of all.
//
// The exports follow the canonical ABI by hand, for there is no generator of
// bindings for AssemblyScript; `exports.mjs` gives them the contract's names.

import { allocate, release, result, text } from "./abi";

/** `gatewright:plugin/endpoints.label`: writes an `option<string>` to `into`. */
@external("gatewright:plugin/endpoints@0.1.0", "label")
declare function label(slot: u32, name: usize, length: usize, into: usize): void;

/** What `pick` finds in `load` for a slot that this attempt may not use. */
const UNUSABLE: u32 = u32.MAX_VALUE;

/** The bytes of a record `endpoint`, whose first field is its slot. */
const ENDPOINT_BYTES: usize = 28;

/** The zone to stay in. */
let zone = "";
/** By slot: whether it is in that zone. */
let near: bool[] = [];
/** Where the next scan begins, so that equally loaded endpoints take turns. */
let start: u32 = 0;

export function configure(config: usize, length: usize): usize {
  const found = zoneOf(text(config, length));
  release();
  if (found === null) {
    return result("zone", "write only a text, such as { zone = \"a\" }");
  }
  zone = found;
  return result();
}

/** The text in `{"zone":"…"}`; null for anything else. */
function zoneOf(config: string): string | null {
  const parts = config.split("\"");
  const isOneText =
    parts.length == 5 &&
    parts[0].trim() == "{" &&
    parts[1] == "zone" &&
    parts[2].trim() == ":" &&
    parts[4].trim() == "}" &&
    !parts[3].includes("\\");
  return isOneText ? parts[3] : null;
}

export function update(endpoints: usize, count: usize): void {
  const slots: u32[] = [];
  let size: u32 = 0;
  for (let at: usize = 0; at < count; at++) {
    const slot = load<u32>(endpoints + at * ENDPOINT_BYTES);
    slots.push(slot);
    size = max(size, slot + 1);
  }
  release();
  near = new Array<bool>(size);
  const name = String.UTF8.encode("zone");
  const answer = new StaticArray<usize>(3);
  for (let at = 0; at < slots.length; at++) {
    const into = changetype<usize>(answer);
    label(slots[at], changetype<usize>(name), name.byteLength, into);
    near[slots[at]] = load<u8>(into) == 1 && text(answer[1], answer[2]) == zone;
    release();
  }
}

export function eligible(slots: usize, count: usize): void {
  // `load` in `pick` says the same, and is newer.
  release();
}

const picked = memory.data(8);

export function pick(key: u64, loads: usize, count: u32): usize {
  let best: u32 = 0;
  let least = u64.MAX_VALUE;
  for (let step: u32 = 0; step < count; step++) {
    const slot = (start + step) % count;
    const active = load<u32>(loads + (<usize>slot << 2));
    if (active == UNUSABLE) continue;
    // Far endpoints come after all near ones.
    const isNear = slot < <u32>near.length && near[slot];
    const rank = (<u64>!isNear << 32) | active;
    if (rank < least) {
      best = slot;
      least = rank;
    }
  }
  release();
  const isSome = least != u64.MAX_VALUE;
  if (isSome) start = best + 1;
  store<u8>(picked, isSome);
  store<u32>(picked, best, 4);
  return picked;
}

export { allocate };
