import assert from "node:assert/strict";
import { test } from "node:test";

import { ERASED, NO_BRUSH, Stroke, disc, forEachBrushed, paintValue, withoutLabel } from "../src/brush.ts";
import { type Document, NO_MARKS, type Request, compose, emptyDocument, runnable } from "../src/document.ts";
import { newLabel } from "../src/labels.ts";

const brushed = (layer: typeof NO_BRUSH) => {
  const found: [number, number][] = [];
  forEachBrushed(layer, (voxel, label) => found.push([voxel, label]));
  return found.sort((a, b) => a[0] - b[0]);
};

test("a stroke leaves the layer it began on as it was", () => {
  const first = new Stroke(NO_BRUSH);
  first.set(5, paintValue(2));
  first.set(9000, paintValue(2));
  const before = first.layer();
  const second = new Stroke(before);
  second.set(5, ERASED);
  assert.deepEqual(brushed(before), [[5, 2], [9000, 2]]);
  assert.deepEqual(brushed(second.layer()), [[5, 0], [9000, 2]]);
  assert.equal(second.layer().get(2), before.get(2), "blocks that were not touched are shared");
  assert.deepEqual(brushed(withoutLabel(second.layer(), 2)), [[5, 0]]);
});

test("a disc has the radius in millimetres, and a fast stroke no gaps", () => {
  const size = [100, 100] as const;
  const round = disc([50, 50], [50, 50], 10, [1, 1], size);
  assert.ok(Math.abs(round.length - Math.PI * 100) < 12, `${round.length} voxels`);
  const tall = disc([50, 50], [50, 50], 10, [1, 5], size);
  assert.deepEqual([Math.max(...tall.map(([, j]) => j)), Math.max(...tall.map(([i]) => i))], [52, 60]);
  const stroke = disc([10, 10], [80, 40], 0.1, [1, 1], size);
  assert.ok(stroke.some(([i, j]) => i === 10 && j === 10) && stroke.some(([i, j]) => i === 80 && j === 40));
  const long = disc([10, 50], [90, 50], 3, [1, 1], size);
  for (let i = 10; i <= 90; i++) assert.ok(long.some(([x, y]) => x === i && y === 53), `a gap at ${i}`);
  assert.ok(disc([0, 0], [0, 0], 4, [1, 1], size).every(([i, j]) => i >= 0 && j >= 0), "nothing outside the image");
});

test("the brush wins over results, the newest result over older ones, results over what was kept", () => {
  const request = (n: number): Request => ({ method: "tv", settings: {}, marks: { ...NO_MARKS, foreground: [[n, 0, 0]] } });
  const [older, newer] = [request(1), request(2)];
  const stroke = new Stroke(NO_BRUSH);
  stroke.set(2, ERASED);
  stroke.set(7, paintValue(5));
  const document: Document = {
    ...emptyDocument(8, [newLabel([])], "tv"), base: [4, 4, 0, 4], requests: new Map([[1, older], [2, newer]]), brush: stroke.layer(),
  };
  const into = new Uint16Array(8);
  compose(document, (_, asked) => (asked === older ? [0, 1, 1, 3, 0, 4] : [0, 3, 1, 2, 0, 3]), into);
  assert.deepEqual([...into], [4, 1, 0, 2, 2, 0, 0, 5]);
});

test("background alone cannot be solved", () => {
  const marks = { ...NO_MARKS, background: [[1, 1, 1] as const] };
  const request: Request = { method: "tv", settings: {}, marks };
  assert.equal(runnable(request), false);
  assert.equal(runnable({ ...request, asked: true }), true);
  assert.equal(runnable({ ...request, marks: { ...marks, scribbles: [{ foreground: true, points: [[0, 0, 0]] }] } }), true);
});
