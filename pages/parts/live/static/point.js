// Which point is traced: its coordinates as fields, what it is, and a regression's target.

import { h, setText } from "./dom.js";

const FARTHEST = 1e6; // as the server has it (toytrain/engine/predictions.py)

export class PointFields {
  #word;
  #change;
  #fields = {};
  #what = h("span", { class: "toytrain-legend" });
  #problem = h("p", { class: "toytrain-problem", role: "alert" });
  #csv;
  #target;

  /** @param {(changed: {x1?: number, x2?: number, target?: number?}) => void} change hears what somebody has typed */
  constructor({ word, change }) {
    this.#word = word;
    this.#change = change;
    this.#csv = h("a", { class: "toytrain-toggle", download: "trace.csv", title: word("trace_csv_help") },
      word("trace_csv"));
    this.#target = this.#field("target", word("target"), { title: word("target_help") });
    this.element = h("div", { class: "toytrain-point" },
      h("div", { class: "toytrain-fields" }, this.#field("x1", word("x1")), this.#field("x2", word("x2")), this.#target, this.#csv),
      h("p", { class: "toytrain-legend" }, this.#what),
      this.#problem);
  }

  /** @param {string} csv where the trace can be fetched as a table */
  draw({ x1, x2, target, point }, { task, train_points: train }, csv) {
    this.#show("x1", x1);
    this.#show("x2", x2);
    this.#show("target", target);
    this.#target.hidden = task !== "regression";
    const what = point === null ? "free" : point < train ? "train" : "test";
    setText(this.#what, this.#sentence(what, point < train ? point : point - train));
    this.#csv.href = csv;
  }

  /** What is wrong with the point, or nothing. */
  complain(text) {
    setText(this.#problem, text);
  }

  #sentence(what, row) {
    return `${this.#word(`${what}_point`, { row })} · ${this.#word("point_help")}`;
  }

  #field(name, label, attributes = {}) {
    const input = h("input", { type: "number", step: "0.05", inputmode: "decimal", "data-coordinate": name });
    input.oninput = () => this.#take(name, input);
    input.onblur = () => input.value === "" && name !== "target" && this.#show(name, this.#fields[name].shown, true);
    this.#fields[name] = { input, label, shown: null };
    return h("label", attributes, h("span", {}, label), input);
  }

  #take(name, input) {
    const empty = input.value.trim() === "" && !input.validity.badInput;
    if (empty && name === "target") return this.#taken(name, null);
    const number = Math.fround(input.valueAsNumber); // what the network gets is float32
    if (!(Math.abs(number) <= FARTHEST)) {
      if (!empty) this.complain(this.#word("no_number", { name: this.#fields[name].label }));
      return;
    }
    this.#taken(name, number);
  }

  #taken(name, number) {
    this.complain("");
    this.#fields[name].shown = number;
    this.#change({ [name]: number });
  }

  /** Shows a value, unless it is the one that somebody is typing. */
  #show(name, value, force = false) {
    const field = this.#fields[name];
    if (!force && Object.is(field.shown, value)) return;
    field.shown = value;
    field.input.value = value === null || value === undefined ? "" : String(Number(value.toPrecision(6)));
  }
}
