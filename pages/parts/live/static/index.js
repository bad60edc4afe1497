// The live views of one run, inside one Streamlit component (v2).
//
// A view is an object with `element`, `draw(run)` at each frame, and where it needs them `views`, the names of the
// server's views whose arrays it draws now (engine/views.py), `restyle(theme)` at a change of theme and `unmount()`.
// When its `views` change it calls `context.look()`. `update(data)` hears of other data from the page, `restage()` of
// another choice on the Stage. To add one: make it in #build, and name its grid area in live.css.

import { Boundary } from "./boundary.js";
import { Charts } from "./charts.js";
import { h, loadStylesheet, translator } from "./dom.js";
import { Editor } from "./editor.js";
import { HiddenSpace } from "./hidden.js";
import { mount } from "./mounting.js";
import { Network } from "./network.js";
import { Numbers } from "./numbers.js";
import { loadPreferences } from "./preferences.js";
import { Run } from "./run.js";
import { Stage } from "./stage.js";
import { StatusFollower } from "./status.js";
import { StepPanel } from "./step.js";
import { openStream } from "./stream.js";
import { readTheme } from "./theme.js";

// By the name that hides them; the charts have a name each (Charts.names). Of the numbers only the figures can be
// hidden: what the run does is always said.
const VIEWS = { numbers: Numbers, network: Network, boundary: Boundary, charts: Charts, step: StepPanel };

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
  #stage = new Stage(() => this.#restage());
  #mounted = new AbortController();
  #surroundings = new ResizeObserver(() => this.#fitWindow());
  #status = new StatusFollower((status) => this.#component.setTriggerValue("status", status));

  #grid = h("div", { class: "toytrain-grid" });
  #root = h("div", { class: "toytrain-live", "data-drawn": "0", "data-connection": "connecting" }, this.#grid);

  constructor(host) {
    this.#host = host;
    host.append(this.#root);
    this.#surroundings.observe(host.closest(".stMainBlockContainer"));
    // Wherever the focus is: a click on a canvas moves it nowhere. At the body, before the page's own shortcuts at the
    // document: the key that puts a neuron back does not leave presentation mode too.
    document.body.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#stage.back()) event.stopPropagation();
    }, { signal: this.#mounted.signal });
  }

  update(component) {
    const before = this.#component?.data;
    const { data } = component;
    this.#component = component;

    const made = ({ words, hidden, finds }) => [words, hidden, finds];
    const isBuilt = before && equal(made(data), made(before));
    if (isBuilt) this.#update(data);
    else this.#build(data);
    this.#goThrough(data.half, isBuilt ? before.half : undefined);
    this.#status.rendered(data.status);
    if (data.stream !== this.#streamPath) this.#connect(data.stream);
  }

  unmount() {
    this.#mounted.abort();
    this.#surroundings.disconnect();
    this.#stream?.close();
    this.#status.reset();
    this.#unmountViews();
    this.#root.remove();
  }

  // What stands above the views may be a task of three lines or a notice: they take the height that it leaves.
  #fitWindow() {
    const main = this.#host.closest(".stMain");
    if (!main) return; // the page is being left
    const above = this.#root.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop;
    this.#root.style.setProperty("--toytrain-top", `${Math.round(above)}px`);
  }

  // Built once, and again only in another language or when views are hidden; the stream and the run live on.
  #build({ words, plotly, settings, hidden, finds }) {
    const word = translator(words);
    const tell = (event, value) => this.#component.setTriggerValue(event, value);
    const editor = new Editor({ word, pause: () => tell("pause", true), set: (edit) => tell("edit", edit) });
    const context = {
      word,
      settings,
      editor,
      stage: this.#stage,
      change: (fields) => tell("change", fields),
      preferences: this.#preferences,
      theme: readTheme(this.#host, this.#component.data.large),
      plotly,
      ask: (question) => this.#component.setTriggerValue(question, true),
      look: () => this.#stream?.show(),
      hidden,
      finds,
    };
    this.#unmountViews();
    const isShown = (name, View) => name === "numbers" || (View.names ?? [name]).some((one) => !hidden.includes(one));
    const shown = Object.entries(VIEWS).filter(([name, View]) => isShown(name, View));
    this.#views = Object.fromEntries(shown.map(([name, View]) => [name, new View(context)]));
    if (this.#views.boundary) this.#views.hidden = new HiddenSpace(context); // they take turns in one place
    this.#views.editor = editor;
    this.#grid.classList.remove("toytrain-larger"); // what its button says is new as well
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

  #update(data) {
    const theme = readTheme(this.#host, this.#component.data.large);
    for (const view of Object.values(this.#views)) {
      view.restyle?.(theme);
      view.update?.(data);
    }
  }

  #restage() {
    const hadFocus = document.activeElement?.closest(".toytrain-places");
    for (const view of Object.values(this.#views)) view.restage?.();
    // The button that was pressed has gone with its view; whoever pressed it by a key goes on from its like.
    if (hadFocus) this.#grid.querySelector(":not([hidden]) > header > .toytrain-places > [aria-pressed=true]")?.focus();
    this.#stream?.show();
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
    if (frame.header.run) {
      this.#run = new Run(frame);
      this.#stage.fit(this.#run);
    } else this.#run.apply(frame);
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
