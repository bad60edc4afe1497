// What the what-if makes of dragged logits, against figures that PyTorch gave (test_live_modules.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { argmax, crossEntropies, softmax, squaredError } from "../../pages/parts/live/static/softmax.js";
import { exact, value } from "../../pages/parts/live/static/figures.js";

const { dragged } = JSON.parse(readFileSync(process.env.FROM_PYTHON, "utf8"));
const near = (one, other) => assert.ok(Math.abs(one - other) <= 1e-6 * Math.max(1, Math.abs(other)), `${one} ${other}`);

test("softmax, argmax and loss of dragged logits are PyTorch's", () => {
  assert.ok(dragged.length > 20);
  for (const { logits, probabilities, losses, predicted } of dragged) {
    softmax(logits).forEach((probability, k) => near(probability, probabilities[k]));
    crossEntropies(logits).forEach((loss, k) => near(loss, losses[k]));
    assert.equal(argmax(logits), predicted);
  }
});

test("logits that are not finite give no probability, and nan is the greatest, as in PyTorch", () => {
  assert.ok(softmax([Infinity, 1]).every(Number.isNaN));
  assert.equal(argmax([1, NaN, 3]), 1);
});

test("the squared error is that of the output", () => near(squaredError(0.5, -0.25), 0.5625));

test("a value of a layer is written at the same width, and exactly on request", () => {
  for (const [number, text] of [[0.12344, "0.1234"], [-12.3456, "−12.346"], [0, "0.0000"], [1e-7, "1e−7"],
    [NaN, "nan"], [-Infinity, "−inf"], [1234567, "1.2e+6"]]) assert.equal(value(number), text);
  for (const number of [0.1, -1.1999999, 3.4028234663852886e38, 1e-45, 16777217].map(Math.fround)) {
    assert.equal(Math.fround(Number(exact(number))), number);
  }
  assert.equal(exact(Math.fround(0.1)), "0.1");
});
