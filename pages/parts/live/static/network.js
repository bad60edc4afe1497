// The network as the data goes through it: features, hidden layers, outputs, each neuron a small map of its activation
// over the plane, each weight a line. One canvas; over it, for keyboards and screen readers, a button per neuron.
//
// A frame paints all maps into one picture (the atlas) and strokes the lines of a layer in a few bundles of equal width
// and colour: a stroke for each of a thousand weights would take most of the time between two frames.

import { atMostEvery, h, setText, toggleButton } from "./dom.js";
import * as figures from "./figures.js";
import { NetworkHeads } from "./network_heads.js";
import { INPUT_LABEL, arrange, distanceToLine } from "./network_layout.js";
import { classColour, css, signColours, signPalette } from "./palette.js";

const SPOKEN_EVERY_MS = 2000;
const FONT_SIZE = 11;

// Bundles of lines, from the weakest weights of a layer to its strongest.
const WIDTHS = [0.5, 1, 1.75, 2.75, 4];
const STRENGTHS = { few: [0.2, 0.35, 0.55, 0.75, 0.95], many: [0.05, 0.12, 0.28, 0.55, 0.9] };
const MANY = 150; // weights of a layer
const MOST_LINES = 600; // of a layer: of more only the strongest are drawn
const OPAQUE_LINES = 15; // of one kind: more of them are thinner and paler, or they would be one plane
const WEAKEST = 0.02; // of the strongest: less is no line
const ASIDE = 0.2; // how much of the others shows beside one neuron's lines

const NEAR = 6; // pixels between pointer and line
const ATLAS_COLUMNS = 16;

export class Network {
  #word;
  #theme;
  #stage;
  #editor;
  #change;
  #settings; // {hidden, features}: what the page's controls say; null for who only watches
  #run;

  #canvas = h("canvas", { class: "toytrain-canvas", role: "img" });
  #context = this.#canvas.getContext("2d");
  #neurons = h("div", { class: "toytrain-neurons" });
  #readout = h("p", { class: "toytrain-readout", hidden: "" });
  #plane;
  #heads;
  #size = null; // {width, height} in CSS pixels
  #layout = null;
  #lines = []; // per layer of weights: {key, shape, x1, y1, x2, y2 of each line, drawn: indices}
  #atlas = new Atlas();
  #features = new Atlas();
  #pointed = null; // what the pointer is on: see #at
  #focused = null; // {column, index} of the neuron with the keyboard's focus
  #pointer = null;

  #describe = atMostEvery(SPOKEN_EVERY_MS, () => this.#canvas.setAttribute("aria-label", this.#description()));
  #resizes = new ResizeObserver(([{ contentRect: { width, height } }]) => this.#resize({ width, height }));

  constructor({ word, theme, stage, editor, change, settings }) {
    this.#word = word;
    this.#theme = theme;
    this.#stage = stage;
    this.#editor = editor;
    this.#change = change;
    this.#settings = settings;
    this.#heads = new NetworkHeads(word, (hidden) => this.#changeHidden(hidden));
    this.#canvas.setAttribute("aria-label", word("warming"));
    const enlarge = toggleButton(word("larger"), {
      pressed: false,
      title: word("larger_help"),
      press: (larger) => this.element.parentElement.classList.toggle("toytrain-larger", larger),
    });
    enlarge.classList.add("toytrain-enlarge");
    this.#plane = h("div", { class: "toytrain-net-plane" }, this.#canvas, this.#neurons, this.#heads.columns,
      this.#readout);
    this.element = h("section", { class: "toytrain-block toytrain-network" },
      h("header", { class: "toytrain-header" },
        h("h2", { class: "toytrain-title" }, word("network")),
        h("p", { class: "toytrain-legend", title: word("signs_help") },
          "−", h("span", { class: "toytrain-ramp toytrain-signs" }), "+"),
        h("div", { class: "toytrain-tools" }, this.#heads.layers, enlarge)),
      h("div", { class: "toytrain-net" }, this.#plane));
    this.#canvas.onpointermove = ({ offsetX, offsetY }) => this.#point({ x: offsetX, y: offsetY });
    this.#canvas.onpointerleave = () => this.#point(null);
    this.#canvas.onclick = ({ offsetX, offsetY }) => {
      this.#point({ x: offsetX, y: offsetY });
      this.#press(this.#pointed);
    };
    this.#neurons.onkeydown = (event) => this.#steer(event);
    this.#neurons.addEventListener("focusin", ({ target }) => this.#focus(target));
    this.#neurons.addEventListener("focusout", () => this.#focus(null));
    this.#resizes.observe(this.#plane);
    document.fonts.load(`${FONT_SIZE}px ${theme.font}`).then(() => this.#compose());
  }

  get views() {
    return ["network"];
  }

  draw(run) {
    const isNew = run !== this.#run;
    this.#run = run;
    if (isNew) this.#begin();
    if (run.arrays.maps !== this.#atlas.painted) this.#paintMaps();
    this.#compose();
    this.#showReadout();
    this.#describe();
  }

  /** Another choice of features or hidden layers by the page's controls. */
  update({ settings }) {
    this.#settings = settings;
    this.#showSettings();
  }

  restyle(theme) {
    this.#theme = theme;
    if (!this.#run) return;
    this.#place();
    this.#paintFeatures();
    this.#paintMaps();
    this.#compose();
  }

  /** Another neuron stands in the boundary's place. */
  restage() {
    this.#markEnlarged();
    this.#compose();
  }

  unmount() {
    this.#resizes.disconnect();
    this.#describe.cancel();
  }

  // What there is: columns of neurons, counted from the features; column c > 0 is layer c - 1.

  get #net() {
    return this.#run.spec.network;
  }

  get #counts() {
    const { all_features: all, hidden, outputs } = this.#net;
    return [all.length, ...hidden, outputs];
  }

  #begin() {
    const { map_resolution: resolution, all_features: all } = this.#net;
    const neurons = this.#counts.slice(1).reduce((sum, count) => sum + count, 0);
    this.#atlas.begin(neurons, resolution);
    this.#features.begin(all.length, resolution);
    this.#pointed = this.#focused = null;
    this.#paintFeatures();
    this.#fillNeurons();
    this.#place();
    this.#showSettings();
    this.#canvas.setAttribute("aria-label", this.#description());
  }

  #resize(size) {
    if (size.width === 0 || size.height === 0) return; // hidden
    this.#size = size;
    this.#canvas.width = Math.round(size.width * devicePixelRatio);
    this.#canvas.height = Math.round(size.height * devicePixelRatio);
    this.#place();
    this.#compose();
  }

  /** Finds a place for every tile, line and button. */
  #place() {
    if (!this.#run || !this.#size) return;
    const layout = arrange(this.#counts, this.#size.width, this.#size.height, this.#theme.scale);
    this.#layout = layout;
    const { features, all_features: all, layers } = this.#net;
    this.#lines = layers.map((name, layer) => {
      const sources = layer > 0 ? layout.columns[layer].tiles
        : features.map((feature) => layout.columns[0].tiles[all.indexOf(feature)]);
      const targets = layout.columns[layer + 1].tiles;
      const ends = targets.flatMap((target) => sources.map((source) => ({
        x1: source.x + source.size, y1: source.y + source.size / 2, x2: target.x, y2: target.y + target.size / 2,
      })));
      return { key: `${name}.weight`, sources: sources.length, ends, drawn: [] };
    });
    [...this.#neurons.children].forEach((button) => {
      const { x, y, size } = layout.columns[button.dataset.column].tiles[button.dataset.index];
      button.style.cssText = `left: ${x}px; top: ${y}px; width: ${size}px; height: ${size}px`;
    });
    this.#heads.place(layout.columns.slice(1, -1));
    this.#plane.style.minWidth = `${64 * layout.columns.length + 2 * INPUT_LABEL}px`;
  }

  // Painting

  #paintFeatures() {
    this.#features.paint(this.#run.arrays.feature_maps, () => signPalette(this.#theme));
  }

  #paintMaps() {
    const { hidden, outputs } = this.#net;
    const first = hidden.reduce((sum, count) => sum + count, 0); // of the outputs
    const signs = signPalette(this.#theme);
    const palettes = this.#run.isClassification
      ? Array.from({ length: outputs }, (_, label) => signPalette(this.#theme, classColour(label))) : [];
    this.#atlas.paint(this.#run.arrays.maps, (neuron) => palettes[neuron - first] ?? signs);
  }

  #compose() {
    if (!this.#run || !this.#layout) return;
    const context = this.#context;
    const scale = devicePixelRatio;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    const chosen = this.#chosenNeuron();
    this.#lines.forEach((lines, layer) => this.#strokeLayer(context, lines, layer, chosen));
    this.#paintTiles(context, chosen);
    this.#paintLabels(context);
    if (this.#pointed?.kind === "weight") this.#strokePointed(context, this.#pointed);
  }

  /** The neuron whose lines stand out: pointed at, focused, or enlarged. */
  #chosenNeuron() {
    if (this.#pointed) return this.#pointed.kind === "neuron" ? this.#pointed : null;
    const { neuron } = this.#stage;
    return this.#focused ?? (neuron && { column: neuron.layer + 1, index: neuron.index });
  }

  #strokeLayer(context, lines, layer, chosen) {
    const weights = this.#run.parameter(lines.key);
    lines.drawn = [];
    if (!weights) return;
    const { least, most } = strongest(weights);
    if (!(most > 0)) return;
    const isOf = belongsTo(chosen, layer, lines.sources, this.#usedFeature(chosen));
    const bundles = new Map(); // by width, sign and whether it is the chosen neuron's
    weights.forEach((weight, i) => {
      const size = Math.abs(weight);
      const own = chosen !== null && isOf(i);
      if (!own && (size < least || size < WEAKEST * most)) return;
      lines.drawn.push(i);
      const level = Math.min(WIDTHS.length - 1, Math.floor((size / most) * WIDTHS.length));
      const key = (own ? 100 : 0) + (weight < 0 ? 10 : 0) + level;
      let bundle = bundles.get(key);
      if (!bundle) bundles.set(key, (bundle = { path: new Path2D(), count: 0 }));
      const { x1, y1, x2, y2 } = lines.ends[i];
      bundle.path.moveTo(x1, y1);
      bundle.path.lineTo(x2, y2);
      bundle.count++;
    });
    const strengths = weights.length > MANY ? STRENGTHS.many : STRENGTHS.few;
    const colours = signColours(this.#theme);
    const thin = this.#layout.size < 16 ? 0.6 : 1;
    for (const key of [...bundles.keys()].sort((one, other) => (one % 10) - (other % 10) || one - other)) {
      const level = key % 10;
      const own = key >= 100;
      const { path, count } = bundles.get(key);
      const crowd = Math.min(1, Math.sqrt(OPAQUE_LINES / count));
      const aside = chosen !== null ? ASIDE : 1;
      context.globalAlpha = own ? STRENGTHS.few[level] : strengths[level] * crowd * aside;
      context.strokeStyle = css(key % 100 >= 10 ? colours.negative : colours.positive);
      context.lineWidth = WIDTHS[level] * (own ? 1 : Math.min(thin, Math.max(0.3, crowd)));
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }

  #strokePointed(context, { layer, index: [target, source] }) {
    const { ends, sources } = this.#lines[layer];
    const { x1, y1, x2, y2 } = ends[target * sources + source];
    context.strokeStyle = css(this.#theme.text);
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }

  #paintTiles(context, chosen) {
    const { text, background } = this.#theme;
    const { features, all_features: all, layers } = this.#net;
    const isOutput = (column) => column === this.#layout.columns.length - 1;
    let neuron = 0;
    this.#layout.columns.forEach(({ tiles }, column) => {
      const biases = column > 0 ? this.#run.parameter(`${layers[column - 1]}.bias`) : undefined;
      const most = biases ? biases.reduce((largest, bias) => Math.max(largest, Math.abs(bias)), 0) : 0;
      tiles.forEach(({ x, y, size }, index) => {
        const isUsed = column > 0 || features.includes(all[index]);
        context.fillStyle = css(background);
        context.fillRect(x, y, size, size);
        context.globalAlpha = isUsed ? 1 : 0.28;
        if (column === 0) this.#features.draw(context, index, x, y, size);
        else this.#atlas.draw(context, neuron++, x, y, size);
        const isChosen = chosen?.column === column && chosen.index === index;
        const isEnlarged = this.#stage.isEnlarged(column - 1, index);
        const isOfClass = isOutput(column) && this.#run.isClassification;
        context.lineWidth = isChosen || isEnlarged || isOfClass ? 2 : 1;
        context.strokeStyle = isChosen || isEnlarged ? css(text)
          : isOfClass ? css(classColour(index)) : `rgba(${text}, 0.4)`;
        context.strokeRect(x, y, size, size);
        context.globalAlpha = 1;
        if (biases) this.#paintBias(context, biases[index] / (most || 1), x, y, size);
      });
    });
  }

  #paintBias(context, share, x, y, tile) {
    const { text, background } = this.#theme;
    const size = biasSize(tile);
    const { negative, positive } = signColours(this.#theme);
    context.fillStyle = css(background);
    context.fillRect(x - 1, y + tile - size + 1, size, size);
    context.globalAlpha = 0.15 + 0.85 * Math.abs(share);
    context.fillStyle = css(share < 0 ? negative : positive);
    context.fillRect(x - 1, y + tile - size + 1, size, size);
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.strokeStyle = `rgba(${text}, 0.55)`;
    context.strokeRect(x - 1, y + tile - size + 1, size, size);
  }

  #paintLabels(context) {
    const { text, font, scale } = this.#theme;
    const { all_features: all, features } = this.#net;
    const wanted = this.#settings?.features ?? features;
    context.font = `${FONT_SIZE * this.#theme.scale}px ${font}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    this.#layout.columns[0].tiles.forEach(({ x, y, size }, index) => {
      context.fillStyle = `rgba(${text}, ${wanted.includes(all[index]) ? 0.9 : 0.45})`;
      context.fillText(pretty(all[index]), x - 6, y + size / 2);
    });
    context.textAlign = "left";
    context.fillStyle = `rgba(${text}, 0.9)`;
    this.#layout.columns.at(-1).tiles.forEach(({ x, y, size }, label) => {
      const name = this.#run.isClassification ? this.#word("class", { label }) : this.#word("output");
      context.fillText(name, x + size + 6, y + size / 2);
    });
  }

  // Pointing

  #point(pointer) {
    this.#pointer = pointer;
    const before = this.#pointed;
    this.#pointed = pointer && this.#layout ? this.#at(pointer) : null;
    this.#canvas.style.cursor = this.#isPressable(this.#pointed) ? "pointer" : "default";
    if (JSON.stringify(before) !== JSON.stringify(this.#pointed)) this.#compose();
    this.#showReadout();
  }

  /**
   * What lies at a place: {kind: "neuron", column, index}, {kind: "bias", layer, index: [neuron]},
   * {kind: "weight", layer, index: [neuron, input]} or null.
   */
  #at({ x, y }) {
    const { columns } = this.#layout;
    for (const [column, { left, right, tiles }] of columns.entries()) {
      if (x < left - 4 || x > right + 4) continue;
      for (const [index, tile] of tiles.entries()) {
        if (x < tile.x - 3 || x > tile.x + tile.size || y < tile.y || y > tile.y + tile.size + 3) continue;
        const size = biasSize(tile.size);
        const onBias = column > 0 && x < tile.x + size + 1 && y > tile.y + tile.size - size - 1;
        if (onBias) return { kind: "bias", layer: column - 1, index: [index] };
        return { kind: "neuron", column, index };
      }
    }
    let nearest = null;
    let least = NEAR;
    this.#lines.forEach(({ ends, sources, drawn }, layer) => {
      if (x < columns[layer].left || x > columns[layer + 1].right) return;
      for (const i of this.#reachable(layer, drawn)) {
        const distance = distanceToLine(x, y, ends[i]);
        if (distance >= least) continue;
        least = distance;
        nearest = { kind: "weight", layer, index: [Math.floor(i / sources), i % sources] };
      }
    });
    return nearest;
  }

  /** The lines that a pointer can meet: of an enlarged neuron its own, where it has some here. */
  #reachable(layer, drawn) {
    const { neuron } = this.#stage;
    if (!neuron) return drawn;
    const chosen = { column: neuron.layer + 1, index: neuron.index };
    const own = drawn.filter(belongsTo(chosen, layer, this.#lines[layer].sources));
    return own.length ? own : drawn;
  }

  #isPressable(thing) {
    if (!thing) return false;
    if (thing.kind === "neuron") return thing.column > 0 || this.#mayChange("features");
    return this.#settings !== null;
  }

  /** Who only watches changes nothing; and a teacher may have locked a field. */
  #mayChange(name) {
    return this.#settings !== null && !this.#settings.fixed.includes(name);
  }

  #press(thing) {
    if (!this.#isPressable(thing)) return this.#editor.close();
    if (thing.kind !== "neuron") this.#edit(thing);
    else if (thing.column === 0) this.#toggleFeature(this.#net.all_features[thing.index]);
    else this.#stage.toggle(thing.column - 1, thing.index);
  }

  #edit({ kind, layer, index }) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const at = { x: left + this.#pointer.x, y: top + this.#pointer.y };
    this.#editor.open(`${this.#net.layers[layer]}.${kind}`, index, at);
  }

  #showReadout() {
    const { text, place } = this.#reading() ?? {};
    this.#readout.hidden = !text;
    if (!text) return;
    setText(this.#readout, text);
    // Beside the place, but not beyond the edges.
    const { offsetWidth: width, offsetHeight: height } = this.#readout;
    const left = Math.min(place.x + 14, this.#size.width - width - 2);
    const top = place.y + 16 + height > this.#size.height ? place.y - height - 10 : place.y + 16;
    this.#readout.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, top)}px)`;
  }

  #reading() {
    if (!this.#run || !this.#layout) return null;
    if (this.#pointed) return { text: this.#textOf(this.#pointed), place: this.#pointer };
    if (!this.#focused) return null;
    const { column, index } = this.#focused;
    const { x, y, size } = this.#layout.columns[column].tiles[index];
    return { text: this.#textOf({ kind: "neuron", column, index }), place: { x: x + size / 2, y: y + size - 8 } };
  }

  #textOf({ kind, layer, column, index }) {
    if (kind === "neuron") return column === 0 ? this.#textOfFeature(index) : this.#textOfNeuron(column - 1, index);
    const key = `${this.#net.layers[layer]}.${kind}`;
    const values = this.#run.parameter(key);
    const at = kind === "weight" ? index[0] * this.#lines[layer].sources + index[1] : index[0];
    return `${key}[${index.join(", ")}] = ${figures.weight(values?.[at])}`;
  }

  #textOfFeature(index) {
    const name = this.#net.all_features[index];
    if (!this.#mayChange("features")) return name;
    return this.#word(this.#settings.features.includes(name) ? "feature_used" : "feature_unused", { name });
  }

  #textOfNeuron(layer, index) {
    const before = this.#counts.slice(1, layer + 1).reduce((sum, count) => sum + count, 0);
    return this.#word("neuron_reading", {
      layer: this.#net.layers[layer], index,
      bias: figures.weight(this.#run.parameter(`${this.#net.layers[layer]}.bias`)?.[index]),
      most: figures.weight(this.#run.arrays.map_scales?.[before + index]),
    });
  }

  // Keyboard

  #fillNeurons() {
    const buttons = this.#counts.flatMap((count, column) => Array.from({ length: count }, (_, index) => {
      const button = h("button", { type: "button", "data-column": column, "data-index": index, tabindex: -1,
        "aria-label": this.#nameOf(column, index) });
      button.onclick = () => this.#press({ kind: "neuron", column, index });
      return button;
    }));
    this.#neurons.replaceChildren(...buttons);
    this.#neurons.setAttribute("role", "group");
    this.#neurons.setAttribute("aria-label", this.#word("neurons_help"));
    const first = this.#buttonAt(1, 0);
    first.tabIndex = 0; // the others are reached from it by the arrow keys
    this.#markEnlarged();
  }

  #nameOf(column, index) {
    if (column === 0) return this.#word("feature", { name: this.#net.all_features[index] });
    return this.#word("neuron", { layer: this.#net.layers[column - 1], index });
  }

  #buttonAt(column, index) {
    return this.#neurons.querySelector(`[data-column="${column}"][data-index="${index}"]`);
  }

  #markEnlarged() {
    if (!this.#run) return;
    const features = this.#settings?.features ?? this.#net.features;
    for (const button of this.#neurons.children) {
      const [column, index] = [Number(button.dataset.column), Number(button.dataset.index)];
      const pressed = column === 0 ? features.includes(this.#net.all_features[index])
        : this.#stage.isEnlarged(column - 1, index);
      button.setAttribute("aria-pressed", String(pressed));
    }
  }

  #focus(button) {
    this.#focused = button && { column: Number(button.dataset.column), index: Number(button.dataset.index) };
    this.#compose();
    this.#showReadout();
  }

  #steer(event) {
    const [right, down] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key]
      ?? [0, 0];
    if ((!right && !down) || !this.#focused) return;
    event.preventDefault();
    const counts = this.#counts;
    const column = Math.max(0, Math.min(counts.length - 1, this.#focused.column + right));
    const index = Math.max(0, Math.min(counts[column] - 1, this.#focused.index + down));
    const [from, to] = [event.target, this.#buttonAt(column, index)];
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  // Settings

  #showSettings() {
    if (!this.#run) return;
    this.#heads.show(this.#net.hidden, this.#settings);
    this.#markEnlarged();
    this.#compose();
  }

  #changeHidden(hidden) {
    this.#settings = { ...this.#settings, hidden };
    this.#showSettings();
    this.#change({ hidden });
  }

  #toggleFeature(name) {
    const before = this.#settings.features;
    const features = before.includes(name) ? before.filter((other) => other !== name) : [...before, name];
    if (features.length === 0) return; // a network sees something
    this.#settings = { ...this.#settings, features };
    this.#showSettings();
    this.#change({ features });
  }

  #usedFeature(chosen) {
    return chosen?.column === 0 ? this.#net.features.indexOf(this.#net.all_features[chosen.index]) : undefined;
  }

  #description() {
    const { hidden, features, outputs, layers } = this.#net;
    const weights = layers.map((name) => `${name}.weight`).map((key) => [key, this.#run.parameter(key)]);
    let greatest = { size: -1 };
    weights.forEach(([key, values], layer) => values?.forEach((value, i) => {
      if (Math.abs(value) <= greatest.size) return;
      const sources = layer ? hidden[layer - 1] : features.length;
      greatest = { size: Math.abs(value), value, name: `${key}[${Math.floor(i / sources)}, ${i % sources}]` };
    }));
    const scales = this.#run.arrays.map_scales ?? [];
    const silent = scales.slice(0, -outputs).filter((scale) => scale === 0).length;
    return this.#word("network_says", {
      features: features.join(", "), hidden: hidden.join(", "), outputs,
      epoch: figures.count(this.#run.head.epoch), name: greatest.name ?? "–", value: figures.weight(greatest.value),
      silent,
    });
  }
}

/** Many small square pictures of bytes in one canvas. */
class Atlas {
  painted = null;
  #canvas = new OffscreenCanvas(1, 1);
  #context = this.#canvas.getContext("2d");
  #resolution = 1;
  #count = 0;

  begin(count, resolution) {
    this.#count = count;
    this.#resolution = resolution;
    this.#canvas.width = resolution * Math.min(count, ATLAS_COLUMNS);
    this.#canvas.height = resolution * Math.ceil(count / ATLAS_COLUMNS);
    this.painted = null;
  }

  /** @param paletteOf the 256 colours of a picture, by its number */
  paint(bytes, paletteOf) {
    if (!bytes) return;
    const { width, height } = this.#canvas;
    const image = this.#context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const side = this.#resolution;
    for (let number = 0; number < this.#count; number++) {
      const palette = paletteOf(number);
      const corner = Math.floor(number / ATLAS_COLUMNS) * side * width + (number % ATLAS_COLUMNS) * side;
      // Row 0 is the smallest x2, which belongs at the bottom.
      for (let row = 0; row < side; row++) {
        const target = corner + (side - 1 - row) * width;
        const source = (number * side + row) * side;
        for (let column = 0; column < side; column++) pixels[target + column] = palette[bytes[source + column]];
      }
    }
    this.#context.putImageData(image, 0, 0);
    this.painted = bytes;
  }

  draw(context, number, x, y, size) {
    if (!this.painted) return;
    const side = this.#resolution;
    const left = (number % ATLAS_COLUMNS) * side;
    const top = Math.floor(number / ATLAS_COLUMNS) * side;
    // From the middle of the outermost pixels, so that a neighbour in the atlas does not shine in.
    context.drawImage(this.#canvas, left + 0.5, top + 0.5, side - 1, side - 1, x, y, size, size);
  }
}

/** The size of the largest weight, and the size from which a weight is among the MOST_LINES largest. */
function strongest(weights) {
  let most = 0;
  for (const weight of weights) most = Math.max(most, Math.abs(weight));
  if (weights.length <= MOST_LINES) return { least: 0, most };
  const sizes = weights.map(Math.abs).sort();
  return { least: sizes[sizes.length - MOST_LINES], most };
}

/**
 * Whether weight i of a layer, a row per target, leads to or from a neuron.
 * @param source the neuron's number among the layer's sources, where that is not its index
 */
function belongsTo(chosen, layer, sources, source = chosen?.index) {
  if (chosen?.column === layer + 1) return (i) => Math.floor(i / sources) === chosen.index;
  if (chosen?.column === layer) return (i) => i % sources === source;
  return () => false;
}

const biasSize = (tile) => Math.max(4, Math.min(8, Math.round(tile * 0.25)));

const pretty = (feature) => feature.replace("^2", "²").replace("*", "·");
