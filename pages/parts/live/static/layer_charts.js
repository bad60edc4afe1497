// The charts beside the loss: the learning rate over time, gradients, weights, and which ReLUs are dead.

import { choiceButtons, h } from "./dom.js";
import * as figures from "./figures.js";
import { FigureView, LAYER_COLOURS, layerName } from "./figure_view.js";

const GAP = 0.05; // between small charts side by side, as a share of the width

export class RatesChart extends FigureView {
  constructor(context) {
    super(context, { view: "rates", array: "rates", explains: context.word("rates_explains") });
    if (!context.finds) return;
    const find = h("button", { type: "button", class: "toytrain-toggle", title: context.word("find_rate_help") },
      context.word("find_rate"));
    find.onclick = () => context.ask("find_rate");
    this.tools.append(find);
  }

  traces({ arrays: { rates }, head }) {
    const x = [];
    const y = [];
    for (let i = 0; i < rates.length; i += 2) {
      x.push(rates[i]);
      y.push(rates[i + 1]);
    }
    x.push(Math.max(head.step, x.at(-1)));
    y.push(y.at(-1));
    return [{ type: "scatter", mode: "lines", x, y, line: { shape: "hv", width: 2, color: LAYER_COLOURS[0] },
      hovertemplate: "%{y:.4g}<extra></extra>" }];
  }

  layout({ head }) {
    return {
      xaxis: this.batches(0, head.step, { rangemode: "tozero" }),
      yaxis: this.axis({ title: { text: this.word("learning_rate"), standoff: 4 }, rangemode: "tozero", nticks: 5 }),
    };
  }

  says({ arrays: { rates }, head }) {
    return [[this.word("rates_say", {
      rate: figures.learningRate(head.learning_rate), step: figures.count(head.step),
      changes: figures.count(rates.length / 2 - 1),
    }), LAYER_COLOURS[0]]];
  }
}

export class WeightsChart extends FigureView {
  constructor(context) {
    super(context, { view: "weights", array: "weight_counts", explains: context.word("weights_explain") });
  }

  traces({ arrays: { weight_counts: counts, weight_reach: reach } }) {
    return histograms(counts, reach);
  }

  layout({ arrays: { weight_reach: reach } }) {
    return beside(this, reach);
  }

  says({ arrays: { weight_reach: reach } }) {
    return [...reach].map((size, layer) => [this.word("layer_within", {
      layer: layerName(this.word, layer, reach.length), reach: figures.short(size),
    }), LAYER_COLOURS[layer]]);
  }
}

export class GradientsChart extends FigureView {
  #overTime = true;

  constructor(context) {
    super(context, { view: "gradients", array: "gradient_norms", explains: context.word("gradients_explain") });
    this.tools.append(choiceButtons(context.word("gradients"), [
      [true, context.word("over_time"), context.word("over_time_help")],
      [false, context.word("now"), context.word("now_help")],
    ], { chosen: true, choose: (overTime) => this.#choose(overTime) }));
  }

  #choose(overTime) {
    this.#overTime = overTime;
    this.redraw();
  }

  traces({ arrays: { gradient_counts: counts, gradient_reach: reach, gradient_norms: norms } }) {
    if (!this.#overTime) return histograms(counts, reach);
    const width = 1 + reach.length;
    const samples = norms.length / width;
    const column = (at) => Array.from({ length: samples }, (_, i) => norms[width * i + at]);
    const x = column(0);
    return [...reach].map((_, layer) => ({
      type: "scatter", mode: samples === 1 ? "markers" : "lines", x, y: column(1 + layer),
      name: layerName(this.word, layer, reach.length),
      line: { width: 1.5, color: LAYER_COLOURS[layer] }, marker: { color: LAYER_COLOURS[layer] },
      hovertemplate: "%{y:.3g}",
    }));
  }

  layout({ arrays: { gradient_reach: reach, gradient_norms: norms } }) {
    if (!this.#overTime) return beside(this, reach);
    return {
      hovermode: "x unified",
      xaxis: this.batches(norms[0], norms.at(-1 - reach.length)),
      yaxis: this.axis({ type: "log", title: { text: this.word("norm"), standoff: 4 }, ...figures.LOG_TICKS }),
    };
  }

  says({ arrays: { gradient_norms: norms, gradient_reach: reach } }) {
    const last = norms.subarray(norms.length - reach.length);
    return [...last].map((norm, layer) => [this.word("layer_norm", {
      layer: layerName(this.word, layer, reach.length), norm: figures.short(norm),
    }), LAYER_COLOURS[layer]]);
  }
}

export class ActivityChart extends FigureView {
  constructor(context) {
    super(context, { view: "activity", array: "activity", explains: context.word("activity_explains") });
  }

  missing({ spec }) {
    return spec.activation === "relu" ? "" : this.word("no_relu", { activation: spec.activation });
  }

  traces({ arrays: { activity, activity_widths: widths } }) {
    let first = 0;
    return [...widths].map((width, layer) => {
      const name = layerName(this.word, layer, widths.length + 1);
      const shares = [...activity.subarray(first, (first += width))];
      const from = first - width + layer; // an empty place between two layers
      return {
        type: "bar", x: shares.map((_, neuron) => from + neuron), y: shares.map((share) => share || 1),
        customdata: shares.map((share, neuron) => [neuron, share]),
        marker: { color: shares.map((share) => (share ? LAYER_COLOURS[layer] : "rgba(0, 0, 0, 0)")),
          line: { width: shares.map((share) => (share ? 0 : 1.5)), color: this.theme.dark ? "#ff8a65" : "#c62828" } },
        hovertemplate: `${name}, %{customdata[0]}: %{customdata[1]:.0%}<extra></extra>`,
      };
    });
  }

  layout({ arrays: { activity_widths: widths } }) {
    let first = 0;
    const middles = [...widths].map((width, layer) => (first += width) - width / 2 + layer - 0.5);
    const names = [...widths].map((_, layer) => layerName(this.word, layer, widths.length + 1));
    return {
      bargap: 0.15,
      xaxis: this.axis({ tickvals: middles, ticktext: names, showgrid: false }),
      yaxis: this.axis({ range: [0, 1.02], tickformat: ".0%", nticks: 5,
        title: { text: this.word("share_of_rows"), standoff: 4 } }),
    };
  }

  says({ arrays: { activity, activity_widths: widths } }) {
    let first = 0;
    return [...widths].map((width, layer) => {
      const dead = activity.subarray(first, (first += width)).reduce((count, share) => count + (share === 0), 0);
      const name = layerName(this.word, layer, widths.length + 1);
      return [this.word("layer_dead", { layer: name, dead, width }), LAYER_COLOURS[layer]];
    });
  }
}

/** A bar chart per layer, each on axes of its own. `counts` holds as many bins for each as for the others. */
function histograms(counts, reach) {
  const bins = counts.length / reach.length;
  return [...reach].map((size, layer) => {
    const own = [...counts.subarray(layer * bins, (layer + 1) * bins)];
    const width = (2 * size) / bins;
    return {
      type: "bar", x: own.map((_, bin) => -size + (bin + 0.5) * width), y: own,
      xaxis: `x${layer + 1}`, yaxis: `y${layer + 1}`, marker: { color: LAYER_COLOURS[layer] },
      hovertemplate: "%{x:.3g}: %{y}<extra></extra>",
    };
  });
}

/** The axes of such charts side by side, each under the name of its layer. */
function beside(view, reach) {
  const width = (1 - GAP * (reach.length - 1)) / reach.length;
  const layout = { bargap: 0, margin: { l: 10, r: 10, t: 6, b: 22, autoexpand: false } };
  reach.forEach((size, layer) => {
    const from = layer * (width + GAP);
    const domain = [from, Math.min(1, from + width)];
    const [x, y] = [`x${layer + 1}`, `y${layer + 1}`];
    layout[`xaxis${layer + 1}`] = view.axis({ domain, range: [-size, size], nticks: 5, anchor: y, showgrid: false });
    layout[`yaxis${layer + 1}`] = view.axis({ anchor: x, showticklabels: false, rangemode: "tozero", nticks: 4 });
  });
  return layout;
}
