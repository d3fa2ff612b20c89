// Asking again and again for what the stream does not carry.

import { live } from "./live.js";

// How often to see whether the page follows the gateway again.
const WAIT_MS = 250;

// Do `look` now and then, one at a time, for as long as the page is seen and
// follows the gateway: what that refuses, as a token that counts no more, is
// not asked about by the way. Gives what ends it.
export function poll(look, pauseMs) {
  let timer = null;
  let isOver = false;
  const again = async () => {
    const isFollowed = live.connection.kind === "live" && !document.hidden;
    if (isFollowed) {
      // The header says how the connection is, and it is asked again.
      await look().catch(() => {});
    }
    if (!isOver) {
      timer = setTimeout(again, isFollowed ? pauseMs : WAIT_MS);
    }
  };
  again();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
