// The small field in which a weight or a bias is set by hand, at the place where it was clicked. The run stands still
// while it is open, so that the number does not run away under the fingers.

import { h, setText } from "./dom.js";
import * as figures from "./figures.js";

const LARGEST = 1e6; // toytrain/edits.py

export class Editor {
  #word;
  #pause;
  #set;
  #run = null;
  #place = null; // {key, index, number: its place in the flat parameter}
  #before = null; // what had the focus
  #isTouched = false;

  #name = h("label", { for: "toytrain-edit" });
  #input = h("input", { id: "toytrain-edit", type: "text", inputmode: "decimal", autocomplete: "off",
    spellcheck: "false", "aria-describedby": "toytrain-edit-problem" });
  #problem = h("p", { id: "toytrain-edit-problem", class: "toytrain-problem", role: "alert" });
  element = h("form", { class: "toytrain-editor", hidden: "" }, this.#name, this.#input);

  /**
   * @param pause lets a playing run stand still
   * @param set called with {run, key, index, value}
   */
  constructor({ word, pause, set }) {
    this.#word = word;
    this.#pause = pause;
    this.#set = set;
    this.element.append(h("button", { type: "submit", class: "toytrain-toggle" }, word("set_weight")), this.#problem,
      h("p", { class: "toytrain-quiet" }, word("edit_help")));
    this.element.onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.element.onkeydown = (event) => {
      event.stopPropagation(); // no key is a command of the page here
      if (event.key === "Escape") this.close();
    };
    this.element.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !this.element.contains(relatedTarget)) this.element.hidden = true;
    });
    this.#input.oninput = () => (this.#isTouched = true);
  }

  /** @param index of the number in the parameter; @param at a place in the window */
  open(key, index, at) {
    if (!this.#run) return;
    const [, shape] = this.#run.spec.network.parameters.find(([name]) => name === key);
    this.#place = { key, index, number: index.reduce((sum, i, dimension) => sum * shape[dimension] + i, 0) };
    this.#before = document.activeElement;
    this.#isTouched = false;
    setText(this.#name, `${key}[${index.join(", ")}]`);
    setText(this.#problem, "");
    this.#showValue();
    this.element.hidden = false;
    this.#moveTo(at);
    this.#input.focus({ preventScroll: true });
    this.#input.select();
    if (this.#run.head.status === "playing") this.#pause();
  }

  close() {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#before?.focus?.({ preventScroll: true });
  }

  draw(run) {
    const isAnother = this.#run !== null && run.spec.id !== this.#run.spec.id;
    this.#run = run;
    if (isAnother) this.close();
    else if (!this.element.hidden && !this.#isTouched) this.#showValue(); // it may move until the run stands
  }

  #showValue() {
    const value = this.#run.parameter(this.#place.key)?.[this.#place.number];
    const text = value === undefined ? "" : String(Number(value.toPrecision(6)));
    if (this.#input.value === text) return;
    this.#input.value = text;
    if (document.activeElement === this.#input) this.#input.select();
  }

  #submit() {
    const value = Number(this.#input.value.trim().replace(",", ".").replace("−", "-") || NaN);
    if (!(Math.abs(value) <= LARGEST)) { // nan fails this too
      setText(this.#problem, this.#word("no_number", { most: figures.count(LARGEST) }));
      this.#input.focus();
      return;
    }
    const { key, index } = this.#place;
    this.#set({ run: this.#run.spec.id, key, index, value });
    this.close();
  }

  #moveTo({ x, y }) {
    const { left, top, width, height } = this.element.offsetParent.getBoundingClientRect();
    const { offsetWidth: ownWidth, offsetHeight: ownHeight } = this.element;
    const below = y - top + 14;
    const fits = below + ownHeight <= height;
    this.element.style.left = `${Math.max(0, Math.min(x - left - ownWidth / 2, width - ownWidth))}px`;
    this.element.style.top = `${fits ? below : Math.max(0, y - top - ownHeight - 14)}px`;
  }
}
