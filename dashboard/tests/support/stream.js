// What the pages are told, and whether anybody looks at them.

// A page that is told of the stream what `alter` makes of it. For `open`, as
// `first`.
export function canAlter(page) {
  return page.addInitScript(() => {
    const sieve = () => {
      let rest = "";
      return new TransformStream({
        transform(text, out) {
          const frames = (rest + text).split("\n\n");
          rest = frames.pop();
          for (const frame of frames.map(window.alterFrame ?? ((one) => one))) {
            if (frame !== null) {
              out.enqueue(`${frame}\n\n`);
            }
          }
        },
      });
    };
    const { fetch } = window;
    window.fetch = async (path, options) => {
      const response = await fetch(path, options);
      if (path !== "api/stream" || !response.ok) {
        return response;
      }
      const text = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(sieve());
      return new Response(text.pipeThrough(new TextEncoderStream()));
    };
  });
}

// Tell the page events alone, and no figures: what it shows then, it shows by an
// event.
export function withhold(page, areWithheld) {
  return page.evaluate((now) => {
    const isFigures = (frame) => frame.startsWith("event: metrics");
    window.alterFrame = now ? (frame) => (isFigures(frame) ? null : frame) : undefined;
  }, areWithheld);
}

// Tell the page figures as of an hour before, with so many requests a second.
export function setBack(page, requestsPerSecond) {
  return page.evaluate((requests) => {
    window.alterFrame = (frame) => {
      const [head, data] = frame.split("\ndata: ");
      if (head !== "event: metrics") {
        return frame;
      }
      const figures = JSON.parse(data);
      const at = new Date(Date.parse(figures.at) - 3_600_000).toISOString();
      return `${head}\ndata: ${JSON.stringify({ ...figures, at, requestsPerSecond: requests })}`;
    };
  }, requestsPerSecond);
}

// Tell the page figures of a configuration, with the pools' algorithms there; by null,
// of those that they are of.
export function pin(page, generation, algorithms) {
  return page.evaluate((wanted) => {
    window.framesTold = 0;
    window.alterFrame = (frame) => {
      const [head, data] = frame.split("\ndata: ");
      if (wanted.generation === null || head !== "event: metrics") {
        return frame;
      }
      const figures = JSON.parse(data);
      figures.generation = wanted.generation;
      figures.pools.forEach((pool) => Object.assign(pool, { algorithm: wanted.algorithms[pool.pool] ?? pool.algorithm }));
      window.framesTold += 1;
      return `${head}\ndata: ${JSON.stringify(figures)}`;
    };
  }, { generation, algorithms });
}

// Wait until a page was told so many more figures since they were pinned.
export async function isTold(page, more) {
  const begun = await page.evaluate(() => window.framesTold);
  await page.waitForFunction((wanted) => window.framesTold >= wanted, begun + more);
}

// Tell the page something else of the version that decides in a seat.
export function alterFigures(page, wanted) {
  return page.evaluate(({ binding, ...changes }) => {
    window.alterFrame = (frame) => {
      const [head, data] = frame.split("\ndata: ");
      if (head !== "event: metrics") {
        return frame;
      }
      const figures = JSON.parse(data);
      const own = figures.plugins.find((one) => one.binding === binding && one.part === "active");
      Object.assign(own, changes);
      return `${head}\ndata: ${JSON.stringify(figures)}`;
    };
  }, wanted);
}

// Let the page believe that it lies behind another one, or is seen again.
export function hide(page, isHidden) {
  return page.evaluate((now) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => now });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}
