// What is on the screen or near it: the rest need not be drawn.

// As much above and below as the screen shows, so that scrolling shows no gap.
const MARGIN = "100% 0%";

const listeners = new WeakMap();

const observer = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      if (!target.isConnected) {
        observer.unobserve(target);
      }
      listeners.get(target)(isIntersecting);
    }
  },
  { rootMargin: MARGIN },
);

// Be told whether an element is near the screen, now and whenever that changes,
// until it leaves the page.
export function onNear(element, listener) {
  listeners.set(element, listener);
  observer.observe(element);
}
