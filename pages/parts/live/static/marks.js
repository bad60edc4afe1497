// Points and their marks, and the layers they are painted on: shared by all that shows the data.

import { h } from "./dom.js";

// Points shrink a little where many lie on a small plot.
const POINT_RADIUS = 3.6;
const CROWDED_RADIUS = 2.4;
const CROWD = 600;

export const pointRadius = (points) => (points > CROWD ? CROWDED_RADIUS : POINT_RADIUS);

/** A canvas as large as the visible one, drawn on in CSS pixels. */
export class Layer {
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

export function outline(context, isTraining, x, y, radius) {
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

export function crossedRing(context, x, y, radius) {
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
export function sign(kind) {
  const element = h("span", { class: "toytrain-sign", "aria-hidden": "true" });
  const shape = {
    train: '<circle cx="6" cy="6" r="3.6"/>',
    test: '<path d="M6 1.4 10.6 6 6 10.6 1.4 6Z"/>',
    wrong: '<circle cx="6" cy="6" r="5"/><path d="M4 4 8 8M4 8 8 4"/>',
  }[kind];
  element.innerHTML = `<svg viewBox="0 0 12 12" width="12" height="12">${shape}</svg>`;
  return element;
}
