import assert from "node:assert/strict";
import { test } from "node:test";

import { checkRuns, constantRuns, countRuns, encodeRuns, forEachRun } from "../src/rle.ts";
import { random } from "./random.ts";

function decode(runs: readonly number[], voxels: number): Uint16Array {
  const mask = new Uint16Array(voxels);
  forEachRun(runs, (value, from, to) => mask.fill(value, from, to));
  return mask;
}

test("masks survive runs, whatever they hold", () => {
  const draw = random(7);
  for (let round = 0; round < 300; round++) {
    const mask = Uint16Array.from({ length: Math.floor(draw() * 60) }, () => Math.floor(draw() * 3));
    const runs = encodeRuns(mask);
    checkRuns(runs, mask.length);
    assert.deepEqual(decode(runs, mask.length), mask);
    for (let at = 2; at < runs.length; at += 2) assert.notEqual(runs[at], runs[at - 2], "neighbouring runs differ");
  }
});

test("voxels are counted by value", () => {
  assert.deepEqual([...countRuns([0, 4, 2, 3, 0, 1, 1, 5, 2, 1])], [[2, 4], [1, 5]]);
  assert.deepEqual(constantRuns(6), [0, 6]);
  assert.deepEqual(constantRuns(0), []);
});

test("runs that are no mask of the image are refused with what is wrong", () => {
  assert.throws(() => checkRuns([0, 4, 1], 5), /odd number/);
  assert.throws(() => checkRuns([0, 4, 1, 2], 5), /6 voxels, the image has 5/);
  assert.throws(() => checkRuns([-1, 5], 5), /value -1/);
  assert.throws(() => checkRuns([1, 6, 0, -1], 5), /run of -1/);
  assert.throws(() => checkRuns([70000, 5], 5), /value 70000/);
});
