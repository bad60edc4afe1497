// The charts of a run under tabs: the loss, and what else there is to see while a network learns. Only the open one is
// drawn, and only for it the server computes anything.

import { h } from "./dom.js";
import { ActivityChart, GradientsChart, RatesChart, WeightsChart } from "./layer_charts.js";
import { LossChart } from "./loss.js";

export class Charts {
  static names = ["loss", "rates", "gradients", "weights", "activity"];

  element = h("div", { class: "toytrain-loss" });
  #context;
  #tabs = new Map();
  #bar;
  #open = null;
  #view = null;
  #run = null;

  constructor(context) {
    this.#context = context;
    const { word } = context;
    this.#bar = h("div", { class: "toytrain-choice toytrain-tabs", role: "tablist", "aria-label": word("charts") });
    for (const [name, Chart, label, help] of [
      ["loss", LossChart, word("loss"), word("loss_help")],
      ["rates", RatesChart, word("tab_rates"), word("learning_rate")],
      ["gradients", GradientsChart, word("gradients"), word("gradients_help")],
      ["weights", WeightsChart, word("tab_weights"), word("weights_help")],
      ["activity", ActivityChart, word("tab_activity"), word("activity_help")],
    ].filter(([name]) => !context.hidden.includes(name))) {
      const tab = h("button", { type: "button", class: "toytrain-toggle", role: "tab", title: help, "data-tab": name },
        label);
      tab.onclick = () => this.#choose(name);
      this.#tabs.set(name, { Chart, tab });
      this.#bar.append(tab);
    }
    this.#bar.onkeydown = (event) => this.#key(event);
    const [first] = this.#tabs.keys();
    this.#choose(this.#tabs.has(context.preferences.chart) ? context.preferences.chart : first);
  }

  /** Those of the open chart. */
  get views() {
    return this.#view.views ?? [];
  }

  draw(run) {
    this.#run = run;
    this.#view.draw(run);
  }

  restyle(theme) {
    this.#context.theme = theme;
    this.#view.restyle(theme);
  }

  unmount() {
    this.#view.unmount();
  }

  #choose(name) {
    if (name === this.#open) return;
    this.#view?.unmount();
    this.#open = this.#context.preferences.chart = name;
    for (const [other, { tab }] of this.#tabs) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
    }
    const hadFocus = this.#bar.contains(document.activeElement);
    const { Chart, tab } = this.#tabs.get(name);
    this.#view = new Chart(this.#context);
    this.#view.header.prepend(this.#bar);
    this.#view.element.setAttribute("role", "tabpanel");
    this.#view.element.setAttribute("aria-label", tab.title);
    this.element.replaceChildren(this.#view.element);
    if (hadFocus) tab.focus();
    if (this.#run) this.#view.draw(this.#run);
    this.#context.look();
  }

  #key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const names = [...this.#tabs.keys()];
    const next = names[(names.indexOf(this.#open) + by + names.length) % names.length];
    this.#choose(next);
    this.#tabs.get(next).tab.focus();
  }
}
