import assert from "node:assert/strict";
import { test } from "node:test";

import { Stroke } from "../src/brush.ts";
import { type Document, NO_MARKS, emptyDocument } from "../src/document.ts";
import { type Draft, Drafts, draftOf, resumed } from "../src/drafts.ts";

const VOXELS = 10_000;
const LABELS = [{ value: 1, name: "liver", colour: "#ff0000" }];

function storage(room = Infinity) {
  const kept = new Map<string, string>();
  const size = () => [...kept.values()].reduce((sum, text) => sum + text.length, 0);
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    removeItem: (key: string) => void kept.delete(key),
    setItem: (key: string, text: string) => {
      if (size() + text.length > room) throw new DOMException("", "QuotaExceededError");
      kept.set(key, text);
    },
  };
}

function work(): { opened: Document; document: Document } {
  const opened = emptyDocument(VOXELS, LABELS, "tv");
  const stroke = new Stroke(opened.brush);
  stroke.set(5, 2);
  stroke.set(9000, 1);
  const request = { method: "tv", settings: { mu: 2 }, marks: { ...NO_MARKS, foreground: [[1, 2, 3]] as const } };
  return { opened, document: { ...opened, settings: { tv: { mu: 2 } }, requests: new Map([[1, request]]), brush: stroke.layer() } };
}

test("work comes back as it was", () => {
  const { opened, document } = work();
  const drafts = new Drafts(storage());
  drafts.keep("a/scan", draftOf(document, opened.base, VOXELS));
  const found = drafts.find("a/scan")!;
  assert.equal(found.base, undefined, "saved labels come from the server");
  assert.deepEqual(resumed(found, opened, VOXELS), document);
  assert.throws(() => resumed(found, opened, VOXELS + 1), /another image/);
  const painted = { ...document, base: [1, VOXELS] };
  drafts.keep("a/scan", draftOf(painted, opened.base, VOXELS));
  assert.deepEqual(resumed(drafts.find("a/scan")!, opened, VOXELS), painted);
  drafts.forget("a/scan");
  assert.equal(drafts.find("a/scan"), null);
});

test("what is kept is bounded: the oldest leaves, and of much the marks stay", () => {
  const store = storage();
  const drafts = new Drafts(store);
  const { opened, document } = work();
  for (let i = 0; i < 20; i++) drafts.keep(`image ${i}`, draftOf(document, opened.base, VOXELS));
  assert.equal(drafts.find("image 0"), null);
  assert.ok(drafts.find("image 19"));
  assert.equal(store.kept.size, 9, "eight drafts and their order");
  const large = { ...draftOf(document, opened.base, VOXELS), base: Array.from({ length: 600_000 }, (_, at) => at % 2) };
  drafts.keep("large", large);
  const found = drafts.find("large") as Draft;
  assert.equal(found.base, undefined);
  assert.deepEqual(found.requests, large.requests);
});

test("a browser without room, or with nonsense in it, disturbs nobody", () => {
  const { opened, document } = work();
  const full = new Drafts(storage(10));
  full.keep("a", draftOf(document, opened.base, VOXELS));
  assert.equal(full.find("a"), null);
  full.forget("a");
  const store = storage();
  store.setItem("fewmark-draft:a", "{");
  store.setItem("fewmark-drafts", "{");
  const broken = new Drafts(store);
  assert.equal(broken.find("a"), null);
  broken.keep("b", draftOf(document, opened.base, VOXELS));
  assert.ok(broken.find("b"));
});
