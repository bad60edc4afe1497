// What the browser knows of a run: frames come in, views read. Holds numbers only, never the DOM.

import { Envelope, Growing, Smoothed } from "./series.js";

// The smoothed loss feels about one epoch, within limits that keep it both steady and quick.
const SHORTEST_SPAN = 10;
const LONGEST_SPAN = 200;

/**
 * The fields that views read (an array is replaced, never changed in place, so `!==` tells what is new):
 *   spec      header.run of the first message: id, task, classes, extent, resolution, train_points, test_points, ...
 *   head      the newest header: step, epoch, batch, status, losses and scores, ...
 *   arrays    of the server's views, each under its name, where it was asked for (views.py says what they hold):
 *             points, labels    Float32Array of 2 (n + m) and of n + m: they come with the first frame
 *             picture           Uint8Array, resolution x resolution, row 0 = the smallest x2
 *             wrong             Uint8Array, a bitset over the points, training points first
 *             maps, map_scales, parameters, feature_maps, neuron:..., hidden...
 *   losses, smoothed, testSteps, testLosses           curves (series.js); losses[i] belongs to step i + 1
 */
export class Run {
  arrays = {};
  #places = new Map(); // a parameter's key -> [from, to) in arrays.parameters

  /** @param first the first frame after connecting, the only one with header.run */
  constructor({ header, arrays }) {
    const span = Math.min(LONGEST_SPAN, Math.max(SHORTEST_SPAN, header.batches));
    this.spec = header.run;
    let from = 0;
    for (const [key, shape] of this.spec.network?.parameters ?? []) {
      const to = from + shape.reduce((product, size) => product * size, 1);
      this.#places.set(key, [from, to]);
      from = to;
    }
    this.losses = new Envelope();
    this.smoothed = new Smoothed(span);
    this.testSteps = new Growing();
    this.testLosses = new Envelope();
    this.apply({ header, arrays });
  }

  /** Takes over a frame; what it does not bring stays as it was. */
  apply({ header, arrays: { losses, tests, ...arrays } }) {
    this.head = header;
    Object.assign(this.arrays, arrays);
    if (losses) this.#takeLosses(header.losses_from, losses);
    if (tests) this.#takeTests(header.tests_from, tests);
  }

  // After a recovery the server may go back, so what it sends replaces everything from that index on.
  #takeLosses(from, values) {
    this.losses.truncate(from);
    this.smoothed.truncate(from);
    for (const value of values) {
      this.losses.push(value);
      this.smoothed.push(value);
    }
  }

  #takeTests(from, rows) {
    this.testSteps.truncate(from);
    this.testLosses.truncate(from);
    for (let i = 0; i < rows.length; i += 3) {
      this.testSteps.push(rows[i]);
      this.testLosses.push(rows[i + 1]);
    }
  }

  /** The numbers of a parameter, flat, by its key in the state_dict; undefined before they have come. */
  parameter(key) {
    const { parameters } = this.arrays;
    if (!parameters || !this.#places.has(key)) return undefined;
    const [from, to] = this.#places.get(key);
    return parameters.subarray(from, to);
  }

  get isClassification() {
    return this.spec.task === "classification";
  }

  isWrong(point) {
    const { wrong } = this.arrays;
    return wrong !== undefined && ((wrong[point >> 3] >> (point & 7)) & 1) === 1;
  }

  /** How many of the test points the model gets wrong. */
  countWrongTestPoints() {
    const { train_points: first, test_points: count } = this.spec;
    let wrong = 0;
    for (let point = first; point < first + count; point++) wrong += this.isWrong(point);
    return wrong;
  }

  /** Where the model was asked, nearest to (x1, x2): a picture's value there, or undefined outside. */
  valueAt(x1, x2, picture = this.arrays.picture) {
    const [x1Min, x1Max, x2Min, x2Max] = this.spec.extent;
    const last = this.spec.resolution - 1;
    const column = Math.round(((x1 - x1Min) / (x1Max - x1Min)) * last);
    const row = Math.round(((x2 - x2Min) / (x2Max - x2Min)) * last);
    if (column < 0 || row < 0 || column > last || row > last) return undefined;
    return picture?.[row * (last + 1) + column];
  }
}
