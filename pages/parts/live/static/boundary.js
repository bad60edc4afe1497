// What the model says everywhere, with the data over it: one square canvas. In its place, enlarged, stands the map of
// a neuron that was chosen in the network, and below it the weights that lead to that neuron.
//
// A frame must be cheap, so only the picture is painted each time: 100 x 100 palette look-ups, scaled up by the canvas.
// The points (with the axes) and the marks of wrong points lie on canvases of their own, painted when they change.

import { FONT_SIZE, paintAxes, plotOf } from "./axes.js";
import { atMostEvery, choiceButtons, h, setText, toggleButton } from "./dom.js";
import * as figures from "./figures.js";
import { Layer, crossedRing, outline, pointRadius, sign } from "./marks.js";
import {
  classColour, classPalette, continuousColour, css, decodeClass, regressionPalette, signColours, signPalette,
} from "./palette.js";
import { shapeOf } from "./shape.js";
import { HIDDEN, PLANE, Stage } from "./stage.js";

const SPOKEN_EVERY_MS = 2000;

const FEW_CLASSES = 3; // of more the legend names only the first, and numbers the others

const NEAR = 8; // CSS pixels: who clicks so near to a point means it

export class Boundary {
  #word;
  #preferences;
  #theme;
  #stage;
  #editor;
  #run;

  #canvas = h("canvas", { class: "toytrain-canvas", role: "img" });
  #context = this.#canvas.getContext("2d");
  #placeholder = h("p", { class: "toytrain-placeholder" });
  #readout = h("p", { class: "toytrain-readout", hidden: "" });
  #title = h("h2", { class: "toytrain-title" });
  #legend = h("p", { class: "toytrain-legend" });
  #shading;
  #shownPoints;
  #tabs;
  #back = h("button", { type: "button", class: "toytrain-toggle" });
  #weights = h("div", { class: "toytrain-weights", role: "group", hidden: "" });
  #size = 0; // of the canvas, in CSS pixels
  #pointer = null; // {x, y} in CSS pixels while something points at the canvas

  #palette;
  #picture = null; // canvas, image, pixels: one pixel per place where the model was asked
  #points = new Layer();
  #marks = new Layer();
  #painted = {}; // the arrays that the layers show now
  #chosen = null; // {x1, x2}: a place with a mark on it
  #dragged = false; // the pointer has moved since it was pressed

  #describe = atMostEvery(SPOKEN_EVERY_MS, () => this.#canvas.setAttribute("aria-label", this.#description()));
  #resizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width));

  /**
   * @param {(place: {x1: number, x2: number, point: number?}) => void} [pick] hears where somebody clicks or drags;
   *   `point` is the index of the data point there
   * @param stage where more than the boundary can stand in this place; @param editor of the weights of a neuron there
   */
  constructor({ word, preferences, theme, pick, stage, editor, settings }) {
    this.#word = word;
    this.#preferences = preferences;
    this.#theme = theme;
    this.#stage = stage ?? new Stage(() => {});
    this.#editor = settings && editor; // who only watches edits nothing
    this.#shading = choiceButtons(word("shading"), [
      [false, word("soft"), word("soft_help")],
      [true, word("hard"), word("hard_help")],
    ], { chosen: preferences.hard, choose: (hard) => this.#choose("hard", hard) });
    this.#shownPoints = h("div", { class: "toytrain-choice", role: "group", "aria-label": word("shown_points") },
      this.#pointsButton("train"), this.#pointsButton("test"));
    this.#tabs = stage ? stageTabs(word, stage) : h("h2", { class: "toytrain-title" });
    this.#back.textContent = word("back");
    this.#back.title = word("back_help");
    this.#back.onclick = () => this.#stage.back();
    setText(this.#placeholder, word("warming"));
    this.#canvas.setAttribute("aria-label", word("warming"));
    this.#canvas.onpointermove = this.#canvas.onpointerdown = ({ offsetX: x, offsetY: y }) => this.#point({ x, y });
    this.#canvas.onpointerleave = () => this.#point(null);
    if (pick) this.#listenForPicks(pick);
    this.element = h("section", { class: "toytrain-block toytrain-boundary" },
      h("header", { class: "toytrain-header" }, this.#title, this.#tabs,
        h("div", { class: "toytrain-tools" }, this.#shading, this.#back)),
      h("div", { class: "toytrain-square" }, this.#canvas, this.#placeholder, this.#readout),
      h("div", { class: "toytrain-footer" }, this.#legend, this.#shownPoints), this.#weights);
    this.restage();
    this.#resizes.observe(this.#canvas);
    // A canvas does not repaint itself when its web font arrives.
    document.fonts.load(`${FONT_SIZE}px ${theme.font}`).then(() => this.#recolour());
  }

  get views() {
    if (this.#stage.kind !== PLANE) return [];
    return [this.#stage.neuron ? this.#neuronView : "boundary"];
  }

  draw(run) {
    const isNew = run !== this.#run;
    this.#run = run;
    if (isNew) this.#begin();
    if (this.#bytes !== this.#painted.picture) this.#paintPicture();
    if (isNew || run.arrays.points !== this.#painted.points) this.#paintPoints();
    if (isNew || !sameBytes(run.arrays.wrong, this.#painted.wrong)) this.#paintMarks();
    this.#compose();
    this.#showReadout();
    this.#showWeights();
    this.#describe();
  }

  /** Something else has been chosen for this place: the plane, a neuron of it, or another view. */
  restage() {
    const { kind, neuron } = this.#stage;
    this.element.hidden = kind !== PLANE;
    this.#tabs.mark?.(kind);
    this.#tabs.hidden = Boolean(neuron);
    this.#title.hidden = !neuron;
    this.#back.hidden = !neuron;
    this.#weights.hidden = !neuron;
    this.#shownPoints.hidden = Boolean(neuron);
    this.#shading.hidden = Boolean(neuron) || this.#run?.isClassification === false;
    if (!this.#run) return;
    this.#nameNeuron();
    this.#fillWeights();
    this.#recolour();
    this.#canvas.setAttribute("aria-label", this.#description());
  }

  restyle(theme) {
    this.#theme = theme;
    this.#recolour();
  }

  /** Puts a mark on a place of the plane, {x1, x2}, in place of the one before. */
  choose(place) {
    this.#chosen = place;
    this.#compose();
  }

  unmount() {
    this.#resizes.disconnect();
    this.#describe.cancel();
  }

  #begin() {
    const { resolution } = this.#run.spec;
    const canvas = new OffscreenCanvas(resolution, resolution);
    const context = canvas.getContext("2d");
    const image = context.createImageData(resolution, resolution);
    this.#picture = { canvas, context, image, pixels: new Uint32Array(image.data.buffer) };
    this.#painted = {};
    this.#placeholder.hidden = true;
    namePlane(this.#tabs, this.#run, this.#word);
    this.restage();
  }

  #choose(name, value) {
    this.#preferences[name] = value;
    this.#recolour();
  }

  #recolour() {
    if (!this.#run) return;
    this.#choosePalette();
    this.#fillLegend();
    this.#paintPicture();
    this.#paintOver();
  }

  #resize(size) {
    if (size === 0) return; // hidden
    this.#size = size;
    const pixels = Math.round(size * devicePixelRatio);
    for (const canvas of [this.#canvas, this.#points.canvas, this.#marks.canvas]) canvas.width = canvas.height = pixels;
    if (this.#run) this.#paintOver();
  }

  #paintOver() {
    this.#paintPoints();
    this.#paintMarks();
    this.#compose();
  }

  get #neuronView() {
    const { layer, index } = this.#stage.neuron;
    return `neuron:${layer}:${index}`;
  }

  /** What is painted: the boundary's picture or a neuron's map, both of one resolution. */
  get #bytes() {
    return this.#run.arrays[this.#stage.neuron ? this.#neuronView : "picture"];
  }

  get #neuronScale() {
    return this.#run.arrays[`${this.#neuronView}:scale`]?.[0];
  }

  #isOutput({ layer }) {
    return layer === this.#run.spec.network.hidden.length;
  }

  #choosePalette() {
    const { neuron } = this.#stage;
    if (neuron) {
      const isOfClass = this.#isOutput(neuron) && this.#run.isClassification;
      this.#palette = signPalette(this.#theme, isOfClass ? classColour(neuron.index) : undefined);
      return;
    }
    this.#palette = this.#run.isClassification
      ? classPalette(this.#run.spec.classes, this.#theme, { hard: this.#preferences.hard })
      : regressionPalette(this.#theme);
  }

  #paintPicture() {
    const picture = this.#bytes;
    this.#painted.picture = picture;
    if (!picture) return;
    const { resolution } = this.#run.spec;
    const { context, image, pixels } = this.#picture;
    // Row 0 is the smallest x2, which belongs at the bottom.
    for (let row = 0; row < resolution; row++) {
      const target = (resolution - 1 - row) * resolution;
      for (let column = 0; column < resolution; column++) {
        pixels[target + column] = this.#palette[picture[row * resolution + column]];
      }
    }
    context.putImageData(image, 0, 0);
  }

  #paintPoints() {
    if (this.#size === 0) return; // hidden as yet: #resize paints
    const context = this.#points.begin(this.#size);
    paintAxes(context, this.#run.spec.extent, this.#size, this.#theme);
    const { arrays: { points, labels }, spec } = this.#run;
    this.#painted.points = points;
    if (!points) return;
    const { background, text } = this.#theme;
    const [low, high] = spec.label_range ?? [0, 1];
    context.strokeStyle = `rgba(${text}, 0.8)`;
    context.lineWidth = 0.75;
    this.#eachShownPoint((point, x, y, radius) => {
      const colour = this.#run.isClassification
        ? classColour(labels[point])
        : continuousColour((labels[point] - low) / (high - low), background);
      context.fillStyle = css(colour);
      context.beginPath();
      outline(context, point < spec.train_points, x, y, radius);
      context.fill();
      context.stroke();
    });
  }

  // One path for all marks: hundreds of points may be wrong at first, and they change with nearly every frame.
  #paintMarks() {
    if (this.#size === 0) return;
    const context = this.#marks.begin(this.#size);
    const { wrong, points } = this.#run.arrays;
    this.#painted.wrong = wrong;
    if (!wrong || !points || this.#stage.neuron) return;
    context.beginPath();
    this.#eachShownPoint((point, x, y, radius) => {
      if (this.#run.isWrong(point)) crossedRing(context, x, y, radius);
    });
    context.strokeStyle = css(this.#theme.text);
    context.lineWidth = 1.1;
    context.stroke();
  }

  #eachShownPoint(visit) {
    const { arrays: { points }, spec } = this.#run;
    const [x1Min, x1Max, x2Min, x2Max] = spec.extent;
    const { left, top, side } = this.#plot();
    const { train_points: train, test_points: test } = spec;
    const radius = pointRadius(train + test);
    const from = this.#preferences.train ? 0 : train;
    const to = this.#preferences.test ? train + test : train;
    for (let point = from; point < to; point++) {
      const x = left + ((points[2 * point] - x1Min) / (x1Max - x1Min)) * side;
      const y = top + ((x2Max - points[2 * point + 1]) / (x2Max - x2Min)) * side;
      visit(point, x, y, radius);
    }
  }

  #compose() {
    if (!this.#run || this.#size === 0) return;
    const context = this.#context;
    const { left, top, side } = this.#plot();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (this.#painted.picture) {
      // The outermost places lie on the edge of the extent, so the plot's edge is the middle of their pixels.
      const span = this.#run.spec.resolution - 1;
      const scale = devicePixelRatio;
      const target = [left, top, side, side].map((length) => length * scale);
      context.drawImage(this.#picture.canvas, 0.5, 0.5, span, span, ...target);
    }
    context.drawImage(this.#points.canvas, 0, 0);
    context.drawImage(this.#marks.canvas, 0, 0);
    if (this.#chosen) this.#paintChosen(context);
  }

  /** A ring with four hairlines, dark on light and light on dark. */
  #paintChosen(context) {
    const { text, background } = this.#theme;
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const { left, top, side } = this.#plot();
    const { x1, x2 } = this.#chosen;
    if (x1 < x1Min || x1 > x1Max || x2 < x2Min || x2 > x2Max) return;
    const x = left + ((x1 - x1Min) / (x1Max - x1Min)) * side;
    const y = top + ((x2Max - x2) / (x2Max - x2Min)) * side;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    for (const [colour, width] of [[background, 4], [text, 1.75]]) {
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 8 * dx, y + 8 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.strokeStyle = css(colour);
      context.lineWidth = width;
      context.stroke();
    }
  }

  #plot() {
    return plotOf(this.#size);
  }

  #point(pointer) {
    this.#pointer = pointer;
    this.#showReadout();
  }

  #showReadout() {
    const text = this.#pointer && this.#run ? this.#reading(this.#pointer) : null;
    this.#readout.hidden = !text;
    if (text) setText(this.#readout, text);
  }

  /** Where on the plane a pixel of the canvas is. */
  #placeAt({ x, y }) {
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const { left, top, side } = this.#plot();
    return {
      x1: x1Min + ((x - left) / side) * (x1Max - x1Min),
      x2: x2Max - ((y - top) / side) * (x2Max - x2Min),
    };
  }

  /** The index of the shown data point nearest to a pixel of the canvas, or null where none is near. */
  #pointNear({ x, y }) {
    let nearest = null;
    let least = NEAR;
    this.#eachShownPoint((point, pointX, pointY) => {
      const distance = Math.hypot(pointX - x, pointY - y);
      if (distance < least) [nearest, least] = [point, distance];
    });
    return nearest;
  }

  // A click takes the data point that is near; a drag (not by finger: that scrolls) takes the place itself.
  #listenForPicks(pick) {
    const canvas = this.#canvas;
    const inside = ({ x1, x2 }) => {
      const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
      return x1 >= x1Min && x1 <= x1Max && x2 >= x2Min && x2 <= x2Max;
    };
    const take = ({ offsetX: x, offsetY: y }, snaps) => {
      if (!this.#run?.arrays.points) return;
      const point = snaps ? this.#pointNear({ x, y }) : null;
      const place = this.#placeAt({ x, y });
      if (!inside(place)) return;
      const { points } = this.#run.arrays;
      pick(point === null ? { ...place, point } : { x1: points[2 * point], x2: points[2 * point + 1], point });
    };
    canvas.classList.add("toytrain-pickable");
    canvas.onclick = (event) => take(event, !this.#dragged);
    canvas.onpointerdown = (event) => {
      this.#dragged = false;
      this.#point({ x: event.offsetX, y: event.offsetY });
    };
    canvas.onpointermove = (event) => {
      this.#point({ x: event.offsetX, y: event.offsetY });
      if (event.buttons !== 1 || event.pointerType === "touch") return;
      this.#dragged = true;
      take(event, false);
    };
  }

  #reading({ x, y }) {
    const { spec } = this.#run;
    const { x1, x2 } = this.#placeAt({ x, y });
    const value = this.#run.valueAt(x1, x2, this.#bytes);
    if (value === undefined) return null;
    const place = { x1: figures.coordinate(x1), x2: figures.coordinate(x2) };
    if (this.#stage.neuron) {
      const activation = ((value - 128) / 127) * this.#neuronScale;
      return this.#word("reading_neuron", { ...place, value: figures.coordinate(activation) });
    }
    if (!this.#run.isClassification) {
      const [low, high] = spec.label_range;
      const prediction = low + (value / 255) * (high - low);
      return this.#word("reading_regression", { ...place, value: figures.coordinate(prediction) });
    }
    const { label, probability } = decodeClass(value, spec.classes);
    return this.#word("reading", { ...place, label, probability: figures.coordinate(probability) });
  }

  #description() {
    const { head, spec } = this.#run;
    if (this.#stage.neuron) {
      return this.#word("neuron_says", {
        name: this.#title.textContent, epoch: figures.count(head.epoch), most: figures.weight(this.#neuronScale),
      });
    }
    const values = {
      classes: spec.classes,
      epoch: figures.count(head.epoch),
      train: figures.score(head.train_score),
      test: figures.score(head.test_score),
      points: spec.test_points,
    };
    return this.#run.isClassification
      ? this.#word("boundary_says", { ...values, shape: this.#shape(), wrong: this.#run.countWrongTestPoints() })
      : this.#word("boundary_says_regression", values);
  }

  /** What the picture looks like, in words. */
  #shape() {
    const { spec: { classes } } = this.#run;
    if (!this.#bytes) return this.#word("shape_unknown");
    const { kind, ...values } = shapeOf(Array.from(this.#bytes, (value) => decodeClass(value, classes).label));
    if (kind !== "bends") return this.#word(`shape_${kind}`, values);
    return values.bends < 3 ? this.#word(`shape_bends_${values.bends}`) : this.#word("shape_bends", values);
  }

  #fillLegend() {
    const { spec, isClassification } = this.#run;
    const { neuron } = this.#stage;
    if (neuron) {
      const { negative, positive } = signColours(this.#theme);
      const above = this.#isOutput(neuron) && isClassification ? classColour(neuron.index) : positive;
      const stops = [negative, this.#theme.background, above].map(css);
      const ramp = h("span", { class: "toytrain-ramp", style: `background: linear-gradient(90deg, ${stops})` });
      this.#legend.replaceChildren(this.#word("negative"), ramp, this.#word("positive"));
      return;
    }
    if (!isClassification) {
      const [low, high] = spec.label_range;
      const { background } = this.#theme;
      const stops = [0, 0.5, 1].map((share) => css(continuousColour(share, background)));
      const ramp = h("span", { class: "toytrain-ramp", style: `background: linear-gradient(90deg, ${stops})` });
      this.#legend.replaceChildren(figures.coordinate(low), ramp, figures.coordinate(high));
      return;
    }
    const classes = Array.from({ length: spec.classes }, (_, label) => h("span", { class: "toytrain-key" },
      h("span", { class: "toytrain-swatch", style: `background: ${css(classColour(label))}` }),
      label > 0 && spec.classes > FEW_CLASSES ? String(label) : this.#word("class", { label })));
    const wrong = h("span", { class: "toytrain-key" }, sign("wrong"), this.#word("wrong"));
    this.#legend.replaceChildren(...classes, wrong);
  }

  #nameNeuron() {
    if (!this.#stage.neuron) return;
    const { layer, index } = this.#stage.neuron;
    const name = this.#run.spec.network.layers[layer];
    setText(this.#title, this.#isOutput(this.#stage.neuron) && this.#run.isClassification
      ? this.#word("output_neuron", { layer: name, index, label: index })
      : this.#word("neuron", { layer: name, index }));
  }

  // The weights that lead to the enlarged neuron, its bias and what batch norm makes of it: each a button that opens the
  // editor.
  #fillWeights() {
    const { neuron } = this.#stage;
    if (!neuron) return this.#weights.replaceChildren();
    const { features, hidden, layers } = this.#run.spec.network;
    const name = layers[neuron.layer];
    const sources = neuron.layer === 0 ? features : Array.from({ length: hidden[neuron.layer - 1] }, (_, i) => i);
    this.#weights.setAttribute("aria-label", this.#word("weights_of", { layer: name, index: neuron.index }));
    this.#weights.replaceChildren(
      this.#weightButton(`${name}.bias`, [neuron.index], this.#word("bias")),
      ...sources.map((source, i) => this.#weightButton(`${name}.weight`, [neuron.index, i], String(source))),
      ...this.#normsAfter(name).map((key) => this.#weightButton(key, [neuron.index], key)));
    this.#showWeights();
  }

  /** The parameters of the batch norm that follows a layer. */
  #normsAfter(layer) {
    const { parameters, layers } = this.#run.spec.network;
    const keys = parameters.map(([key]) => key);
    const following = keys.slice(keys.indexOf(`${layer}.bias`) + 1);
    const next = following.findIndex((key) => layers.includes(key.slice(0, key.lastIndexOf("."))));
    return next < 0 ? following : following.slice(0, next);
  }

  #weightButton(key, index, label) {
    const value = h("span", {});
    const name = `${key}[${index.join(", ")}]`;
    const button = h("button", { type: "button", class: "toytrain-toggle", title: name, "data-key": key,
      "data-index": index }, h("span", { class: "toytrain-quiet" }, label), value);
    button.disabled = !this.#editor;
    button.onclick = () => {
      const { left, bottom, width } = button.getBoundingClientRect();
      this.#editor.open(key, index, { x: left + width / 2, y: bottom });
    };
    return button;
  }

  #showWeights() {
    if (!this.#stage.neuron) return;
    const { features, hidden } = this.#run.spec.network;
    const { layer, index } = this.#stage.neuron;
    const sources = layer === 0 ? features.length : hidden[layer - 1];
    [...this.#weights.children].forEach((button, i) => {
      const values = this.#run.parameter(button.dataset.key);
      const isWeight = i > 0 && i <= sources;
      setText(button.lastChild, figures.weight(values?.[isWeight ? index * sources + i - 1 : index]));
    });
  }

  // The button shows the shape of its points, so it is their legend as well.
  #pointsButton(part) {
    return toggleButton([sign(part), this.#word(part)], {
      pressed: this.#preferences[part],
      title: this.#word(`${part}_points_help`),
      press: (shown) => this.#choose(part, shown),
    });
  }
}

/** The two kinds of picture that the place can hold, as the title of the block. */
export function stageTabs(word, stage) {
  const tabs = choiceButtons(word("stage"), [
    [PLANE, word("boundary"), word("boundary_help")],
    [HIDDEN, word("hidden_space"), word("hidden_space_help")],
  ], { chosen: stage.kind, choose: (kind) => stage.show(kind) });
  tabs.classList.add("toytrain-places");
  return tabs;
}

/** Calls the plane what a run makes of it: a regression has no boundary. */
export function namePlane(tabs, { isClassification }, word) {
  setText(tabs.firstElementChild ?? tabs, word(isClassification ? "boundary" : "predictions"));
}

function sameBytes(one, other) {
  if (one === other) return true;
  return one?.length === other?.length && one.every((byte, index) => byte === other[index]);
}
