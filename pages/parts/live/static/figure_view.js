// A chart of a server's view: one figure of Plotly beside the loss, drawn a few times a second while it is open.
//
// What is drawn is said by a subclass: `traces(run)`, `layout(run)`, `says(run)` (what the picture shows now in words,
// as [text, colour or null] each: they are its legend too) and `missing(run)` (why there is nothing to draw, or "").

import { atMostEvery, h, loadScript, setText } from "./dom.js";

const EVERY_MS = 200; // between two looks: what is slow to change need not be asked for with every frame
const SPOKEN_EVERY_MS = 2000;
const FEW_BATCHES = 8;
const MARGIN = { l: 52, r: 10, t: 8, b: 38, autoexpand: false };
const OPTIONS = { displayModeBar: false, showTips: false };

// Of layers, from first to last: the classes' colours without the two that mean a sign elsewhere come first.
export const LAYER_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];

export class FigureView {
  word;
  theme;
  #view;
  #array;
  #look;
  #run = null;
  #size = null;
  #drawn = null; // the array that the figure shows
  #receivedAt = -Infinity;
  #timer = null;
  #unmounted = false;
  #plot = h("div", { class: "toytrain-figure-plot", role: "img" });
  #placeholder = h("p", { class: "toytrain-placeholder" });
  #says = h("p", { class: "toytrain-says" });
  #describe = atMostEvery(SPOKEN_EVERY_MS, (text) => this.#plot.setAttribute("aria-label", text));
  #resizes = new ResizeObserver(([{ contentRect: { width, height } }]) => this.#resize({ width, height }));

  /**
   * @param context of index.js
   * @param {{view: string, array: string, explains: string}} about the server's view, the one of its arrays that tells
   *   what is new, and a sentence for a pupil
   */
  constructor({ word, theme, plotly, look }, { view, array, explains }) {
    this.word = word;
    this.theme = theme;
    this.#view = view;
    this.#array = array;
    this.#look = look;
    this.header = h("header", { class: "toytrain-header" });
    this.tools = h("div", { class: "toytrain-tools" });
    this.header.append(this.tools);
    this.element = h("section", { class: "toytrain-block toytrain-figure-view" },
      this.header,
      h("div", { class: "toytrain-about" }, this.#says,
        h("p", { class: "toytrain-explains", title: explains }, explains)),
      h("div", { class: "toytrain-chart" }, this.#plot, this.#placeholder));
    this.#placeholder.textContent = word("warming");
    this.#resizes.observe(this.#plot);
    if (!window.Plotly) loadScript(plotly).then(() => this.redraw());
  }

  /** What the server is asked for now: nothing, so soon after it was. */
  get views() {
    return performance.now() - this.#receivedAt >= EVERY_MS ? [this.#view] : [];
  }

  draw(run) {
    this.#run = run;
    const array = run.arrays[this.#array];
    if (array !== this.#drawn) {
      this.#drawn = array;
      this.#receivedAt = performance.now();
      this.redraw();
    }
    // The frame of a run that stops may come too soon after the last look; then one look is due yet.
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (!this.#unmounted) this.#look();
    }, EVERY_MS);
  }

  restyle(theme) {
    this.theme = theme;
    this.redraw();
  }

  unmount() {
    this.#unmounted = true;
    clearTimeout(this.#timer);
    this.#resizes.disconnect();
    this.#describe.cancel();
    if (this.#plot.data) window.Plotly.purge(this.#plot);
  }

  redraw() {
    const run = this.#run;
    if (!window.Plotly || !run || !this.#drawn || !this.#size || this.#unmounted) return;
    const missing = this.missing(run);
    this.#placeholder.hidden = !missing;
    this.#plot.style.visibility = missing ? "hidden" : "visible";
    setText(this.#placeholder, missing);
    const parts = missing ? [] : this.says(run);
    const texts = parts.map(([text]) => text).join(" · ");
    if (this.#says.dataset.says !== texts) {
      this.#says.dataset.says = texts;
      this.#says.replaceChildren(...parts.map(([text, colour]) => h("span", { class: "toytrain-key" },
        colour ? h("span", { class: "toytrain-swatch", style: `background: ${colour}` }) : "", text)));
    }
    this.#describe(missing || texts);
    if (missing) return;
    const { text, background, font, scale } = this.theme;
    const quiet = `rgba(${text}, 0.72)`;
    window.Plotly.react(this.#plot, this.traces(run), {
      ...this.#size,
      margin: MARGIN,
      font: { family: font, size: 11 * scale, color: quiet },
      paper_bgcolor: "rgba(0, 0, 0, 0)",
      plot_bgcolor: "rgba(0, 0, 0, 0)",
      showlegend: false,
      dragmode: false,
      hoverlabel: { bgcolor: `rgb(${background})`, bordercolor: quiet, font: { color: `rgb(${text})` } },
      uirevision: run.spec.id,
      ...this.layout(run),
    }, OPTIONS);
  }

  /** Why there is nothing to draw, or "". */
  missing() {
    return "";
  }

  axis(more = {}) {
    const gridcolor = `rgba(${this.theme.text}, 0.09)`;
    const plain = { gridcolor, zeroline: false, ticks: "", automargin: false, fixedrange: true };
    return { ...plain, ticklabelstandoff: 5, ...more };
  }

  /** The axis of batches, from one to another: of a few each gets its tick, for figures between them would repeat. */
  batches(first, last, more = {}) {
    return this.axis({ title: { text: this.word("batches"), standoff: 4 }, tickformat: ",d",
      dtick: last - first < FEW_BATCHES ? 1 : undefined, ...more });
  }

  #resize(size) {
    if (size.width === 0 || size.height === 0) return; // hidden
    this.#size = size;
    this.redraw();
  }
}

/** The name of a network's layer: "hidden 1", ..., and last "output". */
export function layerName(word, layer, layers) {
  return layer === layers - 1 ? word("output_layer") : word("hidden_layer", { number: layer + 1 });
}
