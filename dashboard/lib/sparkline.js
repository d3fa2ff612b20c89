// The last minute of a figure, as a small line.

import { prepare } from "./canvas.js";
import { colour } from "./colours.js";
import { element } from "./dom.js";
import { inFrame } from "./frames.js";
import { POINTS } from "./trends.js";

const WIDTH = 84;
const HEIGHT = 20;

// A line for eyes only: its newest value stands beside it as a number.
export function sparkline() {
  return element("canvas", {
    class: "sparkline",
    "aria-hidden": "true",
    width: WIDTH,
    height: HEIGHT,
  });
}

// Lines that wait to be drawn: all of a screen at once would fill a frame.
const due = new Map();
const IN_A_FRAME = 16;

// Draw a line in one of the next frames.
export function drawSoon(canvas, values) {
  due.set(canvas, values);
  inFrame("sparklines", drawDue);
}

function drawDue() {
  for (const [canvas, values] of [...due].slice(0, IN_A_FRAME)) {
    due.delete(canvas);
    draw(canvas, values);
  }
  if (due.size > 0) {
    inFrame("sparklines", drawDue);
  }
}

function draw(canvas, values) {
  const context = prepare(canvas, WIDTH, HEIGHT);
  if (values.length < 2) {
    return;
  }
  const top = Math.max(...values, 1);
  const step = WIDTH / (POINTS - 1);
  const left = WIDTH - (values.length - 1) * step;
  context.beginPath();
  values.forEach((value, index) => {
    context.lineTo(left + index * step, HEIGHT - 2 - (value / top) * (HEIGHT - 4));
  });
  context.strokeStyle = colour("accent");
  context.lineWidth = 1.25;
  context.stroke();
}
