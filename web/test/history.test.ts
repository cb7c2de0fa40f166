import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../src/history.ts";

test("undo and redo walk the states and say what they did", () => {
  const history = new History("a");
  assert.equal(history.undo(), null);
  history.push("b", "to b");
  history.push("c", "to c");
  assert.equal(history.undo(), "to c");
  assert.equal(history.present, "b");
  assert.equal(history.undoes, "to b");
  assert.equal(history.redoes, "to c");
  assert.equal(history.redo(), "to c");
  assert.equal(history.present, "c");
  assert.equal(history.redo(), null);
});

test("a new state after an undo takes the place of what was undone", () => {
  const history = new History(0);
  for (let i = 1; i <= 5; i++) history.push(i, `to ${i}`);
  for (let i = 0; i < 3; i++) history.undo();
  history.push(9, "to 9");
  assert.equal(history.redoes, null);
  assert.equal(history.undo(), "to 9");
  assert.equal(history.present, 2);
});

test("the oldest states leave when there are too many", () => {
  const history = new History(0, 4);
  for (let i = 1; i <= 10; i++) history.push(i, `to ${i}`);
  let steps = 0;
  while (history.undo() !== null) steps++;
  assert.equal(steps, 3);
  assert.equal(history.present, 7);
});

test("what is replaced is no step", () => {
  const history = new History("a");
  history.push("b", "to b");
  history.replace("B");
  assert.equal(history.present, "B");
  assert.equal(history.undo(), "to b");
  assert.equal(history.redo(), "to b");
  assert.equal(history.present, "B");
});
