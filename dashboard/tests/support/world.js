// What most tests look at: two pools, four servers, and clients who ask.

import { Backend, Gateway, configuration, traffic } from "./gateway.js";

// Servers `a`, `b` and `c` in pool web, `d` in pool api. Clients ask web for
// most of what they ask.
export async function world({ rate = 120 } = {}) {
  const [a, b, c, d] = await Promise.all([Backend.start(), Backend.start(), Backend.start("--delay", "5ms"), Backend.start()]);
  const pools = { web: [a, b, c].map((one) => one.address), api: [d.address] };
  const gateway = await Gateway.start(configuration(pools));
  await traffic(gateway, { rate, path: "/products" });
  await traffic(gateway, { rate: rate / 6, path: "/api/test" });
  return { gateway, a, b, c, d };
}
