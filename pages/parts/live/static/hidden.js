// The hidden space: where the last hidden layer puts the training points, and how it bends the plane's grid. Drawn in
// two of its neurons or, of all of them, in their two principal components. The output layer cuts this space by
// straight lines: what looks curved on the plane is straight here.

import { namePlane, stageTabs } from "./boundary.js";
import { atMostEvery, h } from "./dom.js";
import * as figures from "./figures.js";
import { outline, pointRadius } from "./marks.js";
import { classColour, continuousColour, css } from "./palette.js";
import { HIDDEN } from "./stage.js";

const SPOKEN_EVERY_MS = 2000;
const MARGIN = { left: 46, right: 8, top: 8, bottom: 38 };
const FONT_SIZE = 11;
const COMPONENTS = "components";
const ROOM = 0.06; // of the span, around the points

export class HiddenSpace {
  #word;
  #theme;
  #stage;
  #look;
  #run;
  #axes = COMPONENTS; // or [first, second] neuron
  #size = 0;
  #bounds = null; // kept while they fit, so that the picture does not shake

  #canvas = h("canvas", { class: "toytrain-canvas toytrain-hidden-space", role: "img" });
  #context = this.#canvas.getContext("2d");
  #selects = [h("select", { class: "toytrain-select" }), h("select", { class: "toytrain-select" })];
  #tabs;

  #describe = atMostEvery(SPOKEN_EVERY_MS, () => this.#canvas.setAttribute("aria-label", this.#description()));
  #resizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));

  constructor({ word, theme, stage, look }) {
    this.#word = word;
    this.#theme = theme;
    this.#stage = stage;
    this.#look = look;
    this.#canvas.setAttribute("aria-label", word("hidden_space"));
    this.#selects.forEach((select, axis) => {
      select.setAttribute("aria-label", word(axis === 0 ? "first_axis" : "second_axis"));
      select.onchange = () => this.#choose(axis, select.value);
    });
    this.#tabs = stageTabs(word, stage);
    this.element = h("section", { class: "toytrain-block toytrain-boundary" },
      h("header", { class: "toytrain-header" }, this.#tabs),
      h("div", { class: "toytrain-square" }, this.#canvas),
      h("div", { class: "toytrain-footer" }, ...this.#selects));
    this.restage();
    this.#resizes.observe(this.#canvas);
  }

  get views() {
    return this.#stage.kind === HIDDEN ? [this.#view] : [];
  }

  get #view() {
    return this.#axes === COMPONENTS ? "hidden" : `hidden:${this.#axes[0]}:${this.#axes[1]}`;
  }

  draw(run) {
    if (run !== this.#run) this.#begin(run);
    if (this.#stage.kind !== HIDDEN) return;
    this.#compose();
    this.#describe();
  }

  restyle(theme) {
    this.#theme = theme;
    this.#compose();
  }

  restage() {
    this.element.hidden = this.#stage.kind !== HIDDEN;
    this.#tabs.mark(this.#stage.kind);
    this.#compose();
  }

  unmount() {
    this.#resizes.disconnect();
    this.#describe.cancel();
  }

  #begin(run) {
    this.#run = run;
    this.#bounds = null;
    namePlane(this.#tabs, run, this.#word);
    const { hidden, layers } = run.spec.network;
    const width = hidden.at(-1);
    const layer = layers[hidden.length - 1];
    if (this.#axes !== COMPONENTS && Math.max(...this.#axes) >= width) this.#axes = COMPONENTS;
    this.#selects.forEach((select, axis) => {
      const neurons = width < 2 ? [] : Array.from({ length: width }, (_, index) =>
        h("option", { value: index }, this.#word("neuron", { layer, index })));
      select.replaceChildren(
        h("option", { value: COMPONENTS }, this.#word("component", { number: axis + 1 })), ...neurons);
    });
    this.#showAxes();
  }

  #choose(axis, value) {
    if (value === COMPONENTS) {
      this.#axes = COMPONENTS;
    } else {
      const width = this.#run.spec.network.hidden.at(-1);
      const axes = this.#axes === COMPONENTS ? [] : [...this.#axes];
      axes[axis] = Number(value);
      axes[1 - axis] ??= (Number(value) + 1) % width; // both axes are neurons, or none is
      this.#axes = axes;
    }
    this.#bounds = null;
    this.#showAxes();
    this.#look();
    this.#compose();
  }

  #showAxes() {
    this.#selects.forEach((select, axis) => {
      select.value = this.#axes === COMPONENTS ? COMPONENTS : String(this.#axes[axis]);
    });
  }

  #resize(size) {
    if (size === 0) return; // hidden
    this.#size = size;
    this.#canvas.width = this.#canvas.height = Math.round(size * devicePixelRatio);
    this.#compose();
  }

  #compose() {
    const rows = this.#run?.arrays[this.#view];
    if (this.#size === 0 || this.#stage.kind !== HIDDEN) return;
    const context = this.#context;
    const scale = devicePixelRatio;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#size, this.#size);
    if (!rows) return;
    this.#fit(rows);
    this.#paintGrid(context, rows);
    this.#paintPoints(context, rows);
    this.#paintAxes(context);
  }

  // The frame follows the points only where they leave it or no longer fill half of it.
  #fit(rows) {
    const found = bounds(rows);
    const isOutside = (axis) => found.low[axis] < this.#bounds.low[axis] || found.high[axis] > this.#bounds.high[axis];
    const isSmall = (axis) =>
      found.high[axis] - found.low[axis] < 0.5 * (this.#bounds.high[axis] - this.#bounds.low[axis]);
    if (this.#bounds && ![0, 1].some((axis) => isOutside(axis) || isSmall(axis))) return;
    const room = [0, 1].map((axis) => ROOM * (found.high[axis] - found.low[axis]) || 0.5);
    this.#bounds = {
      low: found.low.map((low, axis) => low - room[axis]),
      high: found.high.map((high, axis) => high + room[axis]),
    };
  }

  #place(value, axis) {
    const { low, high } = this.#bounds;
    const share = (value - low[axis]) / (high[axis] - low[axis]);
    return axis === 0
      ? MARGIN.left + share * (this.#size - MARGIN.left - MARGIN.right)
      : this.#size - MARGIN.bottom - share * (this.#size - MARGIN.top - MARGIN.bottom);
  }

  #paintGrid(context, rows) {
    const { train_points: train, test_points: test, network: { bent_lines: lines } } = this.#run.spec;
    const first = train + test;
    const at = (row, column) => {
      const i = 2 * (first + row * lines + column);
      return [this.#place(rows[i], 0), this.#place(rows[i + 1], 1)];
    };
    context.beginPath();
    for (let line = 0; line < lines; line++) {
      context.moveTo(...at(line, 0));
      for (let i = 1; i < lines; i++) context.lineTo(...at(line, i));
      context.moveTo(...at(0, line));
      for (let i = 1; i < lines; i++) context.lineTo(...at(i, line));
    }
    context.strokeStyle = `rgba(${this.#theme.text}, 0.22)`;
    context.lineWidth = 0.75;
    context.stroke();
  }

  #paintPoints(context, rows) {
    const { arrays: { labels }, spec } = this.#run;
    if (!labels) return;
    const { train_points: train, test_points: test, label_range: [low, high] } = spec;
    const radius = pointRadius(train + test);
    const { text, background } = this.#theme;
    context.strokeStyle = `rgba(${text}, 0.8)`;
    context.lineWidth = 0.75;
    for (let point = 0; point < train; point++) {
      context.fillStyle = css(this.#run.isClassification ? classColour(labels[point])
        : continuousColour((labels[point] - low) / (high - low), background));
      context.beginPath();
      outline(context, true, this.#place(rows[2 * point], 0), this.#place(rows[2 * point + 1], 1), radius);
      context.fill();
      context.stroke();
    }
  }

  #paintAxes(context) {
    const { text, font, scale } = this.#theme;
    const { low, high } = this.#bounds;
    const bottom = this.#size - MARGIN.bottom;
    context.font = `${FONT_SIZE * scale}px ${font}`;
    context.fillStyle = `rgba(${text}, 0.72)`;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const { value, text: label } of figures.ticks(low[0], high[0], 5)) {
      context.fillText(label, this.#place(value, 0), bottom + 5);
    }
    context.fillText(this.#nameOf(0), (MARGIN.left + this.#size) / 2, bottom + 8 + FONT_SIZE * scale);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { value, text: label } of figures.ticks(low[1], high[1], 5)) {
      context.fillText(label, MARGIN.left - 4, this.#place(value, 1));
    }
    context.save();
    context.translate((FONT_SIZE * scale) / 2 + 1, (MARGIN.top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(this.#nameOf(1), 0, 0);
    context.restore();
    context.strokeStyle = `rgba(${text}, 0.3)`;
    context.lineWidth = 1;
    context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, this.#size - MARGIN.left - MARGIN.right,
      this.#size - MARGIN.top - MARGIN.bottom);
  }

  #nameOf(axis) {
    const { hidden, layers } = this.#run.spec.network;
    if (this.#axes !== COMPONENTS) {
      return this.#word("neuron", { layer: layers[hidden.length - 1], index: this.#axes[axis] });
    }
    const share = this.#run.arrays["hidden:share"]?.[axis];
    return this.#word("component_share", { number: axis + 1, percent: Math.round(100 * (share ?? 0)) });
  }

  #description() {
    const { hidden } = this.#run.spec.network;
    return this.#word("hidden_space_says", {
      width: hidden.at(-1), first: this.#nameOf(0), second: this.#nameOf(1),
      epoch: figures.count(this.#run.head.epoch), train: figures.score(this.#run.head.train_score),
    });
  }
}

/** The smallest and the largest of each coordinate of rows (n, 2). */
function bounds(rows) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (let i = 0; i < rows.length; i++) {
    const axis = i % 2;
    if (rows[i] < low[axis]) low[axis] = rows[i];
    if (rows[i] > high[axis]) high[axis] = rows[i];
  }
  return { low, high };
}
