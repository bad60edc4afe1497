// Where the neurons of a network lie in a rectangle. Pure: numbers in, numbers out, in CSS pixels.
//
// Columns stand from left to right as the data goes: the features, each hidden layer, the outputs. A hidden layer too
// high for one column folds into several beside one another, so that many neurons stay large enough to read. All tiles
// have one size, the largest with which everything fits and room is left for the weights between two columns.

export const INPUT_LABEL = 46; // room left of the features for their names
const OUTPUT_LABEL = 50; // and right of the outputs
const HEAD = 26; // above a column: its number of neurons
const LARGEST = 40;
const SMALLEST = 6;
const UNFOLDED = 20; // the size down to which no layer folds

const gapBeside = (size) => 24 + 1.8 * size; // the least that lies between two columns, where the weights run
const spaceBetween = (size) => Math.max(2, Math.round(size * 0.18));

/**
 * @param counts neurons per column: [features, ...hidden, outputs]
 * @param scale how much larger than usual the page's type is
 * @returns {{size, columns: {left, right, top, center, tiles: {x, y, size}[]}[]}} x, y: a tile's upper left corner
 */
export function arrange(counts, width, height, scale = 1) {
  const before = INPUT_LABEL * scale;
  const room = { width: width - before - OUTPUT_LABEL * scale, height: height - HEAD * scale - 2 };
  let size = Math.round(LARGEST * scale);
  while (size > SMALLEST && !fits(counts, size, room)) size -= 1;
  const folded = foldAll(counts, size, room.height);
  const used = folded.reduce((sum, { width: own }) => sum + own, 0);
  const gap = Math.max(gapBeside(SMALLEST), (room.width - used) / (counts.length - 1));
  let left = before;
  const columns = folded.map(({ count, rows, step, width: own }) => {
    const top = HEAD * scale + Math.max(0, (room.height - (rows * step - (step - size))) / 2);
    const start = left;
    left += own + gap;
    const tiles = Array.from({ length: count }, (_, i) => ({
      x: Math.round(start + Math.floor(i / rows) * step),
      y: Math.round(top + (i % rows) * step),
      size,
    }));
    return { left: start, right: start + own, top, center: start + own / 2, tiles };
  });
  return { size, columns };
}

function fits(counts, size, room) {
  const columns = foldAll(counts, size, room.height);
  const width = columns.reduce((sum, { width: own }) => sum + own, 0) + gapBeside(size) * (counts.length - 1);
  return width <= room.width && columns.every(({ rows, step }) => rows * step - (step - size) <= room.height);
}

function foldAll(counts, size, height) {
  return counts.map((count, column) => {
    const isHidden = column > 0 && column < counts.length - 1;
    return fold(count, size, isHidden && size < UNFOLDED ? height : Infinity);
  });
}

/** One layer in as few columns as its height allows, filled evenly. */
function fold(count, size, height) {
  const step = size + spaceBetween(size);
  const most = Math.max(1, Math.floor((height + step - size) / step));
  const across = Math.max(1, Math.ceil(count / most));
  const rows = Math.ceil(count / across);
  return { count, rows, step, width: across * step - (step - size) };
}

/** The distance of a point from the line between two others. */
export function distanceToLine(x, y, { x1, y1, x2, y2 }) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const share = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
