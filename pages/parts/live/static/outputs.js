// From the logits to the loss: a row per class, its formulas with the numbers in them, and the what-if: sliders that
// move a logit and let softmax, argmax and loss follow at once. A regression has one output and a target.

import { h, setText } from "./dom.js";
import * as figures from "./figures.js";
import { classColour, css } from "./palette.js";
import { argmax, crossEntropies, softmax, squaredError } from "./softmax.js";

const LEAST_REACH = 10; // of a slider, to either side of 0
const FINE_REACH = 1000; // up to which an arrow key moves it by 0.1
const TERMS = 3; // of the sum in softmax that are written out

export class OutputsView {
  #word;
  #label; // hears which class is the label (null: none)
  #trace = null;
  #target = null; // the label, or a regression's target; null: none
  #mine = null; // the dragged logits, or null
  #rows = [];
  #none = null; // the radio button for no label
  #shape = "";
  #title = h("h2", { class: "toytrain-title" });
  #table = h("table", { class: "toytrain-outputs" });
  #lines = h("dl", { class: "toytrain-lines-by-hand" });
  #says = h("p", { class: "toytrain-what-if" });
  #back = h("button", { type: "button", class: "toytrain-toggle" });

  constructor({ word, label }) {
    this.#word = word;
    this.#label = label;
    setText(this.#back, word("undrag"));
    this.#back.onclick = () => this.forget();
    this.element = h("section", { class: "toytrain-block toytrain-results" },
      h("header", { class: "toytrain-header" }, this.#title),
      this.#table,
      h("div", { class: "toytrain-what-if-row" }, this.#says, this.#back),
      this.#lines);
  }

  draw(trace, target) {
    this.#trace = trace;
    this.#target = target;
    const shape = `${trace.task} ${this.#logits.length}`;
    if (shape !== this.#shape) this.#build(shape);
    this.#redraw();
  }

  /** The network's own logits again. */
  forget() {
    this.#mine = null;
    if (this.#trace) this.#redraw();
  }

  get #logits() {
    return [...this.#trace.stages.at(-1).values];
  }

  get #isRegression() {
    return this.#trace.task === "regression";
  }

  #build(shape) {
    this.#shape = shape;
    this.#mine = null;
    const regression = this.#isRegression;
    setText(this.#title, this.#word(regression ? "outputs_regression" : "outputs"));
    const word = this.#word;
    const heads = regression ? ["", word("output"), ""]
      : [word("label"), word("logit"), "", word("softmax"), word("loss_if")];
    const group = `toytrain-label-${Math.random()}`;
    this.#rows = this.#logits.map((_, label) => new Row({
      word: this.#word, label, group, regression,
      drag: (logit) => this.#drag(label, logit),
      choose: () => this.#label(label),
    }));
    const none = h("input", { type: "radio", name: group });
    none.onchange = () => this.#label(null);
    const foot = h("tr", { class: "toytrain-no-label" },
      h("td", { colspan: "5" }, h("label", {}, none, this.#word("no_label"))));
    this.#table.replaceChildren(
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...this.#rows.map(({ element }) => element), ...(regression ? [] : [foot])),
    );
    this.#none = none;
  }

  #drag(label, logit) {
    this.#mine ??= this.#logits;
    this.#mine[label] = logit;
    this.#redraw();
  }

  #redraw() {
    const logits = this.#mine ?? this.#logits;
    const isMine = this.#mine !== null;
    const regression = this.#isRegression;
    const probabilities = isMine ? softmax(logits) : this.#trace.probabilities;
    const target = this.#target;
    const losses = regression
      ? [target === null ? undefined : isMine ? squaredError(logits[0], target) : this.#trace.losses[0]]
      : isMine ? crossEntropies(logits) : this.#trace.losses;
    const predicted = regression ? null : argmax(probabilities);
    const sizes = this.#logits.filter(Number.isFinite).map((logit) => Math.ceil(1.5 * Math.abs(logit)));
    const reach = Math.max(LEAST_REACH, ...sizes);
    this.#rows.forEach((row, label) => row.draw({
      logit: logits[label], reach: isMine ? null : reach, probability: probabilities[label],
      loss: losses[label], isPredicted: label === predicted, isLabel: !regression && label === target,
    }));
    if (this.#none) this.#none.checked = !regression && target === null;
    setText(this.#says, regression ? this.#word(isMine ? "dragged_output" : "drag_output")
      : this.#word(isMine ? "dragged" : "drag"));
    this.#says.dataset.mine = String(isMine);
    this.#back.style.visibility = isMine ? "visible" : "hidden";
    this.element.dataset.mine = String(isMine);
    this.#write(regression ? this.#errorLines(logits[0], losses[0])
      : this.#lossLines(logits, probabilities, losses, predicted));
  }

  #lossLines(logits, probabilities, losses, predicted) {
    const at = this.#target ?? predicted;
    const power = (logit) => `e^${figures.value(logit)}`;
    const all = logits.length <= TERMS ? logits.map(power).join(" + ")
      : `${logits.slice(0, TERMS - 1).map(power).join(" + ")} + … + ${power(logits.at(-1))}`;
    const chosen = figures.value(probabilities[at]);
    const finite = probabilities.every((value) => !Number.isNaN(value));
    const loss = this.#target === null ? this.#word("choose_label")
      : `−ln ${chosen} = ${figures.value(losses[at])}`;
    return [
      [this.#word("softmax"), `p${subscript(at)} = ${power(logits[at])} / (${all}) = ${chosen}`],
      [this.#word("argmax"), finite ? this.#word("class", { label: predicted }) : this.#word("no_class")],
      [this.#word("loss_by_hand"), loss],
    ];
  }

  #errorLines(output, loss) {
    const target = this.#target;
    const text = target === null ? this.#word("choose_target")
      : `(${figures.value(output)} − ${figures.value(target)})² = ${figures.value(loss)}`;
    return [[this.#word("loss_by_hand"), text]];
  }

  #write(lines) {
    while (this.#lines.children.length > 2 * lines.length) this.#lines.lastChild.remove();
    while (this.#lines.children.length < 2 * lines.length) this.#lines.append(h("dt", {}), h("dd", {}));
    lines.flat().forEach((text, i) => setText(this.#lines.children[i], text));
  }
}

const subscript = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

/** One class: is it the label, its logit as a slider and a number, its probability as a bar, its loss. */
class Row {
  #regression;
  #radio;
  #slider;
  #logit = h("td", { class: "toytrain-figure" });
  #probability = h("td", { class: "toytrain-figure toytrain-bar" });
  #loss = h("td", { class: "toytrain-figure" });

  constructor({ word, label, group, regression, drag, choose }) {
    this.#regression = regression;
    const name = regression ? word("output") : word("class", { label });
    this.#radio = h("input", { type: "radio", name: group, title: word("label_help") });
    this.#radio.onchange = choose;
    this.#slider = h("input", { type: "range", step: "0.1", min: -LEAST_REACH, max: LEAST_REACH,
      "aria-label": regression ? name : word("logit_of", { label }) });
    this.#slider.oninput = () => drag(Number(this.#slider.value));
    const swatch = h("span", { class: "toytrain-swatch", style: `background: ${css(classColour(label))}` });
    const head = regression ? h("th", { scope: "row" })
      : h("th", { scope: "row" }, h("label", { class: "toytrain-key" }, this.#radio, swatch, name));
    const slide = h("td", { class: "toytrain-slide" }, this.#slider);
    this.element = h("tr", { "data-class": label },
      ...(regression ? [head, this.#logit, slide] : [head, this.#logit, slide, this.#probability, this.#loss]));
    this.#probability.style.setProperty("--class", css(classColour(label)));
  }

  draw({ logit, reach, probability, loss, isPredicted, isLabel }) {
    if (reach !== null && Number(this.#slider.max) !== reach) {
      this.#slider.min = -reach;
      this.#slider.max = reach;
      this.#slider.step = reach > FINE_REACH ? "any" : "0.1";
    }
    if (Number.isFinite(logit) && Math.abs(Number(this.#slider.value) - logit) > 0.051) this.#slider.value = logit;
    setFigure(this.#logit, logit);
    if (this.#regression) return;
    this.#radio.checked = isLabel;
    setFigure(this.#probability, probability);
    this.#probability.style.setProperty("--share", `${100 * (probability || 0)}%`);
    setFigure(this.#loss, loss);
    this.element.classList.toggle("toytrain-predicted", isPredicted);
    this.element.classList.toggle("toytrain-is-label", isLabel);
  }
}

function setFigure(element, number) {
  setText(element, figures.value(number));
  element.title = number === undefined ? "" : figures.exact(number);
}
