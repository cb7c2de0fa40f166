import assert from "node:assert/strict";
import { test } from "node:test";

import { contours } from "../src/contour.ts";
import { random } from "./random.ts";

const length = (segments: number[]) => {
  let sum = 0;
  for (let i = 0; i < segments.length; i += 4) {
    sum += Math.abs(segments[i + 2]! - segments[i]!) + Math.abs(segments[i + 3]! - segments[i + 1]!);
  }
  return sum;
};

test("a rectangle has four sides", () => {
  const labels = new Uint16Array(6 * 5);
  for (let y = 1; y < 4; y++) for (let x = 2; x < 6; x++) labels[y * 6 + x] = 3;
  const outline = contours(labels, 6, 5).get(3)!;
  assert.equal(outline.length / 4, 4);
  assert.equal(length(outline), 14);
});

test("the outline is as long as there are edges between a label and others", () => {
  const draw = random(11);
  for (let round = 0; round < 50; round++) {
    const [columns, rows] = [1 + Math.floor(draw() * 9), 1 + Math.floor(draw() * 9)];
    const labels = Uint16Array.from({ length: columns * rows }, () => Math.floor(draw() * 3));
    const at = (x: number, y: number) => (x < 0 || y < 0 || x >= columns || y >= rows ? 0 : labels[y * columns + x]!);
    const found = contours(labels, columns, rows);
    for (const label of [1, 2]) {
      let edges = 0;
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
          if (at(x, y) !== label) continue;
          edges += [at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1)].filter((other) => other !== label).length;
        }
      }
      assert.equal(length(found.get(label) ?? []), edges);
    }
  }
});
