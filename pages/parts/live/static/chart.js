// One figure of Plotly, updated in place. (st.plotly_chart mounts another at every change of its data: it would blink
// at each look that a page takes at a run.)

import { h, loadScript } from "./dom.js";
import { readTheme } from "./theme.js";

const OPTIONS = { displayModeBar: false, showTips: false };
const CHART = Symbol.for("toytrain.chart");

/** Draws component.data.figure into component.parentElement, or brings the chart there up to date. */
export async function show({ data, parentElement }) {
  parentElement[CHART] ??= new Chart(parentElement);
  if (!window.Plotly) await loadScript(data.plotly);
  parentElement[CHART].draw(data);
  return { unmount() {} }; // the host element takes the chart with it
}

class Chart {
  #host;
  #data;
  #plot = h("div", { role: "img" });
  #resizes = new ResizeObserver(() => this.#redraw());

  constructor(host) {
    this.#host = host;
    host.append(this.#plot);
    this.#resizes.observe(host);
  }

  draw(data) {
    this.#data = data;
    this.#plot.setAttribute("aria-label", data.alt);
    this.#redraw();
  }

  #redraw() {
    if (!this.#host.isConnected) return this.#resizes.disconnect();
    const width = this.#host.clientWidth;
    if (!this.#data || !width) return;
    const { text, font } = readTheme(this.#host);
    const grid = { gridcolor: `rgba(${text}, 0.09)`, zerolinecolor: `rgba(${text}, 0.3)` };
    const { data, layout } = this.#data.figure;
    window.Plotly.react(this.#plot, data, {
      ...layout,
      width,
      font: { family: font, size: 11, color: `rgba(${text}, 0.8)` },
      paper_bgcolor: "rgba(0, 0, 0, 0)",
      plot_bgcolor: "rgba(0, 0, 0, 0)",
      xaxis: { ...grid, ...layout.xaxis },
      yaxis: { ...grid, ...layout.yaxis },
    }, OPTIONS);
  }
}
