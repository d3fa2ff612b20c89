// What the canonical ABI asks of a guest: memory for what the host hands over,
// texts read from it, and the `result` of `configure`.

/** What the host wrote since the last `release`, held against the collector. */
const held: ArrayBuffer[] = [];

/** The export `cabi_realloc`. The host only ever asks for new memory here. */
export function allocate(old: usize, oldBytes: usize, align: usize, bytes: usize): usize {
  const buffer = new ArrayBuffer(<i32>bytes);
  held.push(buffer);
  return changetype<usize>(buffer);
}

/** Let go of what the host handed over; call it once the arguments are read. */
export function release(): void {
  held.length = 0;
}

/** A `string` that the host handed over. */
export function text(at: usize, length: usize): string {
  return String.UTF8.decodeUnsafe(at, length);
}

const area = memory.data(20);
let kept: ArrayBuffer[] = [];

/** A `result<_, config-error>`: an error if there is a reason. */
export function result(key: string = "", reason: string = ""): usize {
  store<u8>(area, reason != "");
  kept = [String.UTF8.encode(key), String.UTF8.encode(reason)];
  for (let at = 0; at < 2; at++) {
    store<usize>(area + <usize>at * 8, changetype<usize>(kept[at]), 4);
    store<usize>(area + <usize>at * 8, kept[at].byteLength, 8);
  }
  return area;
}

/** `gatewright:plugin/log.write`; level 0 is an error. */
@external("gatewright:plugin/log@0.1.0", "write")
declare function write(level: u32, text: usize, length: usize): void;

/** What `throw` calls: the words and their place go to the plugin's log. */
export function lastWords(message: string | null, file: string | null, line: u32, column: u32): void {
  const words = `${message ? message : "thrown"} at ${file ? file : "?"}:${line}:${column}`;
  const bytes = String.UTF8.encode(words);
  write(0, changetype<usize>(bytes), bytes.byteLength);
  unreachable();
}
