// Every dataset as a small picture; a click chooses it.

import { h } from "./dom.js";
import { viewOf } from "./component.js";
import { css } from "./palette.js";
import { colours } from "./plane.js";

const SIZE = 96; // of a picture, in CSS pixels
const RADIUS = 1.7;

class Gallery {
  #tell;
  #word;
  element = h("div", { class: "toytrain-gallery", role: "group" });

  constructor({ word, tell }) {
    this.#word = word;
    this.#tell = tell;
    this.element.setAttribute("aria-label", word("datasets"));
  }

  update({ previews, chosen, is_fixed: isFixed }, theme) {
    const focused = document.activeElement?.dataset?.dataset;
    const cards = previews.map((preview) => this.#card(preview, preview.name === chosen, theme));
    for (const card of cards) card.disabled = isFixed;
    this.element.replaceChildren(...cards);
    if (focused) this.element.querySelector(`[data-dataset="${focused}"]`)?.focus();
  }

  #card({ name, about, refusal, ...scene }, isChosen, theme) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    canvas.width = canvas.height = SIZE * devicePixelRatio;
    if (!refusal) paint(canvas.getContext("2d"), scene, theme);
    const button = h("button", {
      type: "button",
      class: "toytrain-card",
      "aria-pressed": String(isChosen),
      title: refusal ?? about,
      "data-dataset": name,
    }, refusal ? h("span", { class: "toytrain-refused" }, this.#word("refused")) : canvas,
    h("span", { class: "toytrain-card-name" }, name));
    button.onclick = () => this.#tell("choose", name);
    return button;
  }
}

function paint(context, scene, theme) {
  const [x1Min, x1Max, x2Min, x2Max] = scene.extent;
  const colour = colours(scene, theme);
  context.scale(devicePixelRatio, devicePixelRatio);
  scene.points.forEach(([x1, x2], point) => {
    context.fillStyle = css(colour(scene.labels[point]));
    context.beginPath();
    context.arc(((x1 - x1Min) / (x1Max - x1Min)) * SIZE, ((x2Max - x2) / (x2Max - x2Min)) * SIZE, RADIUS, 0, 7);
    context.fill();
  });
}

export const show = viewOf("gallery", Gallery);
