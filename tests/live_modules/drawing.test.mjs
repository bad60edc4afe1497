// Points being drawn: strokes, undo, and what the page has changed meanwhile.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Drawing, rounded } from "../../pages/parts/live/static/drawing.js";

const EXTENT = [-2, 2, -2, 2];
let drawing;

beforeEach(() => {
  drawing = new Drawing(10);
  drawing.take([], "first");
});

function stroke(...points) {
  drawing.begin();
  for (const [x1, x2, label] of points) drawing.add(x1, x2, label, EXTENT);
  return drawing.end();
}

test("a stroke is undone and redone as a whole", () => {
  assert.equal(stroke([0, 0, 0], [1, 1, 0]), true);
  stroke([1, -1, 1]);
  drawing.undo();
  assert.deepEqual(drawing.points, [[0, 0, 0], [1, 1, 0]]);
  drawing.undo();
  assert.deepEqual(drawing.points, []);
  assert.equal(drawing.canUndo, false);
  drawing.redo();
  drawing.redo();
  assert.equal(drawing.points.length, 3);
  assert.equal(drawing.canRedo, false);
});

test("a stroke that changes nothing is nothing to undo", () => {
  drawing.begin();
  drawing.erase(0, 0, 1);
  assert.equal(drawing.end(), false);
  assert.equal(drawing.canUndo, false);
});

test("after a new stroke there is nothing to redo", () => {
  stroke([0, 0, 0]);
  drawing.undo();
  stroke([1, 1, 1]);
  assert.equal(drawing.canRedo, false);
});

test("erasing takes what is near, and undo brings it back", () => {
  stroke([0, 0, 0], [0.1, 0, 1], [1, 1, 0]);
  drawing.begin();
  drawing.erase(0, 0, 0.2);
  drawing.end();
  assert.deepEqual(drawing.points, [[1, 1, 0]]);
  drawing.undo();
  assert.equal(drawing.points.length, 3);
});

test("the page's own change is taken once, and can be undone", () => {
  stroke([0, 0, 0]);
  assert.equal(drawing.take([[1, 1, 1]], "second"), true);
  assert.deepEqual(drawing.points, [[1, 1, 1]]);
  stroke([0.5, 0, 0]);
  assert.equal(drawing.take([[1, 1, 1]], "second"), false); // an echo that is late
  assert.equal(drawing.points.length, 2);
  drawing.undo();
  drawing.undo();
  assert.deepEqual(drawing.points, [[0, 0, 0]]);
});

test("no more points are drawn than a run takes", () => {
  stroke(...Array.from({ length: 20 }, () => [0, 0, 0]));
  assert.equal(drawing.points.length, 10);
});

test("a drawn coordinate has the digits that a pixel is worth", () => {
  assert.deepEqual(rounded(0.123456, -1.98765, EXTENT), [0.12, -1.99]);
  assert.deepEqual(rounded(1234.5678, 0.4, [0, 4000, 0, 4000]), [1235, 0]);
  assert.deepEqual(rounded(0.00012345, 0, [0, 0.001, 0, 0.001]), [0.000123, 0]);
});
