import assert from "node:assert/strict";
import { test } from "node:test";

import type { Api, ImageInfo, Method, Result, SavedLabels } from "../src/api.ts";
import type { Request } from "../src/document.ts";
import type { Legend } from "../src/labels.ts";
import type { Volume } from "../src/nifti.ts";
import type { Runs } from "../src/rle.ts";
import { Session } from "../src/session.ts";

const SIZE = [4, 3, 2] as const;
const VOXELS = 24;
const METHODS = [
  { name: "tv", summary: "", dimensions: [2, 3], marks: ["clicks"], model: false, settings: [] },
  { name: "flat", summary: "", dimensions: [2], marks: ["clicks"], model: false, settings: [] },
  { name: "fewshot", summary: "", dimensions: [2, 3], marks: ["support"], model: false, settings: [] },
] satisfies Method[];

/** A server in the test's hand: requests wait until the test answers them. */
function open(saved: SavedLabels | null = null) {
  const asked: { request: Request; signal: AbortSignal; coarse(voxel: number): void; answer(...voxels: number[]): Promise<void>; name(runs: Runs, labels: Legend): Promise<void>; fail(): Promise<void> }[] = [];
  const stored: SavedLabels[] = [];
  const failures: { problem: unknown; retry: (() => void) | undefined }[] = [];
  const result = (voxels: number[], coarse: boolean): Result => ({
    runs: Array.from({ length: VOXELS }, (_, at) => [Number(voxels.includes(at)), 1]).flat(),
    voxels: voxels.length, volume_ml: 0, seconds: 0, trace: [], stopped: "", warm: true, coarse,
  });
  const settle = () => new Promise<void>((done) => setImmediate(done));
  const api = {
    segment: (_: string, request: Request, __: unknown, onCoarse: (found: Result) => void, signal: AbortSignal) =>
      new Promise<Result>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
        asked.push({
          request, signal,
          coarse: (voxel) => onCoarse(result([voxel], true)),
          answer: async (...voxels) => (resolve(result(voxels, false)), settle()),
          name: async (runs, labels) => (resolve({ ...result([], false), runs, labels }), settle()),
          fail: async () => (reject(new Error("no memory")), settle()),
        });
      }),
    save: (_: string, __: string, labels: SavedLabels) => (stored.push(labels), Promise.resolve({ version: stored.length })),
  } as unknown as Api;
  const image = { id: "a", name: "a", size: SIZE, spacing: [1, 1, 1], channels: 1, dimension: 3, range: [0, 1], window: [0, 1] } as unknown as ImageInfo;
  const volume: Volume = {
    size: SIZE, spacing: [1, 1, 1], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], samples: new Uint8Array(VOXELS), channels: 1,
    slope: 1, intercept: 0, file: new ArrayBuffer(0),
  };
  const labels = [{ value: 1, name: "liver", colour: "#ff0000" }, { value: 2, name: "spleen", colour: "#00ff00" }];
  const session = new Session(api, image, volume, () => METHODS, labels, saved, null, (problem, retry) => failures.push({ problem, retry }));
  const shown = (value: number) => [...session.seg].flatMap((label, at) => (label === value ? [at] : []));
  return { session, asked, stored, failures, shown };
}

test("undo and redo show results again without asking for them", async () => {
  const { session, asked, shown } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.answer(0, 1);
  session.addClick([3, 0, 0], false);
  assert.deepEqual(shown(1), [0, 1], "the mask stays until the new one is there");
  await asked[1]!.answer(0);
  assert.deepEqual(shown(1), [0]);
  assert.equal(session.undo(), "background click");
  assert.deepEqual(shown(1), [0, 1]);
  session.undo();
  assert.deepEqual(shown(1), []);
  session.redo();
  session.redo();
  assert.deepEqual(shown(1), [0]);
  assert.equal(asked.length, 2);
});

test("a newer click ends the solve in flight, and a coarse mask is shown first", async () => {
  const { session, asked, shown, failures } = open();
  session.addClick([0, 0, 0], true);
  asked[0]!.coarse(5);
  assert.deepEqual(shown(1), [5]);
  session.addClick([1, 0, 0], true);
  assert.ok(asked[0]!.signal.aborted);
  assert.deepEqual(asked[1]!.request.marks.foreground, [[0, 0, 0], [1, 0, 0]]);
  await asked[1]!.answer(7);
  assert.deepEqual(shown(1), [7]);
  assert.equal(session.solving.value, null);
  assert.deepEqual(failures, []);
});

test("a failure keeps the marks and can be tried again", async () => {
  const { session, asked, shown, failures } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.fail();
  assert.equal(failures.length, 1);
  assert.equal(session.marks.foreground.length, 1);
  assert.equal(asked.length, 1, "what failed is not asked again by itself");
  failures[0]!.retry!();
  await asked[1]!.answer(3);
  assert.deepEqual(shown(1), [3]);
});

test("corrections by brush outlive the next result, and are undone as one stroke", async () => {
  const { session, asked, shown } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.answer(0, 1, 2);
  const stroke = session.beginStroke();
  stroke.set(2, 1);
  stroke.set(9, 2);
  session.endStroke(stroke, "stroke");
  assert.deepEqual(shown(1), [0, 1, 9]);
  session.addClick([1, 0, 0], true);
  await asked[1]!.answer(1, 2, 3);
  assert.deepEqual(shown(1), [1, 3, 9]);
  session.undo();
  assert.equal(session.undo(), "stroke");
  assert.deepEqual(shown(1), [0, 1, 2]);
});

/** Two labels whose results share voxel 1, the second the newer. */
async function overlapping() {
  const opened = open();
  opened.session.addClick([0, 0, 0], true);
  await opened.asked[0]!.answer(0, 1);
  opened.session.select(2);
  opened.session.addClick([1, 0, 0], true);
  await opened.asked[1]!.answer(1, 2);
  return opened;
}

test("labels have results of their own, the newer lies on top", async () => {
  const { session, shown } = await overlapping();
  assert.deepEqual([shown(1), shown(2)], [[0], [1, 2]]);
  session.removeLabel(2);
  assert.deepEqual([shown(1), shown(2)], [[0, 1], []]);
  assert.deepEqual(session.document.value.labels.map((label) => label.name), ["liver"]);
  session.undo();
  assert.deepEqual([shown(1), shown(2)], [[0], [1, 2]]);
});

test("slice by slice, what was found on one slice stays while another is marked", async () => {
  const { session, asked, shown } = open();
  session.setMethod("flat");
  assert.ok(session.oneSlice);
  session.addClick([0, 0, 0], true);
  assert.equal(asked[0]!.request.slice, 0);
  await asked[0]!.answer(0, 1);
  session.addClick([0, 0, 1], true);
  assert.equal(asked[1]!.request.slice, 1);
  assert.deepEqual(asked[1]!.request.marks.foreground, [[0, 0, 1]]);
  await asked[1]!.answer(12);
  assert.deepEqual(shown(1), [0, 1, 12]);
});

test("a changed method or setting puts the same marks to it", async () => {
  const { session, asked, shown } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.answer(0);
  session.setSetting("lambda", 3);
  assert.deepEqual(asked[1]!.request.settings, { lambda: 3 });
  await asked[1]!.answer(0, 1);
  session.undo();
  assert.deepEqual(shown(1), [0]);
  assert.deepEqual(session.document.value.settings.tv ?? {}, {});
});

test("what is saved is what is shown, and it is found again", async () => {
  const { session, asked, stored } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.answer(0, 1);
  assert.ok(session.unsaved.value);
  await session.save();
  assert.ok(!session.unsaved.value);
  session.select(2);
  assert.ok(!session.unsaved.value, "the choice of a label is no work");
  assert.deepEqual(stored[0]!.runs, [1, 2, 0, 22]);
  assert.equal(stored[0]!.labels["1"]!.name, "liver");
  const again = open(stored[0]);
  assert.deepEqual(again.shown(1), [0, 1]);
  assert.ok(!again.session.unsaved.value);
  again.session.clearLabel(1);
  assert.deepEqual(again.shown(1), []);
  assert.ok(again.session.unsaved.value);
  again.session.undo();
  assert.deepEqual(again.shown(1), [0, 1]);
  assert.ok(!again.session.unsaved.value, "undone to what is saved");
});

test("a solve in flight is waited for before saving", async () => {
  const { session, asked, stored } = open();
  session.addClick([0, 0, 0], true);
  asked[0]!.coarse(20);
  const saving = session.save();
  assert.equal(stored.length, 0);
  await asked[0]!.answer(0);
  await saving;
  assert.deepEqual(stored[0]!.runs, [1, 1, 0, 23]);
  assert.ok(!session.unsaved.value);
});

test("a result that comes after saving is unsaved", async () => {
  const { session, asked, failures } = open();
  session.addClick([0, 0, 0], true);
  await asked[0]!.fail();
  await session.save();
  assert.ok(!session.unsaved.value);
  failures[0]!.retry!();
  await asked[1]!.answer(3);
  assert.ok(session.unsaved.value);
});

test("labels of another image are found by name, corrected by clicks, and undone in one step", async () => {
  const { session, asked, shown } = open();
  session.setMethod("fewshot");
  session.setSlicewise(true);
  assert.ok(!session.oneSlice, "volumes are compared as a whole");
  session.run(["b"]);
  assert.deepEqual([asked[0]!.request.support, asked[0]!.request.slice], [["b"], undefined]);
  await asked[0]!.name([0, 2, 1, 3, 3, 1, 0, 18], { 1: { name: "spleen", colour: "#123456" }, 3: { name: "colon", colour: "#654321" } });
  assert.deepEqual([shown(1), shown(2), shown(3)], [[], [2, 3, 4], [5]]);
  assert.deepEqual(session.document.value.labels.map((label) => label.name), ["liver", "spleen", "colon"]);
  session.setMethod("tv");
  session.setSlicewise(false);
  session.addClick([0, 0, 0], true);
  assert.deepEqual(asked[1]!.request.marks.foreground, [[0, 0, 0]]);
  await asked[1]!.answer(0);
  assert.deepEqual([shown(1), shown(2), shown(3)], [[0], [2, 3, 4], [5]], "what was found stays");
  for (let i = 0; i < 4; i++) session.undo();
  assert.equal(session.undo(), "slice by slice");
  assert.deepEqual([shown(1), shown(2), shown(3)], [[], [], []]);
  assert.deepEqual(session.document.value.labels.map((label) => label.name), ["liver", "spleen"]);
});

test("work that was not saved goes on in a session that is opened anew", async () => {
  const first = open();
  first.session.addClick([0, 0, 0], true);
  await first.asked[0]!.answer(0, 1);
  const kept = JSON.parse(JSON.stringify(first.session.keepable())) as ReturnType<typeof first.session.keepable>;
  const { session, asked, shown } = open();
  session.resume(kept);
  assert.deepEqual(session.marks.foreground, [[0, 0, 0]]);
  assert.ok(session.unsaved.value);
  await asked[0]!.answer(0, 1);
  assert.deepEqual(shown(1), [0, 1]);
  assert.equal(session.undo(), "what was not saved");
  assert.ok(!session.unsaved.value);
  assert.deepEqual(shown(1), []);
});

test("a saved map of another size is refused", () => {
  assert.throws(() => open({ labels: {}, runs: [0, 23] }), /23 voxels, the image has 24/);
});

test("what is kept stays as it is shown, with the older results under it", async () => {
  const { session, shown } = await overlapping();
  const before = [shown(1), shown(2)];
  assert.deepEqual(before, [[0], [1, 2]]);
  session.keep();
  assert.deepEqual([shown(1), shown(2)], before);
  session.undo();
  assert.deepEqual([shown(1), shown(2)], before);
});

test("marks without a mask yet are neither kept nor lost", async () => {
  const { session, asked, shown, failures } = open();
  session.addClick([0, 0, 0], true);
  asked[0]!.coarse(5);
  session.keep();
  assert.deepEqual([failures.length, session.marks.foreground.length], [1, 1]);
  await asked[0]!.answer(0, 1);
  session.keep();
  assert.deepEqual([shown(1), session.marks.foreground.length], [[0, 1], 0]);
  session.setSlicewise(true);
  session.addClick([0, 0, 0], true);
  session.addClick([0, 0, 1], true);
  assert.deepEqual(session.marks.foreground, [[0, 0, 0]], "the next slice waits for the answer");
  await asked[1]!.answer(2);
  session.addClick([0, 0, 1], true);
  assert.deepEqual([shown(1), session.marks.foreground], [[0, 1, 2], [[0, 0, 1]]]);
});

test("a label is cleared wherever a method found it, and the others stay", async () => {
  const { session, asked, shown } = open();
  session.setMethod("fewshot");
  session.run(["b"]);
  await asked[0]!.name([0, 2, 1, 3, 2, 1, 0, 18], { 1: { name: "liver", colour: "#ff0000" }, 2: { name: "spleen", colour: "#00ff00" } });
  assert.deepEqual([shown(1), shown(2)], [[2, 3, 4], [5]]);
  session.clearLabel(2);
  assert.deepEqual([shown(1), shown(2)], [[2, 3, 4], []]);
  session.undo();
  session.removeLabel(1);
  assert.deepEqual([shown(1), shown(2)], [[], [5]]);
});

test("labels are saved in place of those that were seen, or of any where that is wanted", async () => {
  const { session, stored } = open({ labels: {}, runs: [1, VOXELS], version: 7 });
  await session.save();
  await session.save();
  await session.save(true);
  assert.deepEqual(stored.map((labels) => labels.version), [7, 1, undefined]);
});
