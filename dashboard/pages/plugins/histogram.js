// How long decisions took: a column for each power of two that has any.

import { element } from "../../lib/dom.js";
import { count, nanoseconds, percent } from "../../lib/format.js";

// `buckets` are `{upTo, count}`, in nanoseconds and ascending.
export function histogram(buckets, label) {
  if (buckets.length === 0) {
    return element("p", { class: "quiet" }, "No decision has been timed yet: one in 64 is.");
  }
  const all = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const most = Math.max(...buckets.map((bucket) => bucket.count));
  const columns = buckets.map((bucket) => {
    const height = `${Math.max(1, (bucket.count / most) * 100)}%`;
    const words = `up to ${nanoseconds(bucket.upTo)}: ${count(bucket.count)}, ${percent(bucket.count / all)}`;
    return element(
      "li",
      { title: words },
      element("span", { class: "unseen" }, words),
      element("span", { "aria-hidden": "true" }, percent(bucket.count / all)),
      element("div", { class: "well" }, element("div", { class: "column", style: { height } })),
      element("span", { "aria-hidden": "true" }, `≤ ${nanoseconds(bucket.upTo)}`),
    );
  });
  return element("ul", { class: "histogram", "aria-label": label }, columns);
}
