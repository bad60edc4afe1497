// Points on the plane with their axes, on one square canvas. Knows no run and no pointer.

import { FONT_SIZE, paintAxes, plotOf } from "./axes.js";
import { h } from "./dom.js";
import { outline, pointRadius } from "./marks.js";
import { classColour, continuousColour, css } from "./palette.js";

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

  /** @param overlay (context, theme) => void, which paints over the points */
  constructor(overlay = () => {}) {
    this.#overlay = overlay;
    this.#resizes.observe(this.canvas);
  }

  show(scene, theme) {
    const isFirst = this.#scene === null;
    this.#scene = scene;
    this.#theme = theme;
    // A canvas does not repaint itself when its web font arrives.
    if (isFirst) document.fonts.load(`${FONT_SIZE}px ${theme.font}`).then(() => this.paint());
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
    const { left, top, side } = plotOf(this.#size);
    context.strokeStyle = `rgba(${this.#theme.text}, 0.14)`;
    context.strokeRect(left + 0.5, top + 0.5, side - 1, side - 1);
    this.#paintPoints(context);
    this.#overlay(context, this.#theme);
  }

  #paintPoints(context) {
    const { points, labels, train_points: train, strong, ringed, changed } = this.#scene;
    const colour = colours(this.#scene, this.#theme);
    const radius = pointRadius(points.length);
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
