// The computation graph of one example of logistic regression, stepped forward and backward one node at a time.
// The numbers are autograd's; nothing is computed here.

import { h, loadStylesheet, setText, translator } from "./dom.js";

const GRAPH = Symbol.for("toytrain.graph");
const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 124, height: 82 };
const NARROW = 600; // pixels, below which the graph runs from top to bottom

// Centres of the boxes, from left to right and from top to bottom.
const WIDE = {
  size: [850, 330],
  x1: [72, 60], w1: [72, 170], u: [240, 115], b: [240, 235], z: [415, 165], a: [590, 165], y: [590, 275], loss: [775, 205],
};
const TALL = {
  size: [330, 640],
  x1: [85, 55], w1: [245, 55], u: [85, 185], b: [245, 185], z: [165, 315], a: [85, 445], y: [245, 445], loss: [165, 575],
};

const FORMULAS = { u: "x1 × w1", z: "u + b", a: "σ(z)", loss: "BCE(a, y)" };
const EDGES = [["x1", "u"], ["w1", "u"], ["u", "z"], ["b", "z"], ["z", "a"], ["a", "loss"], ["y", "loss"]];
const GIVEN = ["x1", "w1", "b", "y"];
const LEAVES = ["w1", "b"]; // those that require a gradient

// What each press of "next" adds.
const STEPS = [
  { kind: "given" },
  ...["u", "z", "a", "loss"].map((node) => ({ kind: "forward", node })),
  { kind: "start", node: "loss" },
  { kind: "backward", node: "a", after: "loss" },
  { kind: "backward", node: "z", after: "a" },
  { kind: "backward", node: "b", after: "z" },
  { kind: "backward", node: "u", after: "z" },
  { kind: "backward", node: "w1", after: "u" },
];

// Where the reader stands: kept while the page is left and come back to.
let position = 0;

/** Draws component.data.graph into component.parentElement, or brings what is there up to date. */
export async function show({ data, parentElement }) {
  parentElement[GRAPH] ??= new Graph(parentElement);
  await parentElement[GRAPH].draw(data);
  return { unmount() {} }; // the host element takes the graph with it
}

/** A number as the book prints it; far from one, with an exponent. */
function figure(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 5e-5 || size >= 1e5) ? value.toExponential(2) : value.toFixed(4);
}

class Graph {
  #host;
  #data;
  #word;
  #root = h("section", { class: "toytrain-graph" });
  #svg = svg("svg", { role: "img", tabindex: "0" });
  #sentence = h("p", { class: "toytrain-graph-says", "aria-live": "polite" });
  #place = h("span", { class: "toytrain-graph-place" });
  #buttons = {};
  #styled;
  #tall = null;
  #resizes = new ResizeObserver(() => this.#draw());

  constructor(host) {
    this.#host = host;
    this.#styled = loadStylesheet(new URL("graph.css", import.meta.url).href);
    this.#svg.onkeydown = (event) => this.#pressed(event);
    host.append(this.#root);
  }

  async draw(data) {
    const before = this.#data;
    this.#data = data;
    this.#word = translator(data.words);
    await this.#styled;
    if (JSON.stringify(before?.words) !== JSON.stringify(data.words)) this.#build();
    this.#resizes.observe(this.#host);
    this.#draw();
  }

  #build() {
    const button = (name, sign, go) => {
      const made = h("button", { type: "button", class: "toytrain-graph-button", title: this.#word(name),
        "aria-label": this.#word(name) }, sign);
      made.onclick = go;
      this.#buttons[name] = made;
      return made;
    };
    this.#root.replaceChildren(
      h("div", { class: "toytrain-graph-tools" },
        button("first", "|◀", () => this.#go(0)),
        button("back", "◀", () => this.#go(position - 1)),
        button("next", "▶", () => this.#go(position + 1)),
        button("last", "▶|", () => this.#go(STEPS.length - 1)),
        this.#place),
      this.#sentence,
      this.#svg,
      h("p", { class: "toytrain-graph-keys" }, this.#word("keys")),
    );
  }

  #pressed(event) {
    const to = { ArrowRight: position + 1, ArrowDown: position + 1, ArrowLeft: position - 1, ArrowUp: position - 1,
      Home: 0, End: STEPS.length - 1 }[event.key];
    if (to === undefined || !this.#data.graph.values || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#go(to);
  }

  #go(to) {
    position = Math.min(Math.max(to, 0), STEPS.length - 1);
    this.#draw();
  }

  #draw() {
    if (!this.#host.isConnected) return this.#resizes.disconnect();
    if (!this.#data) return;
    if (!this.#data.graph.values) position = 0;
    this.#tall = this.#host.clientWidth < NARROW;
    const said = this.#says();
    setText(this.#sentence, said);
    setText(this.#place, this.#word("position", { number: position + 1, total: STEPS.length }));
    this.#buttons.first.disabled = this.#buttons.back.disabled = position === 0;
    const over = position === STEPS.length - 1 || !this.#data.graph.values;
    this.#buttons.last.disabled = this.#buttons.next.disabled = over;
    this.#root.dataset.position = position;
    this.#picture(said);
  }

  #says() {
    const { values, gradients, derivatives } = this.#data.graph;
    const { kind, node, after } = STEPS[position];
    if (!values) return this.#word("nothing");
    if (kind === "given") return this.#word("given");
    if (kind === "start") return this.#word("says_start");
    if (kind === "forward") {
      const shown = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, figure(value)]));
      return this.#word(`says_${node}`, shown);
    }
    const said = this.#word("says_grad", { node, after, factor: figure(derivatives[`${after} ${node}`]),
      before: figure(gradients[after]), grad: figure(gradients[node]) });
    return LEAVES.includes(node) ? `${said}. ${this.#word("says_leaf", { node })}` : said;
  }

  /** Which nodes show their value, and which their gradient, by now. */
  #revealed() {
    const values = new Set(this.#data.graph.values ? GIVEN : []);
    const gradients = new Set();
    for (const { kind, node } of STEPS.slice(0, position + 1)) {
      if (kind === "forward") values.add(node);
      else if (node) gradients.add(node);
    }
    return { values, gradients };
  }

  #picture(said) {
    const layout = this.#tall ? TALL : WIDE;
    const { values, gradients } = this.#data.graph;
    const revealed = this.#revealed();
    const { node: now, kind, after } = STEPS[position];
    this.#svg.setAttribute("viewBox", `0 0 ${layout.size.join(" ")}`);
    this.#svg.setAttribute("class", this.#tall ? "toytrain-graph-tall" : "toytrain-graph-wide");
    const numbers = [...revealed.values].map((name) => `${name} = ${figure(values[name])}`)
      .concat([...revealed.gradients].map((name) => `${name}.grad = ${figure(gradients[name])}`));
    this.#svg.setAttribute("aria-label", `${this.#word("picture")} ${said} ${numbers.join(", ")}`);
    this.#svg.replaceChildren(arrowHead(),
      ...EDGES.map(([from, to]) => edge(layout[from], layout[to], this.#tall, {
        back: kind === "backward" && from === now && to === after,
        on: kind === "forward" && to === now,
      })),
      ...[...GIVEN, ...Object.keys(FORMULAS)].map((name) => this.#box(name, layout[name], {
        now: name === now,
        value: revealed.values.has(name) ? figure(values[name]) : "",
        gradient: revealed.gradients.has(name) ? figure(gradients[name]) : "",
      })));
  }

  #box(name, [x, y], { now, value, gradient }) {
    const { width, height } = BOX;
    const kind = FORMULAS[name] ? "operation" : "leaf";
    const classes = `toytrain-node toytrain-node-${kind}${now ? " toytrain-node-now" : ""}${value ? "" : " toytrain-node-open"}`;
    const line = (dy, kind, text) => svg("text", { x: 0, y: dy, class: `toytrain-node-${kind}` }, text);
    return svg("g", { class: classes, transform: `translate(${x} ${y})`, "data-node": name },
      svg("rect", { x: -width / 2, y: -height / 2, width, height, rx: 8 }),
      line(-21, "name", FORMULAS[name] ? `${name} = ${FORMULAS[name]}` : name),
      line(4, "value", value || "·"),
      ...(gradient ? [line(28, "gradient", `${this.#word("grad")} ${gradient}`)] : []));
  }
}

/** An arrow from box to box; `back` turns it round, for the gradient that flows there. */
function edge([x1, y1], [x2, y2], tall, { back, on }) {
  const { width, height } = BOX;
  const start = tall ? [x1, y1 + height / 2] : [x1 + width / 2, y1];
  const end = tall ? [x2, y2 - height / 2] : [x2 - width / 2, y2];
  // Two arrows into one box end a little apart.
  const apart = tall ? Math.sign(x1 - x2) * 18 : Math.sign(y1 - y2) * 12;
  end[tall ? 0 : 1] += apart;
  const points = back ? [end, start] : [start, end];
  const classes = `toytrain-edge${back ? " toytrain-edge-back" : ""}${on ? " toytrain-edge-on" : ""}`;
  return svg("path", { class: classes, d: `M${points[0]}L${points[1]}`, "marker-end": "url(#toytrain-arrow)" });
}

function arrowHead() {
  return svg("defs", {}, svg("marker", { id: "toytrain-arrow", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7,
    markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0L10 5L0 10z", fill: "context-stroke" })));
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
