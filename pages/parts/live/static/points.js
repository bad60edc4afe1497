// The points of the chosen data on the plane, with the number of each class in training and test.

import { h } from "./dom.js";
import * as figures from "./figures.js";
import { viewOf } from "./component.js";
import { classColour, css } from "./palette.js";
import { Plane } from "./plane.js";

class Points {
  #word;
  #plane = new Plane();
  #counts = h("table", { class: "toytrain-counts" });
  element = h("section", { class: "toytrain-block" }, this.#plane.element, this.#counts);

  constructor({ word }) {
    this.#word = word;
  }

  update({ scene, alt }, theme) {
    this.#plane.canvas.setAttribute("aria-label", alt);
    this.#plane.show({ ...scene, changed: new Set(scene.flipped) }, theme);
    this.#counts.hidden = scene.task !== "classification";
    if (!this.#counts.hidden) this.#count(scene);
  }

  #count({ labels, train_points: train, classes }) {
    const counts = Array.from({ length: classes }, () => [0, 0]);
    labels.forEach((label, point) => counts[label][Number(point >= train)]++);
    const line = (name, one, other) => h("tr", {}, name,
      ...[one, other, one + other].map((count) => h("td", {}, figures.count(count))));
    const name = (...parts) => h("th", { scope: "row" }, ...parts);
    const sums = [0, 1].map((part) => counts.reduce((sum, count) => sum + count[part], 0));
    const titles = [this.#word("train"), this.#word("test"), this.#word("together")];
    this.#counts.replaceChildren(
      h("thead", {}, h("tr", {}, h("td"), ...titles.map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {},
        ...counts.map((count, label) => line(name(
          h("span", { class: "toytrain-swatch", style: `background: ${css(classColour(label))}` }),
          this.#word("class", { label })), ...count)),
        line(name(this.#word("together")), ...sums)),
    );
  }
}

export const show = viewOf("points", Points);
