import assert from "node:assert/strict";
import { test } from "node:test";

import { EventParser } from "../src/events.ts";
import { random } from "./random.ts";

const STREAM = 'event: progress\ndata: {"iteration":1,\ndata: "energy":2}\n\n: still here\n\nevent: result\r\ndata:{"runs":[0,4]}\r\n\r\ndata: 5\n\n';
const EVENTS = [
  { event: "progress", data: { iteration: 1, energy: 2 } },
  { event: "result", data: { runs: [0, 4] } },
  { event: "message", data: 5 },
];

test("events are found however the stream is cut", () => {
  const draw = random(5);
  for (let round = 0; round < 200; round++) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < STREAM.length;) {
      const length = 1 + Math.floor(draw() * 20);
      found.push(...parser.push(STREAM.slice(at, at + length)));
      at += length;
    }
    assert.deepEqual(found, EVENTS);
  }
});
