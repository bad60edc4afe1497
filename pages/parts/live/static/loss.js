// The loss: of each batch, smoothed, and of the test data after each epoch. One Plotly chart that is updated in place.

import { atMostEvery, choiceButtons, h, loadScript } from "./dom.js";
import * as figures from "./figures.js";

const SPOKEN_EVERY_MS = 2000;
const MOST_POINTS = 600; // per curve: more than the chart has pixels to show
const STEADY = 0.97; // a loss that changes by less over the last fifth of the run is level
const HIGH = 0.6; // of the height of the plot
const FEW_BATCHES = 8; // on the axis: each gets its tick
const MOST_MARKERS = 60; // more would merge into a band, and each is an SVG element of its own

// Plotly.react with 3 curves of 600 points takes 7-8 ms here (p50; two shared cores, Chromium without a GPU). The axis
// types and fixed margins are given because guessing them costs 1-2 ms. Autorange and the axis titles together cost
// under 1 ms, Plotly.restyle is no faster, a static plot would save 1 ms; a pointer over the chart adds about 5 ms.
const MARGIN = { l: 52, r: 10, t: 8, b: 42, autoexpand: false };
const OPTIONS = { displayModeBar: false, doubleClick: "autosize", showTips: false };

export class LossChart {
  #word;
  #preferences;
  #theme;
  #run;
  #size = null; // {width, height}: given to Plotly, which would measure the page at each update otherwise
  #drawn = null; // the promise of Plotly's latest update
  #dragging = false;

  #plot = h("div", { class: "toytrain-plot", role: "img" });
  #placeholder = h("p", { class: "toytrain-placeholder" });
  #legend = h("p", { class: "toytrain-legend" });
  #whole = h("button", { type: "button", class: "toytrain-toggle", hidden: "" });
  #unmounted = false;

  #describe = atMostEvery(SPOKEN_EVERY_MS, () => this.#plot.setAttribute("aria-label", this.#description()));
  #resizes = new ResizeObserver(([{ contentRect: { width, height } }]) => this.#resize({ width, height }));

  /** @param {string} plotly URL of plotly.min.js */
  constructor({ word, preferences, theme, plotly }) {
    this.#word = word;
    this.#preferences = preferences;
    this.#theme = theme;
    this.#plot.setAttribute("aria-label", word("no_loss"));
    this.#placeholder.textContent = word("warming");
    this.#whole.textContent = word("whole_run");
    this.#whole.onclick = () => this.#showWholeRun();
    this.#legend.append(...["batch", "smoothed", "test"].map((curve) =>
      h("span", { class: "toytrain-key" },
        h("span", { class: `toytrain-line toytrain-line-${curve}` }), word(`curve_${curve}`))));
    this.header = h("header", { class: "toytrain-header" }, this.#legend, // its title are the tabs (charts.js)
      h("div", { class: "toytrain-tools" }, this.#whole,
        choiceButtons(word("loss_axis"), [
          [false, word("linear"), word("linear_help")],
          [true, word("logarithmic"), word("logarithmic_help")],
        ], { chosen: preferences.logarithmic, choose: (value) => this.#choose(value) })));
    this.element = h("section", { class: "toytrain-block" }, this.header,
      h("div", { class: "toytrain-chart" }, this.#plot, this.#placeholder));
    this.#resizes.observe(this.#plot);
    this.#plot.addEventListener("pointerdown", () => this.#holdStill(), { capture: true });
    this.#loadPlotly(plotly);
  }

  draw(run) {
    this.#run = run;
    this.#redraw();
    this.#describe();
  }

  restyle(theme) {
    this.#theme = theme;
    this.#redraw();
  }

  unmount() {
    this.#unmounted = true;
    this.#resizes.disconnect();
    this.#describe.cancel();
    // Plotly goes on a little after an update (hover labels) and would stumble over an emptied element.
    this.#drawn?.then(() => window.Plotly.purge(this.#plot));
  }

  #choose(logarithmic) {
    this.#preferences.logarithmic = logarithmic;
    this.#redraw();
  }

  #resize(size) {
    if (size.width === 0 || size.height === 0) return; // hidden
    this.#size = size;
    this.#redraw();
  }

  async #loadPlotly(src) {
    if (!window.Plotly) await loadScript(src);
    if (!this.#unmounted) this.#redraw();
  }

  #redraw() {
    const { Plotly } = window;
    if (!Plotly || !this.#run || !this.#size) return;
    const isEmpty = this.#run.losses.length === 0;
    this.#placeholder.hidden = !isEmpty;
    this.#plot.style.visibility = isEmpty ? "hidden" : "visible"; // axes of nothing would only invent figures
    this.#placeholder.textContent = this.#word("no_loss");
    if (isEmpty && !this.#drawn) return; // rather a sentence than empty axes
    if (this.#dragging) return; // an update would move the chart under the user's zoom box
    const isFirst = !this.#drawn;
    this.#drawn = Plotly.react(this.#plot, this.#curves(), this.#layout(), OPTIONS);
    if (isFirst) this.#plot.on("plotly_relayout", () => this.#redraw()); // another range shows other details
    this.#whole.hidden = this.#zoom() === null;
    this.#placeLegend();
  }

  /** Where the legend lies in the plot it stands above the curves, and below them while they end high. */
  #placeLegend() {
    const { type, range: [low, high] = [0, 1] } = this.#plot.layout.yaxis;
    const { smoothed } = this.#run;
    const last = smoothed.length ? smoothed.at(smoothed.length - 1) : 0;
    const share = ((type === "log" ? Math.log10(last) : last) - low) / (high - low);
    const place = share > HIGH ? "below" : "above";
    if (this.#legend.dataset.place !== place) this.#legend.dataset.place = place;
  }

  /** No updates until the pointer is up again. Plotly tells of a zoom, but not of one begun and given up. */
  #holdStill() {
    this.#dragging = true;
    const released = new AbortController();
    const release = () => {
      released.abort();
      // Plotly ends its drag at the mouse event, which follows this pointer event.
      setTimeout(() => {
        this.#dragging = false;
        if (!this.#unmounted) this.#redraw();
      });
    };
    for (const event of ["pointerup", "pointercancel"]) {
      window.addEventListener(event, release, { capture: true, signal: released.signal });
    }
  }

  #showWholeRun() {
    window.Plotly.relayout(this.#plot, { "xaxis.autorange": true, "yaxis.autorange": true });
  }

  /** [first, last] step of the range that the user has zoomed to, or null. */
  #zoom() {
    const axis = this.#drawn ? this.#plot.layout.xaxis : null;
    return axis?.autorange === false ? axis.range : null;
  }

  #curves() {
    const { losses, smoothed, testSteps, testLosses } = this.#run;
    const { text, dark } = this.#theme;
    const orange = dark ? "#e69f00" : "#d55e00";
    const quiet = `rgba(${text}, 0.72)`;
    const [first, last] = this.#zoom() ?? [-Infinity, Infinity];
    // One point beyond either edge, so that lines run on to the edge of the plot.
    const steps = within(losses.length, (i) => i + 1, first, last);
    const epochs = within(testLosses.length, (i) => testSteps.at(i), first, last);
    const step = (i) => i + 1;
    const test = curve(testLosses.thinned(...epochs, MOST_POINTS), (i) => testSteps.at(i));
    const line = { type: "scatter", mode: "lines", hovertemplate: "%{y:.4f}" };
    return [
      { ...line, name: this.#word("curve_batch"), line: { width: 1, color: `rgba(${text}, 0.28)` },
        marker: { size: 5, color: quiet }, mode: losses.length === 1 ? "markers" : "lines", // one point makes no line
        ...curve(losses.thinned(...steps, MOST_POINTS), step) },
      { ...line, name: this.#word("curve_smoothed"), line: { width: 2, color: `rgb(${text})` },
        ...curve(smoothed.thinned(...steps, MOST_POINTS), step) },
      { ...line, name: this.#word("curve_test"), line: { width: 1.5, color: orange },
        marker: { size: 5, color: orange }, mode: test.x.length > MOST_MARKERS ? "lines" : "lines+markers", ...test },
    ];
  }

  #layout() {
    const { text, background, font, scale } = this.#theme;
    const quiet = `rgba(${text}, 0.72)`;
    const gridcolor = `rgba(${text}, 0.09)`;
    const axis = { gridcolor, zeroline: false, ticks: "", ticklabelstandoff: 5, automargin: false,
      ticklabeloverflow: "allow" }; // else Plotly measures each label at each update, a quarter of what one costs
    const { logarithmic } = this.#preferences;
    const { id } = this.#run.spec;
    const [first, last] = this.#zoom() ?? [0, this.#run.losses.length];
    return {
      ...this.#size,
      margin: MARGIN,
      font: { family: font, size: 11 * scale, color: quiet },
      paper_bgcolor: "rgba(0, 0, 0, 0)",
      plot_bgcolor: "rgba(0, 0, 0, 0)",
      showlegend: false,
      // Plotly keeps what the user did (zoom) while the revision stays: for a run, and on y for a kind of axis.
      uirevision: id,
      hovermode: "x unified",
      hoverlabel: { bgcolor: `rgb(${background})`, bordercolor: quiet, font: { color: `rgb(${text})` } },
      // On a touch screen a drag scrolls the page.
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { ...axis, type: "linear", rangemode: "tozero",
        title: { text: this.#word("batches"), standoff: 4 }, tickformat: ",d",
        dtick: last - first < FEW_BATCHES ? 1 : undefined, // no ticks between batches, whose figures would repeat
        spikethickness: 1, spikedash: "solid", spikecolor: quiet,
        unifiedhovertitle: { text: this.#word("hover_title", { step: "%{x:,d}" }) } },
      yaxis: { ...axis, type: logarithmic ? "log" : "linear", title: { text: this.#word("loss_of_axis"), standoff: 4 },
        rangemode: logarithmic ? "normal" : "tozero", ...(logarithmic ? figures.LOG_TICKS : { nticks: 5 }),
        uirevision: `${id} ${logarithmic}` },
    };
  }

  #description() {
    const { head, smoothed, testLosses } = this.#run;
    if (smoothed.length === 0) return this.#word("no_loss");
    const train = this.#word(`trend_${trendOf(smoothed)}`);
    const test = this.#word(`trend_${trendOf(testLosses)}`);
    return this.#word("loss_says", {
      step: figures.count(head.step),
      smoothed: figures.loss(smoothed.at(smoothed.length - 1)),
      train: figures.loss(head.train_loss),
      test: figures.loss(head.test_loss),
      trend: train,
      test_trend: test,
    });
  }
}

/** Whether the last fifth of a curve has fallen, risen or stayed level. */
function trendOf(curve) {
  const last = curve.length - 1;
  if (last < 1) return "level";
  const ratio = curve.at(last) / curve.at(Math.floor(0.8 * last));
  if (ratio < STEADY) return "falling";
  return ratio > 1 / STEADY ? "rising" : "level";
}

const curve = ({ index, value }, xOf) => ({ x: index.map(xOf), y: value });

/** [from, to) of the indices whose x lies in first..last, and one more on either side; xOf must not decrease. */
function within(length, xOf, first, last) {
  const from = firstIndex(length, (i) => xOf(i) >= first);
  const to = firstIndex(length, (i) => xOf(i) > last);
  return [Math.max(0, from - 1), Math.min(length, to + 1)];
}

/** The smallest index below `length` for which `isPast` holds, or `length`: by bisection. */
function firstIndex(length, isPast) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPast(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
