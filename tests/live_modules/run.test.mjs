// What the browser knows of a run after many frames is what one frame with everything would have told it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "../../pages/parts/live/static/run.js";

const spec = { task: "classification", extent: [-2, 2, -1, 3], resolution: 5, train_points: 10, test_points: 3 };

const first = (losses, header = {}) => new Run({
  header: { run: spec, batches: 13, losses_from: 0, tests_from: 0, ...header },
  arrays: { losses: Float32Array.from(losses), tests: new Float32Array() },
});

const all = (curve) => Array.from({ length: curve.length }, (_, i) => curve.at(i));

test("losses that come in pieces are the losses that come at once", () => {
  const values = Array.from({ length: 500 }, (_, i) => Math.fround(1 / (i + 1)));
  const whole = first(values);
  const pieces = first(values.slice(0, 7));
  for (let from = 7; from < 500; from += 29) {
    pieces.apply({ header: { losses_from: from }, arrays: { losses: Float32Array.from(values.slice(from, from + 29)) } });
  }
  assert.deepEqual(all(pieces.losses), values);
  assert.deepEqual(all(pieces.smoothed), all(whole.smoothed));
});

test("losses told again after a recovery replace all that followed them", () => {
  const run = first([1, 2, 3, 4, 5]);
  run.apply({ header: { losses_from: 2, tests_from: 0 }, arrays: { losses: Float32Array.of(30, 40) } });
  assert.deepEqual(all(run.losses), [1, 2, 30, 40]);
});

test("a frame without a picture leaves the picture", () => {
  const run = first([]);
  const picture = Uint8Array.from({ length: 25 }, (_, i) => i);
  run.apply({ header: {}, arrays: { picture } });
  run.apply({ header: { step: 9 }, arrays: {} });
  assert.equal(run.arrays.picture, picture);
  assert.equal(run.head.step, 9);
});

test("a place on the plane finds the picture's nearest cell, and none outside", () => {
  const run = first([]);
  run.apply({ header: {}, arrays: { picture: Uint8Array.from({ length: 25 }, (_, i) => i) } });
  assert.equal(run.valueAt(-2, -1), 0); // row 0 is the smallest x2
  assert.equal(run.valueAt(2, -1), 4);
  assert.equal(run.valueAt(-2, 3), 20);
  assert.equal(run.valueAt(0.1, 1.1), 12);
  assert.equal(run.valueAt(3, 1), undefined);
});

test("the bitset of wrong points counts the test points after the training points", () => {
  const run = first([]);
  run.apply({ header: {}, arrays: { wrong: Uint8Array.of(0b00000001, 0b00010100) } }); // points 0, 10 and 12
  assert.deepEqual([0, 1, 9, 10, 11, 12].map((point) => run.isWrong(point)), [true, false, false, true, false, true]);
  assert.equal(run.countWrongTestPoints(), 2);
});
