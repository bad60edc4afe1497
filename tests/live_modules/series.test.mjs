// Curves for the screen, against brute force over the whole of their values.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Envelope, Growing, Smoothed } from "../../pages/parts/live/static/series.js";
import { generator } from "./random.mjs";

/** An Envelope and the plain array it must behave like: pushed to, cut, pushed to again. */
function drawn(random) {
  const envelope = new Envelope();
  const plain = [];
  const push = (count) => {
    for (let i = 0; i < count; i++) {
      const value = Math.fround(random() < 0.01 ? [NaN, Infinity, -Infinity][Math.floor(3 * random())] : random());
      envelope.push(value);
      plain.push(value);
    }
  };
  push(Math.floor(3000 * random()));
  for (let cuts = Math.floor(4 * random()); cuts > 0; cuts--) {
    plain.length = Math.floor(random() * (plain.length + 1));
    envelope.truncate(plain.length);
    push(Math.floor(1500 * random()));
  }
  return { envelope, plain };
}

const finite = (values) => values.filter(Number.isFinite);
const smallest = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

test("a growing array holds what was pushed, as float32, whatever was cut off before", () => {
  const growing = new Growing();
  const plain = [];
  const random = generator(1);
  for (const [count, cut] of [[1500, 700], [2000, 0], [5000, 4096], [10, 10]]) {
    for (let i = 0; i < count; i++) {
      plain.push(Math.fround(random()));
      growing.push(plain.at(-1));
    }
    plain.length = Math.min(plain.length, cut);
    growing.truncate(cut);
    assert.deepEqual(Array.from({ length: growing.length }, (_, i) => growing.at(i)), plain);
  }
});

test("a view that fits shows every value, bit for bit", () => {
  const random = generator(2);
  for (let trial = 0; trial < 50; trial++) {
    const { envelope, plain } = drawn(random);
    const from = Math.floor(random() * plain.length);
    const to = Math.min(plain.length, from + 100);
    const { index, value } = envelope.thinned(from, to, 100);
    assert.deepEqual(value, plain.slice(from, to));
    assert.deepEqual(index, Array.from({ length: to - from }, (_, i) => from + i));
  }
});

test("a thinned view has each block's smallest and largest, as brute force finds them", () => {
  const random = generator(3);
  for (let trial = 0; trial < 300; trial++) {
    const { envelope, plain } = drawn(random);
    const limit = 20 + Math.floor(200 * random());
    const from = Math.floor(random() * plain.length);
    const to = from + Math.floor(random() * (plain.length - from + 1));
    if (to - from <= limit) continue;
    const { index, value } = envelope.thinned(from, to, limit);
    assert.ok(index.length <= limit + 4, `${index.length} points, not about ${limit}`);
    assert.equal(index.length, value.length);
    for (let i = 1; i < index.length; i++) assert.ok(index[i] >= index[i - 1], "the curve runs on to the right");
    assert.ok(index.every((i) => i < plain.length), "no point beyond the end");
    for (let i = 0; i < value.length; i += 2) {
      const end = i + 2 < index.length ? index[i + 2] : Math.max(to, index[i] + 1);
      const size = index[2] - index[0];
      const complete = index[i] + size <= plain.length;
      const block = finite(plain.slice(index[i], complete ? index[i] + size : Math.min(end, plain.length)));
      const pair = finite([value[i], value[i + 1]]);
      assert.deepEqual(pair.sort((a, b) => a - b), block.length ? [smallest(block), largest(block)] : []);
    }
  }
});

test("no spike inside a view is lost, at any zoom", () => {
  const random = generator(4);
  for (let trial = 0; trial < 300; trial++) {
    const { envelope, plain } = drawn(random);
    const from = Math.floor(random() * plain.length);
    const to = from + Math.floor(random() * (plain.length - from + 1));
    const seen = finite(envelope.thinned(from, to, 64).value);
    const there = finite(plain.slice(from, to));
    assert.ok(largest(seen) >= largest(there));
    assert.ok(smallest(seen) <= smallest(there));
  }
});

test("the smoothed loss is the corrected moving average of its formula", () => {
  const random = generator(5);
  for (const span of [10, 50, 200]) {
    const smoothed = new Smoothed(span);
    const decay = 1 - 1 / span;
    let raw = 0;
    for (let t = 1; t <= 1000; t++) {
      const value = 3 * random();
      smoothed.push(value);
      raw = decay * raw + (1 - decay) * value; // Kingma and Ba 2015, section 3
      const expected = raw / (1 - decay ** t);
      assert.ok(Math.abs(smoothed.at(t - 1) - expected) < 1e-4 * expected, `span ${span}, value ${t}`);
    }
  }
});

test("after a cut the smoothed loss goes on as if what was cut had never been", () => {
  const random = generator(6);
  const values = Array.from({ length: 500 }, () => random());
  const straight = new Smoothed(30);
  const cut = new Smoothed(30);
  for (const value of values) straight.push(value);
  for (const value of [...values.slice(0, 300), 9, 9, 9]) cut.push(value);
  cut.truncate(300);
  for (const value of values.slice(300)) cut.push(value);
  assert.equal(cut.length, 500);
  for (let i = 0; i < 500; i++) assert.equal(cut.at(i), straight.at(i));
});

test("a loss that is not finite leaves the smoothed loss where it was", () => {
  const smoothed = new Smoothed(10);
  for (const value of [1, 1, NaN, Infinity, 1]) smoothed.push(value);
  for (const i of [2, 3, 4]) assert.ok(Math.abs(smoothed.at(i) - 1) < 1e-6);
});

test("a thinned smooth curve holds values of its own and ends with its last", () => {
  const smoothed = new Smoothed(10);
  const random = generator(7);
  for (let i = 0; i < 5000; i++) smoothed.push(random());
  for (const [from, to] of [[0, 5000], [17, 4711], [4990, 5000], [5, 5]]) {
    const { index, value } = smoothed.thinned(from, to, 100);
    assert.ok(index.length <= 103);
    index.forEach((i, at) => assert.equal(value[at], smoothed.at(i)));
    if (to > from) assert.equal(index.at(-1), to - 1);
  }
});
