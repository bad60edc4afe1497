// The live views of one run, inside one Streamlit component (v2).
//
// A view is an object with `element`, `draw(run)` at each frame, and where it needs them `views`, the names of the
// server's views whose arrays it draws now (engine/views.py), `restyle(theme)` at a change of theme and `unmount()`.
// When its `views` change it calls `context.look()`. To add one: make it in #build, and name its grid area in live.css.

import { Boundary } from "./boundary.js";
import { h, loadStylesheet, translator } from "./dom.js";
import { LossChart } from "./loss.js";
import { mount } from "./mounting.js";
import { Numbers } from "./numbers.js";
import { loadPreferences } from "./preferences.js";
import { Run } from "./run.js";
import { StatusFollower } from "./status.js";
import { StepPanel } from "./step.js";
import { openStream } from "./stream.js";
import { readTheme } from "./theme.js";

// By the name that hides them. Of the numbers only the figures can be hidden: what the run does is always said.
const VIEWS = { numbers: Numbers, boundary: Boundary, loss: LossChart, step: StepPanel };

// The import of this module ends only when the style applies: nothing is ever seen unstyled.
await loadStylesheet(new URL("live.css", import.meta.url));

/** Mounts the views into component.parentElement, or brings the mounted ones up to date. */
export const show = (component) => mount(component, "toytrain.live", LiveViews);

class LiveViews {
  #host;
  #component; // of the newest call: its triggers know the present widget
  #views = {};
  #run = null;
  #streamPath = null;
  #stream = null;
  #preferences = loadPreferences();
  #status = new StatusFollower((status) => this.#component.setTriggerValue("status", status));

  #grid = h("div", { class: "toytrain-grid" });
  #root = h("div", { class: "toytrain-live", "data-drawn": "0", "data-connection": "connecting" }, this.#grid);

  constructor(host) {
    this.#host = host;
    host.append(this.#root);
  }

  update(component) {
    const before = this.#component?.data;
    const { data } = component;
    this.#component = component;

    const isBuilt = before && equal(data.words, before.words) && equal(data.hidden, before.hidden);
    if (isBuilt) this.#restyle();
    else this.#build(data);
    this.#goThrough(data.half, isBuilt ? before.half : undefined);
    this.#status.rendered(data.status);
    if (data.stream !== this.#streamPath) this.#connect(data.stream);
  }

  unmount() {
    this.#stream?.close();
    this.#status.reset();
    this.#unmountViews();
    this.#root.remove();
  }

  // Built once, and again only in another language or when views are hidden; the stream and the run live on.
  #build({ words, plotly, hidden }) {
    const context = {
      word: translator(words),
      preferences: this.#preferences,
      theme: readTheme(this.#host),
      plotly,
      ask: (question) => this.#component.setTriggerValue(question, true),
      look: () => this.#stream?.show(),
      hidden,
    };
    this.#unmountViews();
    const shown = Object.entries(VIEWS).filter(([name]) => name === "numbers" || !hidden.includes(name));
    this.#views = Object.fromEntries(shown.map(([name, View]) => [name, new View(context)]));
    this.#grid.replaceChildren(...Object.values(this.#views).map(({ element }) => element));
    this.#showConnection(this.#root.dataset.connection);
    if (this.#run) this.#drawViews();
  }

  // While somebody goes through one step, its panel takes the place of the loss and the network.
  #goThrough(half, before) {
    this.#grid.classList.toggle("toytrain-halving", Boolean(half && this.#views.step));
    if (!equal(half, before)) this.#views.step?.goThrough(half);
  }

  #unmountViews() {
    for (const view of Object.values(this.#views)) view.unmount?.();
  }

  #restyle() {
    const theme = readTheme(this.#host);
    for (const view of Object.values(this.#views)) view.restyle?.(theme);
  }

  #connect(path) {
    this.#stream?.close();
    this.#status.reset();
    this.#streamPath = path;
    this.#stream = openStream(path, {
      draw: (frame) => this.#draw(frame),
      views: () => new Set(Object.values(this.#views).flatMap(({ views }) => views ?? [])),
      connection: (state) => this.#showConnection(state),
      gone: () => this.#component.setTriggerValue("gone", path.split("/").at(-1)),
    });
  }

  #draw(frame) {
    if (frame.header.run) this.#run = new Run(frame);
    else this.#run.apply(frame);
    this.#drawViews();

    const { dataset } = this.#root;
    dataset.drawn = Number(dataset.drawn) + 1;
    dataset.step = frame.header.step;
    dataset.status = frame.header.status;
    this.#status.streamed(frame.header.status);
  }

  #drawViews() {
    for (const view of Object.values(this.#views)) view.draw?.(this.#run);
  }

  #showConnection(state) {
    this.#root.dataset.connection = state;
    this.#views.numbers.showConnection(state);
  }
}

const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);
