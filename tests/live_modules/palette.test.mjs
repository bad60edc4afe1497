// A picture's bytes, as Task.shades wrote them (test_live_modules.py), and the colours they become.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  classColour, classPalette, continuousColour, decodeClass, regressionPalette,
} from "../../pages/parts/live/static/palette.js";

const { shades } = JSON.parse(readFileSync(process.env.FROM_PYTHON, "utf8"));
const THEMES = [{ background: [255, 255, 255], dark: false }, { background: [16, 20, 24], dark: true }];
const channels = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, pixel >>> 24];

test("every byte is decoded to the class that the model predicts and to its probability", () => {
  assert.deepEqual(shades.map(({ classes }) => classes), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const { classes, bytes, labels, probabilities } of shades) {
    const half = (0.5 * (1 - 1 / classes)) / (Math.floor(256 / classes) - 1); // of a level
    bytes.forEach((byte, i) => {
      const { label, probability } = decodeClass(byte, classes);
      assert.equal(label, labels[i]);
      assert.ok(Math.abs(probability - probabilities[i]) <= half + 1e-6, `${classes} classes, byte ${byte}`);
    });
  }
});

test("a palette has an opaque colour for each byte, and a surer class is nearer to its own colour", () => {
  const away = (one, other) => Math.hypot(...one.map((channel, i) => channel - other[i]));
  for (const theme of THEMES) {
    for (const { classes } of shades) {
      const palette = classPalette(classes, theme, { hard: false });
      assert.equal(palette.length, 256);
      const band = Math.floor(256 / classes);
      for (let label = 0; label < classes; label++) {
        let before = Infinity;
        for (let byte = label * band; byte < (label + 1) * band; byte++) {
          const [r, g, b, alpha] = channels(palette[byte]);
          assert.equal(alpha, 255);
          const distance = away([r, g, b], classColour(label));
          assert.ok(distance <= before + 1, `class ${label} of ${classes}, byte ${byte}`);
          before = distance;
        }
      }
    }
  }
});

test("the hard form shows one colour per class, and no two classes share one", () => {
  for (const theme of THEMES) {
    for (const { classes } of shades) {
      const palette = classPalette(classes, theme, { hard: true });
      const band = Math.floor(256 / classes);
      const used = palette.slice(0, classes * band);
      assert.equal(new Set(used).size, classes);
      used.forEach((colour, byte) => assert.equal(colour, palette[Math.floor(byte / band) * band]));
    }
  }
});

test("a regression's palette runs from blue over the background to orange", () => {
  for (const theme of THEMES) {
    const palette = [...regressionPalette(theme)].map(channels);
    assert.equal(palette.length, 256);
    assert.ok(palette[0][2] > palette[0][0], "the lowest is blue");
    assert.ok(palette[255][0] > palette[255][2], "the highest is orange");
    for (let i = 0; i < 3; i++) assert.ok(Math.abs(palette[128][i] - theme.background[i]) <= 2);
    assert.deepEqual(continuousColour(0.5, theme.background), theme.background);
  }
});
