// The axes of the plane on a square canvas.

import * as figures from "./figures.js";

// Room for the axes, in CSS pixels. Left + right equals top + bottom: the plot is square because the canvas is.
const MARGIN = { left: 38, right: 6, top: 8, bottom: 36 };
const TICK_LENGTH = 4;
export const FONT_SIZE = 11;

/** The plot's left and top edge and its side on a canvas of that size, in CSS pixels. */
export const plotOf = (size) => ({ left: MARGIN.left, top: MARGIN.top, side: size - MARGIN.left - MARGIN.right });

/** The axes of the plane, x1 below and x2 at the left, with round numbers. */
export function paintAxes(context, [x1Min, x1Max, x2Min, x2Max], size, { text, font, scale }) {
  const { left, top, side } = plotOf(size);
  const bottom = top + side;
  const fontSize = FONT_SIZE * scale;
  context.font = `${fontSize}px ${font}`;
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
  context.fillText("x1", left + side / 2, bottom + TICK_LENGTH + fontSize + 5);
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
  context.translate(fontSize / 2, top + side / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText("x2", 0, 0);
  context.restore();
}
