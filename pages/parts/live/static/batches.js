// An epoch as its DataLoader deals it: the batches in order with the rows in each, the rows that drop_last leaves out,
// and on the plane the batch just trained and the one that comes next. A click on a batch shows that one.

import { h } from "./dom.js";
import { viewOf } from "./component.js";
import { css } from "./palette.js";
import { colours, Plane } from "./plane.js";

class Batches {
  #word;
  #plane = new Plane();
  #list = h("ol", { class: "toytrain-batches", tabindex: "0" });
  #strips = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
  #says = h("p", { class: "toytrain-says" });
  #looked = null; // a batch that was clicked
  #data;
  #theme;
  element;

  constructor({ word }) {
    this.#word = word;
    this.#list.setAttribute("aria-label", word("batches_of_epoch"));
    const strip = (canvas, text) => h("div", { class: "toytrain-strip" }, h("span", {}, text), canvas);
    this.element = h("section", { class: "toytrain-loader" },
      h("div", { class: "toytrain-block" }, this.#plane.element, this.#says),
      h("div", { class: "toytrain-block" },
        h("div", { class: "toytrain-strips" }, strip(this.#strips[0], word("as_it_lies")), strip(this.#strips[1], word("as_dealt"))),
        this.#list));
  }

  update(data, theme) {
    if (this.#data && (this.#data.epoch.steps !== data.epoch.steps)) this.#looked = null;
    this.#data = data;
    this.#theme = theme;
    this.#fill();
    this.#show();
    this.#strips.forEach((canvas, dealt) => this.#paintStrip(canvas, dealt === 1));
  }

  #rows(batch) {
    const { order, batch_size: size, in_epoch: kept } = this.#data.epoch;
    return order.slice(batch * size, Math.min((batch + 1) * size, kept));
  }

  #fill() {
    const { epoch, scene } = this.#data;
    const colour = colours(scene, this.#theme);
    const card = (row) => h("span", { class: "toytrain-row", style: `--class: ${css(colour(scene.labels[row]))}` }, row);
    const lines = Array.from({ length: epoch.batches }, (_, batch) => {
      const state = stateOf(batch, epoch.batch);
      const button = h("button", { type: "button", class: "toytrain-toggle", title: this.#word("look_at_batch") },
        this.#word("batch_number", { number: batch + 1 }));
      button.onclick = () => {
        this.#looked = this.#looked === batch ? null : batch;
        this.#show();
      };
      const line = h("li", { "data-state": state }, button);
      if (state === "now") line.append(h("em", {}, this.#word("just_trained")));
      if (state === "next") line.append(h("em", {}, this.#word("comes_next")));
      line.append(h("span", { class: "toytrain-rows" }, ...this.#rows(batch).map(card)));
      return line;
    });
    const dropped = epoch.order.slice(epoch.in_epoch);
    if (dropped.length) {
      lines.push(h("li", { "data-state": "dropped" }, h("strong", {}, this.#word("dropped")),
        h("span", { class: "toytrain-rows" }, ...dropped.map(card))));
    }
    this.#list.replaceChildren(...lines);
    const next = this.#list.querySelector("[data-state=now], [data-state=next]");
    if (next) this.#list.scrollTop = next.offsetTop - this.#list.offsetTop;
  }

  #show() {
    const { epoch, scene } = this.#data;
    const looked = this.#looked;
    const now = looked ?? epoch.batch - 1;
    const strong = new Set(now < 0 ? [] : this.#rows(now));
    const ringed = new Set(looked === null && epoch.batch < epoch.batches ? this.#rows(epoch.batch) : []);
    this.#plane.show({ ...scene, strong, ringed }, this.#theme);
    const says = looked !== null ? this.#word("batch_shown", { number: looked + 1 })
      : this.#word(epoch.batch ? "batches_shown" : "next_shown", { now: epoch.batch, next: epoch.batch + 1 });
    this.#says.textContent = says;
    this.#plane.canvas.setAttribute("aria-label", `${says}: ${[...strong, ...ringed].join(", ")}`);
    this.#list.querySelectorAll("button").forEach((button, batch) => button.setAttribute("aria-pressed", batch === looked));
  }

  // The rows from left to right as they are dealt, the darker the later they lie in the data.
  #paintStrip(canvas, dealt) {
    const { order, in_epoch: kept } = this.#data.epoch;
    const rows = order.length;
    canvas.width = rows;
    canvas.height = 1;
    const context = canvas.getContext("2d");
    const [r, g, b] = this.#theme.text;
    for (let place = 0; place < rows; place++) {
      const row = dealt ? order[place] : place;
      const isDropped = dealt && place >= kept;
      context.fillStyle = `rgba(${r}, ${g}, ${b}, ${isDropped ? 0 : 0.06 + (0.8 * row) / rows})`;
      context.fillRect(place, 0, 1, 1);
    }
    canvas.setAttribute("aria-label", this.#word(dealt ? "as_dealt" : "as_it_lies"));
  }
}

/** What has become of a batch when so many are trained. */
function stateOf(batch, trained) {
  if (batch < trained - 1) return "done";
  if (batch === trained - 1) return "now";
  return batch === trained ? "next" : "";
}

export const show = viewOf("batches", Batches);
