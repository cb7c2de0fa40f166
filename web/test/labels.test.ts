import assert from "node:assert/strict";
import { test } from "node:test";

import { type Label, adopted } from "../src/labels.ts";

const labels: Label[] = [{ value: 1, name: "liver", colour: "#ff0000" }, { value: 2, name: "spleen", colour: "#00ff00" }];

test("labels that a result brings go by their names", () => {
  const legend = { 1: { name: "spleen", colour: "#111111" }, 2: { name: "kidney", colour: "#222222" }, 7: { name: "colon", colour: "#333333" } };
  const found = adopted(labels, { runs: [0, 3, 1, 2, 2, 1, 7, 4], labels: legend });
  // The spleen has a value here, the value of the kidney is taken, that of the colon is free.
  assert.deepEqual(found.runs, [0, 3, 2, 2, 3, 1, 7, 4]);
  assert.deepEqual(found.labels.map(({ value, name, colour }) => [value, name, colour]), [
    [1, "liver", "#ff0000"], [2, "spleen", "#00ff00"], [3, "kidney", "#222222"], [7, "colon", "#333333"],
  ]);
});

test("without names a label goes by its value, and nothing new changes nothing", () => {
  const same = adopted(labels, { runs: [0, 1, 2, 5] });
  assert.equal(same.labels, labels);
  assert.deepEqual(same.runs, [0, 1, 2, 5]);
  const more = adopted(labels, { runs: [9, 1, 0, 5] });
  assert.deepEqual(more.labels.map(({ value, name }) => [value, name]), [[1, "liver"], [2, "spleen"], [9, "label 9"]]);
  assert.deepEqual(more.runs, [9, 1, 0, 5]);
});
