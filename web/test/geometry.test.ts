import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Affine, type Triple, canvasPoint, fit, inside, planePoint, planesOf, voxelAt, voxelIndex, voxelLine, zoomAt,
} from "../src/geometry.ts";
import { random } from "./random.ts";

const RAS: Affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
const LPS: Affine = [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]];

test("planes follow the body, not the order of the file", () => {
  const [axial, coronal, sagittal] = planesOf(RAS, 3);
  assert.deepEqual([axial!.axis, coronal!.axis, sagittal!.axis], [2, 1, 0]);
  assert.deepEqual([axial!.flipU, axial!.flipV], [true, true]);
  const [lps] = planesOf(LPS, 3);
  assert.deepEqual([lps!.flipU, lps!.flipV], [false, false]);
  // Sagittal slices: the file's axes go to the front, to the feet, and to the left; the angle is oblique.
  const sliced: Affine = [[0.1, 0, -3, 0], [1, 0.1, 0.2, 0], [0.1, -1, 0, 0]];
  const planes = planesOf(sliced, 3);
  assert.deepEqual(planes.map((plane) => [plane.name, plane.axis, plane.u, plane.v]), [
    ["axial", 1, 2, 0], ["coronal", 0, 2, 1], ["sagittal", 2, 0, 1],
  ]);
  assert.deepEqual(planes.map((plane) => [plane.flipU, plane.flipV]), [[false, true], [false, false], [true, false]]);
});

test("a picture is shown as it is stored", () => {
  const [only, ...others] = planesOf(RAS, 2);
  assert.equal(others.length, 0);
  assert.deepEqual([only!.u, only!.v, only!.flipU, only!.flipV], [0, 1, false, false]);
});

test("a click finds the voxel under it in every plane, at every zoom", () => {
  const draw = random(3);
  const size: Triple = [40, 30, 12];
  const spacing: Triple = [0.8, 1.1, 5];
  for (const affine of [RAS, LPS]) {
    for (const plane of planesOf(affine, 3)) {
      let at = fit(plane, size, spacing, 500, 400);
      for (let round = 0; round < 200; round++) {
        at = zoomAt(at, 0.7 + draw(), draw() * 500, draw() * 400, 500, 400);
        const voxel = size.map((n) => Math.floor(draw() * n)) as unknown as Triple;
        // Anywhere within the voxel, not only at its centre.
        const [u, v] = [voxel[plane.u] + (draw() - 0.5) * 0.98, voxel[plane.v] + (draw() - 0.5) * 0.98];
        const [x, y] = canvasPoint(plane, at, size, spacing, 500, 400, u, v);
        const found = voxelAt(plane, size, voxel[plane.axis], planePoint(plane, at, size, spacing, 500, 400, x, y));
        assert.deepEqual(found, [...voxel]);
      }
    }
  }
});

test("the patient's right is at the left of the screen and the front at the top", () => {
  const size: Triple = [10, 10, 10];
  const plane = planesOf(RAS, 3)[0]!;
  const at = fit(plane, size, [1, 1, 1], 100, 100);
  const [x, y] = canvasPoint(plane, at, size, [1, 1, 1], 100, 100, 9, 9);
  assert.ok(x < 50 && y < 50, `right front of the body at ${x}, ${y}`);
});

test("what lies under the pointer stays there while zooming", () => {
  const plane = planesOf(RAS, 2)[0]!;
  const size: Triple = [512, 512, 1];
  const before = fit(plane, size, [1, 1, 1], 600, 600);
  const after = zoomAt(before, 3, 120, 450, 600, 600);
  const point = (at: typeof before) => planePoint(plane, at, size, [1, 1, 1], 600, 600, 120, 450);
  assert.ok(Math.hypot(point(before)[0] - point(after)[0], point(before)[1] - point(after)[1]) < 1e-9);
});

test("clicks outside the image are no clicks", () => {
  const plane = planesOf(RAS, 2)[0]!;
  assert.equal(voxelAt(plane, [4, 4, 1], 0, [-0.6, 0]), null);
  assert.equal(voxelAt(plane, [4, 4, 1], 0, [3.6, 0]), null);
  assert.deepEqual(voxelAt(plane, [4, 4, 1], 0, [-0.4, 3.4]), [0, 3, 0]);
  assert.equal(inside([0, 4, 0], [4, 4, 1]), false);
  assert.equal(voxelIndex([1, 2, 3], [4, 5, 6]), 69);
});

test("a line of voxels has no gaps", () => {
  const line = voxelLine([0, 0, 2], [7, -3, 2]);
  assert.deepEqual(line[0], [0, 0, 2]);
  assert.deepEqual(line.at(-1), [7, -3, 2]);
  for (let i = 1; i < line.length; i++) {
    assert.ok(Math.max(...line[i]!.map((c, axis) => Math.abs(c - line[i - 1]![axis]!))) === 1);
  }
});
