// Points on the plane with their axes, on one square canvas. Knows no run and no pointer.

import { h } from "./dom.js";
import * as figures from "./figures.js";
import { classColour, continuousColour, css } from "./palette.js";

// Room for the axes, in CSS pixels. Left + right equals top + bottom: the plot is square because the canvas is.
const MARGIN = { left: 38, right: 6, top: 8, bottom: 36 };
const TICK_LENGTH = 4;
const FONT_SIZE = 11;

const POINT_RADIUS = 3.6;
const CROWDED_RADIUS = 2.4;
const CROWD = 600;
const STRONGER = 1.7; // times the radius
const FAINT = 0.25;

/**
 * A scene: { extent: [x1 from, x1 to, x2 from, x2 to], points: [[x1, x2], ...], labels, train_points, task }, and where
 * only some points count `strong` (a Set of their numbers: large, the others faint), `ringed` and `changed` (Sets).
 */
export class Plane {
  canvas = h("canvas", { class: "toytrain-canvas", role: "img" });
  element = h("div", { class: "toytrain-square" }, this.canvas);

  #scene = null;
  #theme;
  #size = 0; // of the canvas, in CSS pixels
  #overlay;
  #resizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));

  /** @param overlay (context, place) => void, which paints over the points; place(x1, x2) gives CSS pixels */
  constructor(overlay = () => {}) {
    this.#overlay = overlay;
    this.#resizes.observe(this.canvas);
  }

  show(scene, theme) {
    this.#scene = scene;
    this.#theme = theme;
    document.fonts.load(`${FONT_SIZE}px ${theme.font}`).then(() => this.paint());
    this.paint();
  }

  /** CSS pixels on the canvas -> [x1, x2], also beside the plot. */
  at({ x, y }) {
    const [x1Min, x1Max, x2Min, x2Max] = this.#scene.extent;
    const { left, top, side } = plotOf(this.#size);
    return [x1Min + ((x - left) / side) * (x1Max - x1Min), x2Max - ((y - top) / side) * (x2Max - x2Min)];
  }

  /** [x1, x2] -> CSS pixels on the canvas. */
  place(x1, x2) {
    const [x1Min, x1Max, x2Min, x2Max] = this.#scene.extent;
    const { left, top, side } = plotOf(this.#size);
    return [left + ((x1 - x1Min) / (x1Max - x1Min)) * side, top + ((x2Max - x2) / (x2Max - x2Min)) * side];
  }

  paint() {
    if (!this.#scene || this.#size === 0) return;
    const context = this.canvas.getContext("2d");
    const scale = this.canvas.width / this.#size;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#size, this.#size);
    paintAxes(context, this.#scene.extent, this.#size, this.#theme);
    this.#paintPoints(context);
    this.#overlay(context, this.#theme);
  }

  #paintPoints(context) {
    const { points, labels, train_points: train, strong, ringed, changed } = this.#scene;
    const colour = colours(this.#scene, this.#theme);
    const radius = points.length > CROWD ? CROWDED_RADIUS : POINT_RADIUS;
    context.strokeStyle = `rgba(${this.#theme.text}, 0.8)`;
    const paint = (point, size) => {
      const [x, y] = this.place(...points[point]);
      context.fillStyle = css(colour(labels[point]));
      context.beginPath();
      outline(context, point < train, x, y, size);
      context.fill();
      context.stroke();
      if (changed?.has(point)) cross(context, x, y, size);
      if (ringed?.has(point)) ring(context, x, y, size);
    };
    context.lineWidth = 0.75;
    context.globalAlpha = strong || ringed ? FAINT : 1;
    for (let point = 0; point < points.length; point++) {
      if (!strong?.has(point) && !ringed?.has(point)) paint(point, radius);
    }
    context.globalAlpha = 1;
    for (const point of ringed ?? []) if (!strong?.has(point)) paint(point, radius);
    for (const point of strong ?? []) paint(point, STRONGER * radius);
  }

  #resize(size) {
    if (size === 0) return; // hidden
    this.#size = size;
    this.canvas.width = this.canvas.height = Math.round(size * devicePixelRatio);
    this.paint();
  }
}

/** label -> its colour: of a class its own, of a regression's target by its place among the others. */
export function colours({ task, labels }, { background }) {
  if (task === "classification") return classColour;
  const low = labels.reduce((one, other) => Math.min(one, other), Infinity);
  const high = labels.reduce((one, other) => Math.max(one, other), -Infinity);
  return (label) => continuousColour((label - low) / (high - low || 1), background);
}

const plotOf = (size) => ({ left: MARGIN.left, top: MARGIN.top, side: size - MARGIN.left - MARGIN.right });

function paintAxes(context, [x1Min, x1Max, x2Min, x2Max], size, { text, font }) {
  const { left, top, side } = plotOf(size);
  const bottom = top + side;
  context.font = `${FONT_SIZE}px ${font}`;
  context.fillStyle = context.strokeStyle = `rgba(${text}, 0.72)`;
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
  context.save();
  context.translate(FONT_SIZE / 2, top + side / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText("x2", 0, 0);
  context.restore();
  context.strokeStyle = `rgba(${text}, 0.14)`;
  context.strokeRect(left + 0.5, top + 0.5, side - 1, side - 1);
}

/** A point's outline as a path: a circle for training, a diamond of the same area for testing. */
export function outline(context, isTraining, x, y, radius) {
  if (isTraining) {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const reach = 1.3 * radius;
  context.moveTo(x, y - reach);
  context.lineTo(x + reach, y);
  context.lineTo(x, y + reach);
  context.lineTo(x - reach, y);
  context.closePath();
}

function ring(context, x, y, radius) {
  context.save();
  context.lineWidth = 1.4;
  context.beginPath();
  context.arc(x, y, radius + 2.4, 0, 2 * Math.PI);
  context.stroke();
  context.restore();
}

function cross(context, x, y, radius) {
  const arm = radius + 1.5;
  context.beginPath();
  context.moveTo(x - arm, y - arm);
  context.lineTo(x + arm, y + arm);
  context.moveTo(x - arm, y + arm);
  context.lineTo(x + arm, y - arm);
  context.stroke();
}
