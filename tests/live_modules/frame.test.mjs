// Frames that Python wrote (test_live_modules.py), read as the browser reads them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decodeFrame } from "../../pages/parts/live/static/frame.js";

const { frames } = JSON.parse(readFileSync(process.env.FROM_PYTHON, "utf8"));

test("every frame is decoded to the header and the numbers that Python encoded", () => {
  assert.ok(frames.length > 0);
  for (const { bytes, header, arrays } of frames) {
    const { buffer } = Uint8Array.from(Buffer.from(bytes, "base64"));
    const decoded = decodeFrame(buffer);
    const { arrays: listed, ...told } = decoded.header;
    assert.deepEqual(told, header);
    assert.deepEqual(listed.map(([name]) => name), Object.keys(arrays));
    for (const [name, { type, values }] of Object.entries(arrays)) {
      assert.ok(decoded.arrays[name] instanceof { f4: Float32Array, u1: Uint8Array }[type]);
      assert.deepEqual([...decoded.arrays[name]], values, name);
    }
  }
});

test("an array is a view into the message, not a copy of it", () => {
  const { buffer } = Uint8Array.from(Buffer.from(frames.at(-1).bytes, "base64"));
  for (const array of Object.values(decodeFrame(buffer).arrays)) assert.equal(array.buffer, buffer);
});
