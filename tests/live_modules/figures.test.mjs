// Numbers as they stand on the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as figures from "../../pages/parts/live/static/figures.js";

test("numbers are written as people read them, and what is unknown as a dash", () => {
  for (const [format, value, text] of [
    [figures.count, 4100, "4,100"],
    [figures.loss, 0.21, "0.2100"],
    [figures.loss, 12.3456, "12.346"],
    [figures.loss, 0, "0.0000"],
    [figures.loss, null, "–"],
    [figures.score, -3.2, "−3.200"],
    [figures.rate, 0.5, "0.5"],
    [figures.rate, 4123.4, "4,123"],
    [figures.learningRate, 0.03, "0.03"],
    [figures.learningRate, 0.30000000000000004, "0.3"],
    [figures.coordinate, -1.005, "−1.00"],
  ]) assert.equal(format(value), text);
  assert.equal(figures.countOf(5, 31), "5/31");
  assert.equal(figures.countOf(5, 0), "5");
});

test("ticks are round, even, in order and within their range", () => {
  for (const [low, high] of [[-1.6, 1.6], [0, 1e-3], [-250, 900], [1e6, 1e6 + 5]]) {
    const values = figures.ticks(low, high).map(({ value }) => value);
    assert.ok(values.length >= 3 && values.length <= 12, `${values.length} ticks`);
    assert.ok(values[0] >= low && values.at(-1) <= high);
    const step = values[1] - values[0];
    assert.ok(step > 0);
    for (let i = 1; i < values.length; i++) assert.ok(Math.abs(values[i] - values[i - 1] - step) < 1e-6 * step + 1e-9);
    assert.ok([1, 2, 5, 10].some((factor) => Math.abs(step / 10 ** Math.floor(Math.log10(step) + 1e-9) - factor) < 1e-6));
  }
});
