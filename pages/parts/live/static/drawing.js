// Points being drawn: what each stroke does, and undo. Pure: knows no canvas and no server.

const MOST_UNDO = 100;

/** A point is [x1, x2, label]; `points` is replaced, never changed in place. */
export class Drawing {
  points = [];
  revision; // of the page's own changes; what the page has changed is taken over
  #past = [];
  #future = [];
  #stroke = null; // the points before the stroke that goes on

  constructor(most) {
    this.most = most;
  }

  /** Takes the page's points if it has changed them itself. @returns whether it did */
  take(points, revision) {
    if (revision === this.revision) return false;
    const isFirst = this.revision === undefined;
    this.revision = revision;
    if (!isFirst) this.#remember(this.points);
    this.points = points;
    return true;
  }

  begin() {
    this.#stroke = this.points;
  }

  /** @returns whether the stroke changed anything */
  end() {
    const before = this.#stroke;
    this.#stroke = null;
    if (before === null || before === this.points) return false;
    this.#remember(before);
    return true;
  }

  add(x1, x2, label, extent) {
    if (this.points.length < this.most) this.points = [...this.points, [...rounded(x1, x2, extent), label]];
  }

  /** Erases what lies within the radius (in units of x1 and x2). */
  erase(x1, x2, radius) {
    const left = this.points.filter((point) => Math.hypot(point[0] - x1, point[1] - x2) > radius);
    if (left.length < this.points.length) this.points = left;
  }

  clear() {
    this.points = [];
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  undo() {
    this.#swap(this.#past, this.#future);
  }

  redo() {
    this.#swap(this.#future, this.#past);
  }

  #swap(from, to) {
    if (from.length === 0) return;
    to.push(this.points);
    this.points = from.pop();
  }

  #remember(points) {
    this.#past.push(points);
    if (this.#past.length > MOST_UNDO) this.#past.shift();
    this.#future = [];
  }
}

/** As many digits as a pixel is worth: a drawn point is short to write down. */
export function rounded(x1, x2, [low, high]) {
  const digits = Math.min(12, Math.max(0, 3 - Math.ceil(Math.log10(high - low))));
  return [x1, x2].map((value) => Number(value.toFixed(digits)));
}
