// What the pages are told, and whether anybody looks at them.

// A page that gets events alone, and no figures, once these are withheld by
// `withhold`: what it shows then, it shows by an event. For `open`, as `first`.
export function canWithhold(page) {
  return page.addInitScript(() => {
    const isFigures = (frame) => frame.startsWith("event: metrics");
    const sieve = () => {
      let rest = "";
      return new TransformStream({
        transform(text, out) {
          const frames = (rest + text).split("\n\n");
          rest = frames.pop();
          for (const frame of frames.filter((one) => !(window.areFiguresWithheld && isFigures(one)))) {
            out.enqueue(`${frame}\n\n`);
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

export function withhold(page, areWithheld) {
  return page.evaluate((now) => {
    window.areFiguresWithheld = now;
  }, areWithheld);
}

// Let the page believe that it lies behind another one, or is seen again.
export function hide(page, isHidden) {
  return page.evaluate((now) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => now });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}
