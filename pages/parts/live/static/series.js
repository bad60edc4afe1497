// Long growing curves, thinned for the screen. Pure.
//
// A run may have a million losses and a frame adds a hundred, so nothing here is ever recomputed as a whole: appending
// costs a constant time per value, and a view of any range costs what it shows (plus at most one block).

/** Float32 numbers, appended at the end, in an array that doubles when it is full. */
export class Growing {
  #values = new Float32Array(1024);
  #length = 0;

  get length() {
    return this.#length;
  }

  at(index) {
    return this.#values[index];
  }

  push(value) {
    if (this.#length === this.#values.length) {
      const larger = new Float32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  truncate(length) {
    this.#length = Math.min(this.#length, length);
  }
}

/**
 * Numbers with, over every aligned block of 2, 4, 8, ... of them, the smallest and the largest. Drawing both per block
 * keeps every spike, at any zoom; and since the blocks are aligned, a growing curve does not shimmer.
 * Numbers that are not finite count for no block (a diverged loss must not swallow the curve before it).
 */
export class Envelope {
  #values = new Growing();
  #levels = []; // #levels[k - 1] = { low, high } over blocks of 2 ** k

  get length() {
    return this.#values.length;
  }

  at(index) {
    return this.#values.at(index);
  }

  push(value) {
    this.#values.push(value);
    // Every second block on one level completes a block on the next.
    for (let k = 1; this.length % 2 ** k === 0; k++) {
      const level = (this.#levels[k - 1] ??= { low: new Growing(), high: new Growing() });
      const end = this.length / 2 ** (k - 1);
      const [low, high] = [this.#block(k - 1, end - 2), this.#block(k - 1, end - 1)].reduce(join);
      level.low.push(low);
      level.high.push(high);
    }
  }

  truncate(length) {
    this.#values.truncate(length);
    this.#levels.forEach(({ low, high }, index) => {
      const blocks = Math.floor(length / 2 ** (index + 1));
      low.truncate(blocks);
      high.truncate(blocks);
    });
  }

  /**
   * The values from index `from` to before `to` as a curve of at most about `limit` points.
   * @returns {{index: number[], value: number[]}} two points per block (smallest and largest, first the one nearer to
   * the block before: a falling curve stays one), or each value if they fit
   */
  thinned(from, to, limit) {
    const index = [];
    const value = [];
    if (to - from <= limit) {
      for (let i = from; i < to; i++) {
        index.push(i);
        value.push(this.at(i));
      }
      return { index, value };
    }
    const k = Math.ceil(Math.log2((2 * (to - from)) / limit));
    const size = 2 ** k;
    for (let start = from - (from % size); start < to; start += size) {
      const complete = start + size <= this.length;
      const [low, high] = complete ? this.#block(k, start / size) : this.#scan(start, Math.min(to, this.length));
      const rising = !(Math.abs(value.at(-1) - high) < Math.abs(value.at(-1) - low));
      index.push(start, Math.min(start + size / 2, to - 1));
      value.push(...(rising ? [low, high] : [high, low]));
    }
    return { index, value };
  }

  /** [smallest, largest] of block number `block` on level k. */
  #block(k, block) {
    if (k === 0) return bounds(this.at(block));
    const { low, high } = this.#levels[k - 1];
    return [low.at(block), high.at(block)];
  }

  #scan(from, to) {
    let joined = [NaN, NaN];
    for (let i = from; i < to; i++) joined = join(joined, bounds(this.at(i)));
    return joined;
  }
}

const bounds = (value) => (Number.isFinite(value) ? [value, value] : [NaN, NaN]);

function join([lowA, highA], [lowB, highB]) {
  if (Number.isNaN(lowA)) return [lowB, highB];
  if (Number.isNaN(lowB)) return [lowA, highA];
  return [Math.min(lowA, lowB), Math.max(highA, highB)];
}

/**
 * The exponential moving average of what is pushed, without the pull towards 0 at the start (Kingma and Ba 2015,
 * section 3: m / (1 - decay^t)).
 */
export class Smoothed {
  #averages = new Growing();
  #decay;

  /** @param {number} span about how many of the latest values the average feels */
  constructor(span) {
    this.#decay = 1 - 1 / span;
  }

  get length() {
    return this.#averages.length;
  }

  at(index) {
    return this.#averages.at(index);
  }

  push(value) {
    const t = this.length;
    const previous = t > 0 ? this.at(t - 1) : NaN;
    if (!Number.isFinite(value) || !Number.isFinite(previous)) {
      this.#averages.push(Number.isFinite(value) ? value : previous);
      return;
    }
    // Undoing the correction gives the raw average back, so truncating needs no further memory.
    const raw = this.#decay * previous * (1 - this.#decay ** t) + (1 - this.#decay) * value;
    this.#averages.push(raw / (1 - this.#decay ** (t + 1)));
  }

  truncate(length) {
    this.#averages.truncate(length);
  }

  /** As Envelope.thinned; a smooth curve needs only every so many-th of its values, and its last. */
  thinned(from, to, limit) {
    const stride = 2 ** Math.max(0, Math.ceil(Math.log2((to - from) / limit)));
    const index = [];
    const value = [];
    for (let i = from - (from % stride); i < to; i += stride) {
      index.push(i);
      value.push(this.at(i));
    }
    if (to > from && index.at(-1) !== to - 1) {
      index.push(to - 1);
      value.push(this.at(to - 1));
    }
    return { index, value };
  }
}
