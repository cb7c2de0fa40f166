import assert from "node:assert/strict";
import { test } from "node:test";

import type { Triple } from "../src/geometry.ts";
import { type Surface, surfacesOf } from "../src/viewer/surface.ts";
import { random } from "./random.ts";

/** Signed volume by the divergence theorem: positive where triangles face outwards. */
function volume({ points, triangles }: Surface): number {
  let sum = 0;
  const p = (i: number) => [points[3 * i]!, points[3 * i + 1]!, points[3 * i + 2]!] as const;
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [p(triangles[t]!), p(triangles[t + 1]!), p(triangles[t + 2]!)];
    sum += a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  }
  return sum / 6;
}

/** Every directed edge has as many partners in the other direction: the surface has no holes. */
function closed({ triangles }: Surface): boolean {
  const edges = new Map<string, number>();
  for (let t = 0; t < triangles.length; t += 3) {
    for (let e = 0; e < 3; e++) {
      const [a, b] = [triangles[t + e]!, triangles[t + ((e + 1) % 3)]!];
      const key = a < b ? `${a} ${b}` : `${b} ${a}`;
      edges.set(key, (edges.get(key) ?? 0) + (a < b ? 1 : -1));
    }
  }
  return [...edges.values()].every((sum) => sum === 0);
}

test("a ball has the surface of a ball, around its own volume", () => {
  const size: Triple = [40, 40, 40];
  const seg = new Uint16Array(40 ** 3);
  let voxels = 0;
  for (let z = 0, at = 0; z < 40; z++) for (let y = 0; y < 40; y++) for (let x = 0; x < 40; x++, at++) {
    if (Math.hypot(x - 20, y - 19, z - 21) <= 15) {
      seg[at] = 3;
      voxels++;
    }
  }
  const ball = surfacesOf(seg, size).get(3)!;
  assert.ok(closed(ball));
  assert.ok(Math.abs(volume(ball) / voxels - 1) < 0.05, `${volume(ball)} for ${voxels} voxels`);
  for (let i = 0; i < ball.points.length; i += 3) {
    const radius = Math.hypot(ball.points[i]! - 20, ball.points[i + 1]! - 19, ball.points[i + 2]! - 21);
    assert.ok(Math.abs(radius - 15) < 1.1, `a vertex at radius ${radius}`);
  }
});

test("surfaces are closed, whatever the mask, also at the border of the image", () => {
  const draw = random(9);
  for (let round = 0; round < 60; round++) {
    const size = [1, 2, 3].map(() => 1 + Math.floor(draw() * 5)) as unknown as Triple;
    const seg = Uint16Array.from({ length: size[0] * size[1] * size[2] }, () => Math.floor(draw() * 3));
    for (const [label, found] of surfacesOf(seg, size)) {
      assert.ok(seg.includes(label));
      assert.ok(closed(found));
      const voxels = seg.filter((value) => value === label).length;
      assert.ok(volume(found) > 0 && volume(found) < voxels + 1e-3, `${volume(found)} for ${voxels} voxels`);
    }
  }
});
