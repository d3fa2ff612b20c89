// Work spread over animation frames: one piece in each, the newest of its name
// alone, so that a thousand servers' figures never hold up a frame or a click.

const waiting = new Map();
let isAsked = false;

// Run `work` in a frame of its own. What waits under the same name is replaced.
export function inFrame(name, work) {
  waiting.set(name, work);
  askForFrame();
}

function askForFrame() {
  if (!isAsked) {
    isAsked = true;
    requestAnimationFrame(runNext);
  }
}

function runNext() {
  isAsked = false;
  const [first] = waiting;
  if (!first) {
    return;
  }
  const [name, work] = first;
  waiting.delete(name);
  if (waiting.size > 0) {
    askForFrame();
  }
  timed(name, work);
}

// Do work and tell the browser's own timeline how long it took. Measures are
// cleared at once, since a page that is open all day would pile them up; who
// observes them has been told.
export function timed(name, work) {
  const start = performance.now();
  const result = work();
  performance.measure(`gatewright:${name}`, { start });
  performance.clearMeasures(`gatewright:${name}`);
  return result;
}
