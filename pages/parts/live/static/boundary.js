// What the model says everywhere, with the data over it: one square canvas.
//
// A frame must be cheap, so only the picture is painted each time: 100 x 100 palette look-ups, scaled up by the canvas.
// The points (with the axes) and the marks of wrong points lie on canvases of their own, painted when they change.

import { atMostEvery, choiceButtons, h, setText, toggleButton } from "./dom.js";
import * as figures from "./figures.js";
import { classColour, classPalette, continuousColour, css, decodeClass, regressionPalette } from "./palette.js";

const SPOKEN_EVERY_MS = 2000;

// Room for the axes, in CSS pixels. Left + right equals top + bottom: the plot is square because the canvas is.
const MARGIN = { left: 38, right: 6, top: 8, bottom: 36 };
const TICK_LENGTH = 4;
const FONT_SIZE = 11;

// Points shrink a little where many lie on a small plot.
const POINT_RADIUS = 3.6;
const CROWDED_RADIUS = 2.4;
const CROWD = 600;

const NEAR = 8; // CSS pixels: who clicks so near to a point means it

export class Boundary {
  #word;
  #preferences;
  #theme;
  #run;

  #canvas = h("canvas", { class: "toytrain-canvas", role: "img" });
  #context = this.#canvas.getContext("2d");
  #placeholder = h("p", { class: "toytrain-placeholder" });
  #readout = h("p", { class: "toytrain-readout", hidden: "" });
  #title = h("h2", { class: "toytrain-title" });
  #legend = h("p", { class: "toytrain-legend" });
  #shading;
  #size = 0; // of the canvas, in CSS pixels
  #pointer = null; // {x, y} in CSS pixels while something points at the canvas

  #palette;
  #picture = null; // canvas, image, pixels: one pixel per place where the model was asked
  #points = new Layer();
  #marks = new Layer();
  #painted = {}; // the arrays that the layers show now
  #chosen = null; // {x1, x2}: a place with a mark on it
  #dragged = false; // the pointer has moved since it was pressed

  #describe = atMostEvery(SPOKEN_EVERY_MS, () => this.#canvas.setAttribute("aria-label", this.#description()));
  #resizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));

  /** @param {(place: {x1: number, x2: number, point: number?}) => void} [pick] hears where somebody clicks or drags;
   *  `point` is the index of the data point there */
  constructor({ word, preferences, theme, pick }) {
    this.#word = word;
    this.#preferences = preferences;
    this.#theme = theme;
    this.#shading = choiceButtons(word("shading"), [
      [false, word("soft"), word("soft_help")],
      [true, word("hard"), word("hard_help")],
    ], { chosen: preferences.hard, choose: (hard) => this.#choose("hard", hard) });
    setText(this.#title, word("boundary"));
    setText(this.#placeholder, word("warming"));
    this.#canvas.setAttribute("aria-label", word("warming"));
    this.#canvas.onpointermove = this.#canvas.onpointerdown = ({ offsetX: x, offsetY: y }) => this.#point({ x, y });
    this.#canvas.onpointerleave = () => this.#point(null);
    if (pick) this.#listenForPicks(pick);
    this.element = h("section", { class: "toytrain-block toytrain-boundary" },
      h("header", { class: "toytrain-header" },
        this.#title,
        h("div", { class: "toytrain-tools" }, this.#shading,
          h("div", { class: "toytrain-choice", role: "group", "aria-label": word("shown_points") },
            this.#pointsButton("train"), this.#pointsButton("test")))),
      h("div", { class: "toytrain-square" }, this.#canvas, this.#placeholder, this.#readout),
      this.#legend);
    this.#resizes.observe(this.#canvas);
    // A canvas does not repaint itself when its web font arrives.
    document.fonts.load(`${FONT_SIZE}px ${theme.font}`).then(() => this.#recolour());
  }

  get views() {
    return ["boundary"];
  }

  draw(run) {
    const isNew = run !== this.#run;
    this.#run = run;
    if (isNew) this.#begin();
    if (run.arrays.picture !== this.#painted.picture) this.#paintPicture();
    if (isNew || run.arrays.points !== this.#painted.points) this.#paintPoints();
    if (isNew || !sameBytes(run.arrays.wrong, this.#painted.wrong)) this.#paintMarks();
    this.#compose();
    this.#showReadout();
    this.#describe();
  }

  restyle(theme) {
    this.#theme = theme;
    this.#recolour();
  }

  /** Puts a mark on a place of the plane, {x1, x2}, in place of the one before. */
  choose(place) {
    this.#chosen = place;
    this.#compose();
  }

  unmount() {
    this.#resizes.disconnect();
    this.#describe.cancel();
  }

  #begin() {
    const { resolution } = this.#run.spec;
    const canvas = new OffscreenCanvas(resolution, resolution);
    const context = canvas.getContext("2d");
    const image = context.createImageData(resolution, resolution);
    this.#picture = { canvas, context, image, pixels: new Uint32Array(image.data.buffer) };
    this.#painted = {};
    this.#placeholder.hidden = true;
    setText(this.#title, this.#word(this.#run.isClassification ? "boundary" : "predictions"));
    this.#shading.hidden = !this.#run.isClassification; // a continuous label has no hard form
    this.#canvas.setAttribute("aria-label", this.#description());
    this.#choosePalette();
    this.#fillLegend();
  }

  #choose(name, value) {
    this.#preferences[name] = value;
    this.#recolour();
  }

  #recolour() {
    if (!this.#run) return;
    this.#choosePalette();
    this.#fillLegend();
    this.#paintPicture();
    this.#paintOver();
  }

  #resize(size) {
    if (size === 0) return; // hidden
    this.#size = size;
    const pixels = Math.round(size * devicePixelRatio);
    for (const canvas of [this.#canvas, this.#points.canvas, this.#marks.canvas]) canvas.width = canvas.height = pixels;
    if (this.#run) this.#paintOver();
  }

  #paintOver() {
    this.#paintPoints();
    this.#paintMarks();
    this.#compose();
  }

  #choosePalette() {
    this.#palette = this.#run.isClassification
      ? classPalette(this.#run.spec.classes, this.#theme, { hard: this.#preferences.hard })
      : regressionPalette(this.#theme);
  }

  #paintPicture() {
    const { arrays: { picture }, spec: { resolution } } = this.#run;
    if (!picture) return;
    const { context, image, pixels } = this.#picture;
    // Row 0 is the smallest x2, which belongs at the bottom.
    for (let row = 0; row < resolution; row++) {
      const target = (resolution - 1 - row) * resolution;
      for (let column = 0; column < resolution; column++) {
        pixels[target + column] = this.#palette[picture[row * resolution + column]];
      }
    }
    context.putImageData(image, 0, 0);
    this.#painted.picture = picture;
  }

  #paintPoints() {
    if (this.#size === 0) return; // hidden as yet: #resize paints
    const context = this.#points.begin(this.#size);
    this.#paintAxes(context);
    const { arrays: { points, labels }, spec } = this.#run;
    this.#painted.points = points;
    if (!points) return;
    const { background, text } = this.#theme;
    const [low, high] = spec.label_range ?? [0, 1];
    context.strokeStyle = `rgba(${text}, 0.8)`;
    context.lineWidth = 0.75;
    this.#eachShownPoint((point, x, y, radius) => {
      const colour = this.#run.isClassification
        ? classColour(labels[point])
        : continuousColour((labels[point] - low) / (high - low), background);
      context.fillStyle = css(colour);
      context.beginPath();
      outline(context, point < spec.train_points, x, y, radius);
      context.fill();
      context.stroke();
    });
  }

  // One path for all marks: hundreds of points may be wrong at first, and they change with nearly every frame.
  #paintMarks() {
    if (this.#size === 0) return;
    const context = this.#marks.begin(this.#size);
    const { wrong, points } = this.#run.arrays;
    this.#painted.wrong = wrong;
    if (!wrong || !points) return;
    context.beginPath();
    this.#eachShownPoint((point, x, y, radius) => {
      if (this.#run.isWrong(point)) crossedRing(context, x, y, radius);
    });
    context.strokeStyle = css(this.#theme.text);
    context.lineWidth = 1.1;
    context.stroke();
  }

  #eachShownPoint(visit) {
    const { arrays: { points }, spec } = this.#run;
    const [x1Min, x1Max, x2Min, x2Max] = spec.extent;
    const { left, top, side } = this.#plot();
    const { train_points: train, test_points: test } = spec;
    const radius = train + test > CROWD ? CROWDED_RADIUS : POINT_RADIUS;
    const from = this.#preferences.train ? 0 : train;
    const to = this.#preferences.test ? train + test : train;
    for (let point = from; point < to; point++) {
      const x = left + ((points[2 * point] - x1Min) / (x1Max - x1Min)) * side;
      const y = top + ((x2Max - points[2 * point + 1]) / (x2Max - x2Min)) * side;
      visit(point, x, y, radius);
    }
  }

  #paintAxes(context) {
    const { text, font } = this.#theme;
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const { left, top, side } = this.#plot();
    const bottom = top + side;
    const quiet = `rgba(${text}, 0.72)`;
    context.font = `${FONT_SIZE}px ${font}`;
    context.fillStyle = context.strokeStyle = quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const { value, text: label } of figures.ticks(x1Min, x1Max)) {
      const x = Math.round(left + ((value - x1Min) / (x1Max - x1Min)) * side) + 0.5;
      context.moveTo(x, bottom);
      context.lineTo(x, bottom + TICK_LENGTH);
      context.fillText(label, x, bottom + TICK_LENGTH + 2);
    }
    context.fillText("x1", left + side / 2, bottom + TICK_LENGTH + FONT_SIZE + 5);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { value, text: label } of figures.ticks(x2Min, x2Max)) {
      const y = Math.round(top + ((x2Max - value) / (x2Max - x2Min)) * side) + 0.5;
      context.moveTo(left - TICK_LENGTH, y);
      context.lineTo(left, y);
      context.fillText(label, left - TICK_LENGTH - 2, y);
    }
    context.stroke();
    // x2 upright at the axis, clear of the tick numbers' right edge
    context.save();
    context.translate(FONT_SIZE / 2, top + side / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText("x2", 0, 0);
    context.restore();
  }

  #compose() {
    if (!this.#run || this.#size === 0) return;
    const context = this.#context;
    const { left, top, side } = this.#plot();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (this.#painted.picture) {
      // The outermost places lie on the edge of the extent, so the plot's edge is the middle of their pixels.
      const span = this.#run.spec.resolution - 1;
      const scale = devicePixelRatio;
      const target = [left, top, side, side].map((length) => length * scale);
      context.drawImage(this.#picture.canvas, 0.5, 0.5, span, span, ...target);
    }
    context.drawImage(this.#points.canvas, 0, 0);
    context.drawImage(this.#marks.canvas, 0, 0);
    if (this.#chosen) this.#paintChosen(context);
  }

  /** A ring with four hairlines, dark on light and light on dark. */
  #paintChosen(context) {
    const { text, background } = this.#theme;
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const { left, top, side } = this.#plot();
    const { x1, x2 } = this.#chosen;
    if (x1 < x1Min || x1 > x1Max || x2 < x2Min || x2 > x2Max) return;
    const x = left + ((x1 - x1Min) / (x1Max - x1Min)) * side;
    const y = top + ((x2Max - x2) / (x2Max - x2Min)) * side;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    for (const [colour, width] of [[background, 4], [text, 1.75]]) {
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 8 * dx, y + 8 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.strokeStyle = css(colour);
      context.lineWidth = width;
      context.stroke();
    }
  }

  #plot() {
    return { left: MARGIN.left, top: MARGIN.top, side: this.#size - MARGIN.left - MARGIN.right };
  }

  #point(pointer) {
    this.#pointer = pointer;
    this.#showReadout();
  }

  #showReadout() {
    const text = this.#pointer && this.#run ? this.#reading(this.#pointer) : null;
    this.#readout.hidden = !text;
    if (text) setText(this.#readout, text);
  }

  /** Where on the plane a pixel of the canvas is. */
  #placeAt({ x, y }) {
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const { left, top, side } = this.#plot();
    return {
      x1: x1Min + ((x - left) / side) * (x1Max - x1Min),
      x2: x2Max - ((y - top) / side) * (x2Max - x2Min),
    };
  }

  /** The index of the shown data point nearest to a pixel of the canvas, or null where none is near. */
  #pointNear({ x, y }) {
    let nearest = null;
    let least = NEAR;
    this.#eachShownPoint((point, pointX, pointY) => {
      const distance = Math.hypot(pointX - x, pointY - y);
      if (distance < least) [nearest, least] = [point, distance];
    });
    return nearest;
  }

  // A click takes the data point that is near; a drag (not by finger: that scrolls) takes the place itself.
  #listenForPicks(pick) {
    const canvas = this.#canvas;
    const inside = ({ x1, x2 }) => {
      const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
      return x1 >= x1Min && x1 <= x1Max && x2 >= x2Min && x2 <= x2Max;
    };
    const take = ({ offsetX: x, offsetY: y }, snaps) => {
      if (!this.#run?.arrays.points) return;
      const point = snaps ? this.#pointNear({ x, y }) : null;
      const place = this.#placeAt({ x, y });
      if (!inside(place)) return;
      const { points } = this.#run.arrays;
      pick(point === null ? { ...place, point } : { x1: points[2 * point], x2: points[2 * point + 1], point });
    };
    canvas.classList.add("toytrain-pickable");
    canvas.onclick = (event) => take(event, !this.#dragged);
    canvas.onpointerdown = (event) => {
      this.#dragged = false;
      this.#point({ x: event.offsetX, y: event.offsetY });
    };
    canvas.onpointermove = (event) => {
      this.#point({ x: event.offsetX, y: event.offsetY });
      if (event.buttons !== 1 || event.pointerType === "touch") return;
      this.#dragged = true;
      take(event, false);
    };
  }

  #reading({ x, y }) {
    const { spec } = this.#run;
    const { x1, x2 } = this.#placeAt({ x, y });
    const value = this.#run.valueAt(x1, x2);
    if (value === undefined) return null;
    const place = { x1: figures.coordinate(x1), x2: figures.coordinate(x2) };
    if (!this.#run.isClassification) {
      const [low, high] = spec.label_range;
      const prediction = low + (value / 255) * (high - low);
      return this.#word("reading_regression", { ...place, value: figures.coordinate(prediction) });
    }
    const { label, probability } = decodeClass(value, spec.classes);
    return this.#word("reading", { ...place, label, probability: figures.coordinate(probability) });
  }

  #description() {
    const { head, spec } = this.#run;
    const values = {
      classes: spec.classes,
      epoch: figures.count(head.epoch),
      train: figures.score(head.train_score),
      test: figures.score(head.test_score),
      points: spec.test_points,
    };
    return this.#run.isClassification
      ? this.#word("boundary_says", { ...values, wrong: this.#run.countWrongTestPoints() })
      : this.#word("boundary_says_regression", values);
  }

  #fillLegend() {
    const { spec, isClassification } = this.#run;
    if (!isClassification) {
      const [low, high] = spec.label_range;
      const { background } = this.#theme;
      const stops = [0, 0.5, 1].map((share) => css(continuousColour(share, background)));
      const ramp = h("span", { class: "toytrain-ramp", style: `background: linear-gradient(90deg, ${stops})` });
      this.#legend.replaceChildren(figures.coordinate(low), ramp, figures.coordinate(high));
      return;
    }
    const classes = Array.from({ length: spec.classes }, (_, label) => h("span", { class: "toytrain-key" },
      h("span", { class: "toytrain-swatch", style: `background: ${css(classColour(label))}` }),
      this.#word("class", { label })));
    const wrong = h("span", { class: "toytrain-key" }, sign("wrong"), this.#word("wrong"));
    this.#legend.replaceChildren(...classes, wrong);
  }

  // The button shows the shape of its points, so it is their legend as well.
  #pointsButton(part) {
    return toggleButton([sign(part), this.#word(part)], {
      pressed: this.#preferences[part],
      title: this.#word(`${part}_points_help`),
      press: (shown) => this.#choose(part, shown),
    });
  }
}

/** A canvas as large as the visible one, drawn on in CSS pixels. */
class Layer {
  canvas = new OffscreenCanvas(1, 1);
  #context = this.canvas.getContext("2d");

  /** Empties it. @returns its context, scaled to CSS pixels */
  begin(size) {
    const scale = this.canvas.width / size;
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    return this.#context;
  }
}

// Shapes, as paths: circles train, diamonds test. A ring with a cross around a point says "wrong" without a colour.

function outline(context, isTraining, x, y, radius) {
  if (isTraining) {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const reach = 1.3 * radius; // a diamond of the same area as the circle
  context.moveTo(x, y - reach);
  context.lineTo(x + reach, y);
  context.lineTo(x, y + reach);
  context.lineTo(x - reach, y);
  context.closePath();
}

function crossedRing(context, x, y, radius) {
  const ring = radius + 2.2;
  const arm = 0.55 * radius;
  context.moveTo(x + ring, y);
  context.arc(x, y, ring, 0, 2 * Math.PI);
  context.moveTo(x - arm, y - arm);
  context.lineTo(x + arm, y + arm);
  context.moveTo(x - arm, y + arm);
  context.lineTo(x + arm, y - arm);
}

/** The same shapes as small signs for buttons and the legend. */
function sign(kind) {
  const element = h("span", { class: "toytrain-sign", "aria-hidden": "true" });
  const shape = {
    train: '<circle cx="6" cy="6" r="3.6"/>',
    test: '<path d="M6 1.4 10.6 6 6 10.6 1.4 6Z"/>',
    wrong: '<circle cx="6" cy="6" r="5"/><path d="M4 4 8 8M4 8 8 4"/>',
  }[kind];
  element.innerHTML = `<svg viewBox="0 0 12 12" width="12" height="12">${shape}</svg>`;
  return element;
}

function sameBytes(one, other) {
  if (one === other) return true;
  return one?.length === other?.length && one.every((byte, index) => byte === other[index]);
}
