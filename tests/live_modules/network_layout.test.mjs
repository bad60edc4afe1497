// A network of any size the page permits lies within its rectangle, tile beside tile.

import assert from "node:assert/strict";
import { test } from "node:test";

import { INPUT_LABEL, arrange, distanceToLine } from "../../pages/parts/live/static/network_layout.js";

const NETWORKS = [[8, 8], [30, 20], [1], [64], [64, 64, 64, 64, 64, 64], [1, 64, 1, 64], [6, 5, 4, 3, 2, 2]];
const SIZES = [[620, 300], [900, 600], [1400, 900], [640, 240]];

for (const hidden of NETWORKS) {
  for (const [width, height] of SIZES) {
    const { size, columns } = arrange([7, ...hidden, 2], width, height);
    const name = `${hidden.join(", ")} in ${width} x ${height}`;

    test(`${name}: every neuron has a tile within the rectangle`, () => {
      assert.deepEqual(columns.map(({ tiles }) => tiles.length), [7, ...hidden, 2]);
      for (const { tiles } of columns) {
        for (const { x, y } of tiles) {
          assert.ok(x >= INPUT_LABEL - 1 && x + size <= width, `x ${x}`);
          assert.ok(y >= 0 && y + size <= height + 1, `y ${y}`);
        }
      }
    });

    test(`${name}: no tile lies on another, and columns follow one another`, () => {
      const tiles = columns.flatMap((column) => column.tiles);
      tiles.forEach((one, i) => tiles.slice(0, i).forEach((other) => {
        assert.ok(Math.abs(one.x - other.x) >= size || Math.abs(one.y - other.y) >= size);
      }));
      columns.slice(1).forEach(({ left }, i) => assert.ok(left - columns[i].right >= 20));
    });
  }
}

test("few neurons stand in one column, many fold into several", () => {
  const across = (hidden) => new Set(arrange([7, hidden, 2], 620, 300).columns[1].tiles.map(({ x }) => x)).size;
  assert.equal(across(8), 1);
  assert.ok(across(40) > 1);
});

test("the distance to a line is that to its nearest point, its ends included", () => {
  const line = { x1: 0, y1: 0, x2: 10, y2: 0 };
  assert.equal(distanceToLine(5, 3, line), 3);
  assert.equal(distanceToLine(13, 4, line), 5);
  assert.equal(distanceToLine(-3, -4, line), 5);
  assert.equal(distanceToLine(3, 4, { x1: 0, y1: 0, x2: 0, y2: 0 }), 5);
});
