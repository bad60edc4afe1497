// The shape of a decision boundary, for those who hear the picture instead of seeing it. Pure.

const LEAST_REGION = 0.01; // of the plane: smaller ones are specks
const STRAIGHT = 0.04; // a line that leaves its chord by less, in sides of the plane, is straight
const LEAST_BEND = 0.05; // how far a curve must turn back to count as another bend
const SLICES = 24;

/**
 * @param {ArrayLike<number>} labels the class of each cell of a square grid, row by row
 * @returns {{kind: "one" | "line" | "bends" | "enclosed" | "regions", label?: number, bends?: number, regions?: number}}
 *   one class everywhere; one border, straight or with so many bends; one class (`label`) enclosed by another; or so
 *   many separate regions
 */
export function shapeOf(labels) {
  const side = Math.round(Math.sqrt(labels.length));
  const regions = regionsOf(labels, side).filter(({ cells }) => cells.length >= LEAST_REGION * labels.length);
  if (regions.length < 2) return { kind: "one", label: regions[0]?.label ?? labels[0] };
  if (regions.length > 2) return { kind: "regions", regions: regions.length };
  const inner = regions.find(({ touchesEdge }) => !touchesEdge);
  if (inner) return { kind: "enclosed", label: inner.label };
  const bends = bendsOf(borderOf(regions[0], side), side);
  return bends === 0 ? { kind: "line" } : { kind: "bends", bends };
}

function regionsOf(labels, side) {
  const seen = new Uint8Array(labels.length);
  const regions = [];
  for (let start = 0; start < labels.length; start++) {
    if (seen[start]) continue;
    const region = { label: labels[start], cells: [start], touchesEdge: false };
    seen[start] = 1;
    for (const cell of region.cells) { // grows while it is gone through
      const neighbours = neighboursOf(cell, side);
      region.touchesEdge ||= neighbours.length < 4;
      for (const next of neighbours) {
        if (seen[next] || labels[next] !== region.label) continue;
        seen[next] = 1;
        region.cells.push(next);
      }
    }
    regions.push(region);
  }
  return regions;
}

function neighboursOf(cell, side) {
  const column = cell % side;
  return [column > 0 ? cell - 1 : -1, column < side - 1 ? cell + 1 : -1, cell - side, cell + side]
    .filter((next) => next >= 0 && next < side * side);
}

/** The cells of a region that have a neighbour outside it, as [x, y]. */
function borderOf({ cells }, side) {
  const inside = new Set(cells);
  return cells.filter((cell) => neighboursOf(cell, side).some((next) => !inside.has(next)))
    .map((cell) => [cell % side, Math.floor(cell / side)]);
}

/** How often the border turns: seen along its main direction, the heights that rise and fall by more than a little. */
function bendsOf(border, side) {
  const [meanX, meanY] = [0, 1].map((axis) => border.reduce((sum, place) => sum + place[axis], 0) / border.length);
  let [xx, xy, yy] = [0, 0, 0];
  for (const [x, y] of border) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = border.map(([x, y]) => [
    ((x - meanX) * cos + (y - meanY) * sin) / side, ((y - meanY) * cos - (x - meanX) * sin) / side,
  ]);
  const heights = sliced(turned);
  if (Math.max(...heights) - Math.min(...heights) < 2 * STRAIGHT) return 0;
  let bends = 0;
  let [low, high, direction] = [heights[0], heights[0], 0];
  for (const height of heights) {
    low = Math.min(low, height);
    high = Math.max(high, height);
    if (direction >= 0 && height < high - LEAST_BEND) {
      bends += direction === 1;
      [direction, low] = [-1, height];
    } else if (direction <= 0 && height > low + LEAST_BEND) {
      bends += direction === -1;
      [direction, high] = [1, height];
    }
  }
  return bends;
}

/** The mean height in each of SLICES slices along the main direction; empty slices are left out. */
function sliced(places) {
  const along = places.map(([x]) => x);
  const [first, last] = [Math.min(...along), Math.max(...along)];
  const slices = Array.from({ length: SLICES }, () => []);
  for (const [x, y] of places) {
    slices[Math.min(SLICES - 1, Math.floor(((x - first) / (last - first || 1)) * SLICES))].push(y);
  }
  return slices.filter((slice) => slice.length).map((slice) => slice.reduce((sum, y) => sum + y, 0) / slice.length);
}
