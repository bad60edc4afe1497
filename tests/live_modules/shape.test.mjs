// What a boundary looks like, in a word.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shapeOf } from "../../pages/parts/live/static/shape.js";

const SIDE = 100;

/** The shape of the plane whose class at (x, y), both from -1 to 1, is what `label` says. */
function shape(label) {
  const at = (cell) => label(-1 + (2 * (cell % SIDE)) / (SIDE - 1), -1 + (2 * Math.floor(cell / SIDE)) / (SIDE - 1));
  return shapeOf(Array.from({ length: SIDE * SIDE }, (_, cell) => Number(at(cell))));
}

test("one class everywhere, specks aside", () => {
  assert.deepEqual(shape(() => 1), { kind: "one", label: 1 });
  assert.deepEqual(shape((x, y) => x > 0.95 && y > 0.95), { kind: "one", label: 0 });
});

test("a straight line, whatever its direction", () => {
  for (const angle of [0, 0.4, 0.785, 1.2, 1.571, 2.5]) {
    assert.deepEqual(shape((x, y) => x * Math.cos(angle) + y * Math.sin(angle) > 0.1), { kind: "line" }, `${angle}`);
  }
});

test("an arc has one bend, an S two, a wave more", () => {
  assert.deepEqual(shape((x, y) => y > x * x - 0.5), { kind: "bends", bends: 1 });
  assert.deepEqual(shape((x, y) => y > 0.4 * Math.sin(3.1 * x)), { kind: "bends", bends: 2 });
  assert.deepEqual(shape((x, y) => x > 0.4 * Math.sin(3.1 * y)), { kind: "bends", bends: 2 });
  assert.equal(shape((x, y) => y > 0.4 * Math.sin(6.2 * x)).bends, 4);
});

test("a class inside the other, and regions apart", () => {
  assert.deepEqual(shape((x, y) => Math.hypot(x, y) < 0.5), { kind: "enclosed", label: 1 });
  assert.deepEqual(shape((x, y) => x * y > 0), { kind: "regions", regions: 4 });
  assert.deepEqual(shape((x) => Math.min(2, Math.floor(1.5 * (x + 1)))), { kind: "regions", regions: 3 });
});
