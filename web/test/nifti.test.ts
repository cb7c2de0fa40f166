import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { decodeNifti, gunzip, valueAt } from "../src/nifti.ts";

/** A header of 3 x 2 x 2 voxels and the samples behind it. */
function file(little: boolean, datatype: number, bytes: number, write: (view: DataView, at: number, i: number) => void, samples = 12): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(352 + samples * bytes));
  view.setInt32(0, 348, little);
  [3, 3, 2, 2].forEach((n, i) => view.setInt16(40 + 2 * i, n, little));
  view.setInt16(70, datatype, little);
  [1, 0.5, 2, 3].forEach((mm, i) => view.setFloat32(76 + 4 * i, mm, little));
  view.setFloat32(108, 352, little);
  view.setInt16(254, 1, little);
  [[-0.5, 0, 0, 7], [0, 2, 0, 8], [0, 0, 3, 9]].forEach((row, r) =>
    row.forEach((value, c) => view.setFloat32(280 + 16 * r + 4 * c, value, little)));
  for (let i = 0; i < samples; i++) write(view, 352 + i * bytes, i);
  return view.buffer as ArrayBuffer;
}

test("volumes of both byte orders are read with their geometry", () => {
  for (const little of [true, false]) {
    const volume = decodeNifti(file(little, 4, 2, (view, at, i) => view.setInt16(at, 100 * i - 300, little)));
    assert.deepEqual(volume.size, [3, 2, 2]);
    assert.deepEqual(volume.spacing, [0.5, 2, 3]);
    assert.deepEqual(volume.affine[0], [-0.5, 0, 0, 7]);
    assert.deepEqual([...volume.samples].slice(0, 3), [-300, -200, -100]);
    assert.deepEqual(valueAt(volume, 11), [800]);
  }
});

test("slope and intercept give what a sample means, colours have three values", () => {
  const scaled = file(true, 2, 1, (view, at, i) => view.setUint8(at, i));
  new DataView(scaled).setFloat32(112, 2, true);
  new DataView(scaled).setFloat32(116, -1000, true);
  assert.deepEqual(valueAt(decodeNifti(scaled), 4), [-992]);
  const colour = decodeNifti(file(true, 128, 1, (view, at, i) => view.setUint8(at, i), 36));
  assert.deepEqual(valueAt(colour, 2), [6, 7, 8]);
});

test("compressed volumes are inflated, others passed on", async () => {
  const plain = file(true, 2, 1, (view, at, i) => view.setUint8(at, i));
  const zipped = gzipSync(new Uint8Array(plain));
  const buffer = zipped.buffer.slice(zipped.byteOffset, zipped.byteOffset + zipped.length) as ArrayBuffer;
  assert.deepEqual(new Uint8Array(await gunzip(buffer)), new Uint8Array(plain));
  assert.equal(await gunzip(plain), plain);
});

test("files that are none say what is wrong", () => {
  assert.throws(() => decodeNifti(new ArrayBuffer(10)), /too few/);
  assert.throws(() => decodeNifti(new ArrayBuffer(400)), /no NIfTI-1/);
  assert.throws(() => decodeNifti(file(true, 4, 2, () => {}, 11)), /22 of 24 bytes/);
  assert.throws(() => decodeNifti(file(true, 32, 8, () => {})), /type 32/);
});
