// The live part of the predict page, inside one Streamlit component: the plane to choose a point on, the point's way
// through the network, and what follows from its logits.
//
// The stream tells when the run has moved on; then, and when another point is chosen, the numbers are fetched again:
// one question at a time, so that neither a drag nor a fast run piles them up.

import { Boundary } from "./boundary.js";
import { atMostEvery, h, loadStylesheet, setText, translator } from "./dom.js";
import * as figures from "./figures.js";
import { decodeFrame } from "./frame.js";
import { mount } from "./mounting.js";
import { OutputsView } from "./outputs.js";
import { PointFields } from "./point.js";
import { loadPreferences } from "./preferences.js";
import { Run } from "./run.js";
import { StatusFollower } from "./status.js";
import { openStream } from "./stream.js";
import { readTheme } from "./theme.js";
import { readTrace, TraceView } from "./trace.js";

await Promise.all(["live.css", "predict.css"].map((name) => loadStylesheet(new URL(name, import.meta.url))));

const FOLLOW_EVERY_MS = 150; // while the run plays
const SPOKEN_EVERY_MS = 2000;
const REMEMBERED = "toytrain.point"; // in the tab's storage: a reload and another page lose no point

/** Mounts the page's live part into component.parentElement, or brings the mounted one up to date. */
export const show = (component) => mount(component, "toytrain.predict", PredictViews);

class PredictViews {
  #host;
  #component;
  #word;
  #theme;
  #views = null;
  #run = null;
  #place = null; // {x1, x2, point, target}: what is traced
  #neuron = [1, 0]; // stage and index of the number that is explained
  #trace = null;
  #asking = false;
  #askAgain = false;
  #asked = ""; // what the trace on the screen was asked for
  #streamPath = null;
  #stream = null;
  #unmounted = false;
  #status = new StatusFollower((status) => this.#component.setTriggerValue("status", status));
  #follow = atMostEvery(FOLLOW_EVERY_MS, () => this.#ask());
  #speak = atMostEvery(SPOKEN_EVERY_MS, (text) => setText(this.#spoken, text));
  #told = "";
  #message = "";

  #state = h("p", { class: "toytrain-status", role: "status" });
  #spoken = h("p", { class: "toytrain-spoken", role: "status", "aria-live": "polite" });
  #connection = h("p", { class: "toytrain-connection", hidden: "" });
  #grid = h("div", { class: "toytrain-predict" });
  #root = h("div", { class: "toytrain-live", "data-connection": "connecting" },
    h("div", { class: "toytrain-lines" }, this.#state, this.#connection), this.#grid, this.#spoken);

  constructor(host) {
    this.#host = host;
    host.append(this.#root);
  }

  update(component) {
    const before = this.#component?.data;
    const { data } = component;
    this.#component = component;
    if (!before || JSON.stringify(data.words) !== JSON.stringify(before.words)) this.#build(data);
    else this.#restyle();
    this.#status.rendered(data.status);
    if (data.stream !== this.#streamPath) this.#connect(data.stream);
    if (data.chosen && data.chosen.number !== before?.chosen?.number && before) this.#chooseRow(data.chosen.point);
  }

  unmount() {
    this.#unmounted = true;
    this.#stream?.close();
    this.#status.reset();
    this.#follow.cancel();
    this.#speak.cancel();
    this.#views?.boundary.unmount();
    this.#root.remove();
  }

  #build({ words }) {
    this.#views?.boundary.unmount();
    const word = (this.#word = translator(words));
    this.#theme = readTheme(this.#host);
    const context = { word, preferences: loadPreferences(), theme: this.#theme };
    this.#views = {
      boundary: new Boundary({
        ...context, pick: (place) => this.#choose({ ...place, target: this.#labelOf(place.point) }),
      }),
      point: new PointFields({ word, change: (changed) => this.#typed(changed) }),
      trace: new TraceView({ word, choose: (neuron) => this.#explain(neuron) }),
      outputs: new OutputsView({ word, label: (label) => this.#choose({ ...this.#place, target: label }) }),
    };
    const { boundary, point, trace, outputs } = this.#views;
    const plane = h("div", { class: "toytrain-plane" }, boundary.element, point.element);
    this.#grid.replaceChildren(plane, trace.element, outputs.element);
    setText(this.#state, word("warming"));
    setText(this.#connection, word("connection_lost"));
    if (this.#run) this.#drawAll();
  }

  #restyle() {
    this.#theme = readTheme(this.#host);
    this.#views.boundary.restyle(this.#theme);
    if (this.#trace) this.#drawTrace();
  }

  #connect(path) {
    this.#stream?.close();
    this.#status.reset();
    this.#streamPath = path;
    this.#stream = openStream(path, {
      draw: (frame) => this.#draw(frame),
      views: () => this.#views.boundary.views,
      connection: (state) => {
        this.#root.dataset.connection = state;
        this.#connection.hidden = state !== "lost";
      },
      gone: () => this.#component.setTriggerValue("gone", path.split("/").at(-1)),
    });
  }

  #draw(frame) {
    const isNew = Boolean(frame.header.run);
    if (isNew) this.#run = new Run(frame);
    else this.#run.apply(frame);
    const { status, step, message } = frame.header;
    this.#root.dataset.status = status;
    this.#root.dataset.step = step;
    this.#status.streamed(status);
    this.#message = message;
    this.#views.boundary.draw(this.#run);
    if (isNew) this.#begin();
    else this.#follow();
    this.#drawState();
  }

  // A run: the point stays, where it lies on the plane of the new one.
  #begin() {
    const [x1Min, x1Max, x2Min, x2Max] = this.#run.spec.extent;
    const known = this.#place ?? remembered();
    const fits = known && known.x1 >= x1Min && known.x1 <= x1Max && known.x2 >= x2Min && known.x2 <= x2Max;
    this.#choose(this.#described(fits ? known : { x1: this.#run.arrays.points[0], x2: this.#run.arrays.points[1] }));
  }

  /** The place as a data point with its label, where it is one of this run. */
  #described({ x1, x2, target = null }) {
    const { points } = this.#run.arrays;
    for (let point = 0; 2 * point < points.length; point++) {
      const isHere = points[2 * point] === x1 && points[2 * point + 1] === x2;
      if (isHere) return { x1, x2, point, target: this.#labelOf(point) };
    }
    const isLabel = this.#run.isClassification ? target < this.#run.spec.classes : true;
    return { x1, x2, point: null, target: target !== null && isLabel ? target : null };
  }

  #labelOf(point) {
    return point === null ? null : this.#run.arrays.labels[point];
  }

  #chooseRow(point) {
    if (!this.#run) return;
    const { points } = this.#run.arrays;
    this.#choose({ x1: points[2 * point], x2: points[2 * point + 1], point, target: this.#labelOf(point) });
  }

  #typed(changed) {
    const isMoved = "x1" in changed || "x2" in changed;
    const place = { ...this.#place, ...changed };
    this.#choose(isMoved && this.#place.point !== null ? { ...place, point: null, target: null } : place);
  }

  #choose(place) {
    const before = this.#place;
    this.#place = { ...place, x1: Math.fround(place.x1), x2: Math.fround(place.x2) };
    if (before && (before.x1 !== this.#place.x1 || before.x2 !== this.#place.x2)) this.#views.outputs.forget();
    remember(this.#place);
    this.#views.boundary.choose(this.#place);
    this.#views.point.complain("");
    this.#views.point.draw(this.#place, this.#run.spec, `${this.#component.data.csv}?${this.#query()}`);
    this.#ask();
  }

  #explain(neuron) {
    this.#neuron = neuron;
    if (this.#trace) this.#views.trace.draw(this.#trace, neuron, this.#theme);
    this.#ask();
  }

  #query() {
    const { x1, x2, target } = this.#place;
    const asked = new URLSearchParams({ x1, x2, neuron: this.#neuron.join(".") });
    if (!this.#run.isClassification && target !== null) asked.set("target", target);
    return asked;
  }

  async #ask() {
    if (!this.#place || !this.#run) return;
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    this.#askAgain = false;
    try {
      const answer = await fetch(`${this.#component.data.trace}?${this.#query()}`);
      if (answer.ok) this.#take(readTrace(decodeFrame(await answer.arrayBuffer())));
      else this.#complain(this.#word("trace_failed"));
    } catch {
      this.#complain(this.#word("trace_failed")); // the stream tells when it is back
    }
    this.#asking = false;
    if (this.#askAgain && !this.#unmounted) this.#ask();
  }

  #complain(sentence) {
    if (!this.#unmounted) this.#views.point.complain(sentence);
  }

  #take(trace) {
    if (this.#unmounted) return;
    const width = trace.stages[this.#neuron[0]]?.values.length ?? 0;
    if (this.#neuron[1] >= width) this.#neuron = [1, 0]; // of another network
    this.#trace = trace;
    this.#drawTrace();
    this.#drawState();
  }

  #drawAll() {
    this.#views.boundary.draw(this.#run);
    if (this.#place) this.#choose(this.#place);
    if (this.#trace) this.#drawTrace();
    this.#drawState();
  }

  #drawTrace() {
    this.#views.trace.draw(this.#trace, this.#neuron, this.#theme);
    this.#views.outputs.draw(this.#trace, this.#place.target);
    this.#root.dataset.traced = this.#trace.step;
    const says = this.#sentence();
    if (says === this.#told) return;
    this.#told = says;
    this.#speak(says);
  }

  #drawState() {
    const { status } = this.#run.head;
    this.#state.dataset.kind = status;
    const parts = this.#message ? [this.#message] : [this.#word(`status_${status}`)];
    if (this.#trace) {
      const { step, epoch } = this.#trace;
      parts.push(this.#word("numbers_of", { step: figures.count(step), epoch: figures.count(epoch) }));
    }
    if (this.#trace?.step === 0) parts.push(this.#word("untrained"));
    setText(this.#state, parts.filter(Boolean).join(" – "));
  }

  /** What the numbers say, for who cannot see them. */
  #sentence() {
    const { prediction, probabilities, losses } = this.#trace;
    const { target } = this.#place;
    if (this.#trace.task === "regression") {
      const output = figures.value(Number(prediction));
      if (target === null) return this.#word("trace_says_regression", { output });
      return this.#word("trace_says_error", { output, target: figures.value(target), loss: figures.value(losses[0]) });
    }
    const said = { label: prediction, probability: figures.value(probabilities[prediction]) };
    if (target === null) return this.#word("trace_says", said);
    return this.#word("trace_says_loss", { ...said, target, loss: figures.value(losses[target]) });
  }
}

function remember({ x1, x2, target }) {
  try {
    sessionStorage.setItem(REMEMBERED, JSON.stringify({ x1, x2, target }));
  } catch {
    // Storage may be full or forbidden (private windows): the point then holds until the page is left.
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(REMEMBERED));
  } catch {
    return null;
  }
}
