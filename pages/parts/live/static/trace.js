// One point's way through the network: every layer's values as numbers on a heat strip, and how the chosen one of them
// is computed from those before it.

import { h, setText } from "./dom.js";
import * as figures from "./figures.js";
import { signColours } from "./palette.js";

const STRONGEST = 0.55; // of a value's colour behind its number
const TERMS = 6; // written out of a long sum: the largest
const ACTIVATIONS = ["ReLU", "LeakyReLU", "Tanh", "Sigmoid", "GELU", "Identity"];
const WITHOUT_VALUES = ["Dropout"]; // in eval mode they only hand on what they get

/** An answer of the server (see toytrain.engine.predictions.trace) as one object, its arrays cut into stages. */
export function readTrace({ header, arrays: { values, probabilities, losses, parameters } }) {
  const cut = (array, lengths) => {
    let end = 0;
    return lengths.map((length) => array.subarray(end, (end += length)));
  };
  const stages = cut(values, header.stages.map(([, , width]) => width));
  const named = cut(parameters, header.parameters.map(([, length]) => length));
  return {
    ...header,
    stages: header.stages.map(([kind, key], at) => ({ kind, key, values: stages[at] })),
    probabilities: [...probabilities],
    losses: [...losses],
    parameters: Object.fromEntries(header.parameters.map(([name], at) => [name, named[at]])),
  };
}

export class TraceView {
  #word;
  #choose;
  #strips = [];
  #shape = "";
  #trace = null;
  #byHand = h("p", { class: "toytrain-by-hand" });
  #stages = h("div", { class: "toytrain-stages" });

  /** @param {(neuron: [number, number]) => void} choose hears which number's computation is asked for */
  constructor({ word, choose }) {
    this.#word = word;
    this.#choose = choose;
    this.element = h("section", { class: "toytrain-block toytrain-trace" },
      h("header", { class: "toytrain-header" }, h("h2", { class: "toytrain-title" }, word("trace")),
        h("p", { class: "toytrain-legend" }, word("trace_help"))),
      this.#stages);
  }

  /** @param trace of readTrace; @param {[number, number]} neuron the chosen stage and index */
  draw(trace, neuron, theme) {
    this.#trace = trace;
    const shape = trace.stages.map(({ kind, values }) => `${kind} ${values.length}`).join();
    if (shape !== this.#shape) this.#build(shape);
    trace.stages.forEach((stage, at) => this.#strips[at].draw(stage, at === neuron[0] ? neuron[1] : null, theme));
    this.#explain(neuron);
  }

  #build(shape) {
    this.#shape = shape;
    const { stages } = this.#trace;
    let layer = 0;
    const last = stages.length - 1;
    this.#strips = stages.map(({ kind, values }, at) => {
      layer += kind === "Linear";
      const name = at === 0 ? this.#word("stage_features")
        : at === last ? this.#word(this.#trace.task === "regression" ? "stage_output" : "stage_logits")
          : this.#word("stage_hidden", { number: layer });
      const before = stages[at - 1]?.values.length;
      return new Strip({
        word: this.#word,
        name,
        kind,
        names: at === 0 ? this.#trace.features : null,
        call: kind === "Linear" ? `Linear(${before}, ${values.length})` : kind === "features" ? "" : kind,
        width: values.length,
        choose: (neuron) => this.#choose([at, neuron]),
      });
    });
    this.#stages.replaceChildren(...this.#strips.map(({ element }) => element));
  }

  #explain([at, neuron]) {
    const strip = this.#strips[at];
    const text = strip && at > 0 ? this.#computation(at, neuron) : "";
    this.#byHand.hidden = !text;
    if (!text) return;
    setText(this.#byHand, `${this.#word("by_hand")}: ${text}`);
    if (this.#byHand.previousSibling !== strip.element) strip.element.after(this.#byHand);
  }

  #computation(at, neuron) {
    const { stages, parameters, neuron: asked } = this.#trace;
    const { kind, values } = stages[at];
    const before = stages[at - 1].values;
    const result = figures.value(values[neuron]);
    if (ACTIVATIONS.includes(kind)) {
      const z = figures.value(before[neuron]);
      const shown = { ReLU: `max(0, ${z})`, Tanh: `tanh(${z})`, Sigmoid: `1 / (1 + exp(−(${z})))`,
        GELU: `${z} · Φ(${z})`, LeakyReLU: before[neuron] < 0 ? `0.01 · ${z}` : z, Identity: z }[kind];
      return `${shown} = ${result}`;
    }
    if (asked?.[0] !== at || asked[1] !== neuron) return ""; // its parameters are on their way
    const { weight, bias } = parameters;
    if (kind === "Linear") return `${sum(weight, before, bias[0])} = ${result}`;
    const { running_mean: [mean], running_var: [variance], eps: [eps] } = parameters;
    const [z, m, v, e, gamma, beta] = [before[neuron], mean, variance, eps, weight[0], bias[0]].map(signed);
    return `(${z} − ${m}) / √(${v} + ${e}) · ${gamma} + ${beta} = ${result}`;
  }
}

/** Negative numbers in brackets, as one writes them within a sum. */
function signed(number) {
  const text = figures.value(number);
  return number < 0 ? `(${text})` : text;
}

/** "0.1234·(−1.2) + … + b 0.05": the terms of a sum in their order; of a long one the largest, and the rest. */
function sum(weights, inputs, bias) {
  const terms = [...weights].map((weight, i) => ({ i, weight, value: weight * inputs[i] }));
  const size = ({ value }) => (Number.isNaN(value) ? Infinity : Math.abs(value));
  const shown = new Set([...terms].sort((one, other) => size(other) - size(one)).slice(0, TERMS).map(({ i }) => i));
  const rest = terms.filter(({ i }) => !shown.has(i));
  const parts = terms.filter(({ i }) => shown.has(i))
    .map(({ i, weight }) => `${signed(weight)}·${signed(inputs[i])}`);
  const others = rest.reduce((all, { value }) => all + value, 0);
  if (rest.length) parts.push(`[${rest.length} × … = ${figures.value(others)}]`);
  return `${parts.join(" + ")} + b ${signed(bias)}`;
}

/** The values of one stage: a number per neuron, coloured by sign and size. One tab stop; arrow keys choose. */
class Strip {
  #word;
  #kind;
  #cells = [];
  #zeros = h("span", { class: "toytrain-zeros" });

  constructor({ word, name, kind, names, call, width, choose }) {
    this.#word = word;
    this.#kind = kind;
    const head = h("p", { class: "toytrain-stage-head" },
      h("b", {}, name), call ? h("code", {}, call) : "", h("span", {}, word(`formula_${kind}`)),
      this.#zeros, h("span", { class: "toytrain-shape" }, `(1, ${width})`));
    this.element = h("div", { class: "toytrain-stage" }, head);
    if (WITHOUT_VALUES.includes(kind)) return;
    const grid = h("div", { class: "toytrain-strip", role: "listbox", tabindex: "0", "aria-orientation": "horizontal",
      "aria-label": word("values_of", { stage: name, kind }) });
    for (let neuron = 0; neuron < width; neuron++) {
      const number = h("span", {});
      const cell = h("span", { class: "toytrain-value", role: "option", "aria-selected": "false" },
        names ? h("span", { class: "toytrain-value-name" }, names[neuron]) : "", number);
      cell.onclick = () => choose(neuron);
      this.#cells.push({ cell, number });
      grid.append(cell);
    }
    grid.onkeydown = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const now = this.#cells.findIndex(({ cell }) => cell.getAttribute("aria-selected") === "true");
      choose(now < 0 ? 0 : Math.min(width - 1, Math.max(0, now + by)));
    };
    this.element.append(grid);
  }

  draw({ values }, chosen, theme) {
    if (this.#kind === "ReLU") {
      const zeros = values.reduce((count, value) => count + (value === 0), 0);
      setText(this.#zeros, this.#word("zeros", { zeros, width: values.length }));
    }
    const greatest = values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
    const { negative, positive } = signColours(theme);
    this.#cells.forEach(({ cell, number }, neuron) => {
      const value = values[neuron];
      setText(number, figures.value(value));
      cell.title = figures.exact(value);
      const share = greatest > 0 && Number.isFinite(greatest) ? Math.abs(value) / greatest : 0;
      const colour = value < 0 ? negative : positive;
      cell.style.background = share ? `rgb(${colour.join(" ")} / ${(STRONGEST * share).toFixed(3)})` : "";
      cell.classList.toggle("toytrain-value-zero", value === 0);
      cell.setAttribute("aria-selected", String(neuron === chosen));
    });
  }
}
