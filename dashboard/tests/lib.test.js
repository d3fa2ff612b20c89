// What needs no browser: the parser of the stream, and how figures are written.

import assert from "node:assert/strict";
import { test } from "node:test";

import { configurationIn, configurationOf, isEarlier } from "../lib/configuration.js";
import * as format from "../lib/format.js";
import { EventParser } from "../lib/sse.js";
import { Trends } from "../lib/trends.js";

const STREAM = [
  ": gatewright\nretry: 1000\n\n",
  'event: metrics\ndata: {"a":1}\n\n',
  "id: beef-1\r\nevent: health\r\ndata: one\r\ndata: two\r\n\r\n",
  "event: nothing\n\n",
  "data:plain\n\n",
].join("");

const EVENTS = [
  { event: "metrics", data: '{"a":1}', id: null },
  { event: "health", data: "one\ntwo", id: "beef-1" },
  { event: "message", data: "plain", id: "beef-1" },
];

test("events are the same wherever the stream is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const parser = new EventParser();
    const events = [STREAM.slice(0, cut), STREAM.slice(cut)].flatMap((part) => parser.feed(part));
    assert.deepEqual(events, EVENTS, `cut at ${cut}`);
  }
  const parser = new EventParser();
  assert.deepEqual(
    [...STREAM].flatMap((letter) => parser.feed(letter)),
    EVENTS,
  );
});

test("of two states of a run the one with the smaller number is the earlier", () => {
  const [ninth, tenth] = [9, 10].map((generation) => configurationOf({ run: "5f1d", generation }));
  assert.ok(isEarlier(ninth, tenth));
  assert.ok(!isEarlier(tenth, ninth) && !isEarlier(tenth, tenth));
  assert.ok(!isEarlier(ninth, configurationOf({ run: "beef", generation: 10 })), "of another run");
  assert.equal(configurationIn({ tag: '"5f1d-10"' }), tenth);
  assert.equal(configurationIn({ tag: 'W/"5f1d-10"' }), tenth, "as a proxy that compresses has it");
  assert.equal(configurationIn({ tag: null }), null);
  assert.ok(!isEarlier(null, tenth) && !isEarlier(ninth, null));
});

test("an event that is not ended is not told", () => {
  assert.deepEqual(new EventParser().feed("event: metrics\ndata: {}\n"), []);
});

test("what is not known is a dash, and nothing is not", () => {
  const forms = [format.count, format.rate, format.milliseconds, format.nanoseconds, format.bytes];
  for (const form of [...forms, format.percent, format.seconds]) {
    assert.equal(form(null), "–");
    assert.equal(form(undefined), "–");
    assert.match(form(0), /^0/);
  }
});

test("figures are written in the unit that reads best", () => {
  assert.equal(format.count(1234), "1,234");
  assert.equal(format.count(1_234_567), "1.2M");
  assert.equal(format.rate(0.25), "0.3");
  assert.equal(format.milliseconds(0.421), "0.42 ms");
  assert.equal(format.milliseconds(9.97), "10 ms");
  assert.equal(format.milliseconds(999.7), "1.0 s");
  assert.equal(format.milliseconds(1500), "1.5 s");
  assert.equal(format.nanoseconds(812), "812 ns");
  assert.equal(format.nanoseconds(1250), "1.3 µs");
  assert.equal(format.nanoseconds(2_500_000), "2.5 ms");
  assert.equal(format.bytes(512), "512 B");
  assert.equal(format.bytes(1536), "1.5 KiB");
  assert.equal(format.percent(0.125), "13 %");
  assert.equal(format.duration(0), "0 s");
  assert.equal(format.duration(59), "59 s");
  assert.equal(format.duration(3700), "1 h 1 min");
  assert.equal(format.duration(90_061), "1 d 1 h");
  assert.equal(format.plural(1, "server"), "1 server");
  assert.equal(format.plural(2, "server"), "2 servers");
});

test("only all is 100 %, and only nothing is 0", () => {
  assert.equal(format.percent(1), "100 %");
  assert.equal(format.percent(0.996), "99.6 %");
  assert.equal(format.percent(0.99999), "99.9 %");
  assert.equal(format.percent(0.99), "99 %");
  assert.equal(format.percent(0), "0 %");
  assert.equal(format.percent(0.000001), "< 0.01 %");
});

test("a line goes over no gap, and has each second once", () => {
  const trends = new Trends();
  const take = (at, value) => trends.take(at, [["a", value]]);
  assert.equal(take(100, 1), true);
  assert.equal(take(101.02, 2), false);
  // The same second again, since a server's health has changed in it.
  assert.equal(take(101.02, 2), false);
  trends.begin("a", [97, 98, 99, 100, 101.02], [null, 8, 9, 1, 2]);
  assert.deepEqual(trends.of("a"), [8, 9, 1, 2]);
  assert.equal(take(105, 3), true);
  assert.deepEqual(trends.of("a"), [3], "what was before is asked for anew");
  assert.equal(take(60, 4), true, "and so it is when a clock was set back");
});

test("a moment is told by how long ago it was", () => {
  const before = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
  assert.equal(format.ago(null), "never");
  assert.equal(format.ago(before(0)), "just now");
  assert.equal(format.ago(before(42)), "42 s ago");
  assert.equal(format.ago(before(600)), "10 min ago");
});
