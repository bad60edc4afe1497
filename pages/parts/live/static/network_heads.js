// The buttons that add and remove neurons and layers, over the network's columns and in its header. They change what
// the page's controls say; a run that has trained keeps its own network until Reset.

import { h, setText } from "./dom.js";

export class NetworkHeads {
  columns = h("div", { class: "toytrain-heads" });
  layers = h("div", { class: "toytrain-head", role: "group" });
  #word;
  #change;
  #count = h("span", {});
  #heads = [];
  #settings = null;
  #fewerLayers;
  #moreLayers;

  /** @param change called with the new list of neurons per hidden layer */
  constructor(word, change) {
    this.#word = word;
    this.#change = change;
    this.layers.setAttribute("aria-label", word("hidden_layers"));
    this.#fewerLayers = button("−", word("fewer_layers"), () => change(this.#settings.hidden.slice(0, -1)));
    this.#moreLayers = button("+", word("more_layers"), () =>
      change([...this.#settings.hidden, this.#settings.hidden.at(-1)]));
    this.layers.append(this.#fewerLayers, this.#count, this.#moreLayers);
  }

  /** @param hidden neurons per layer of the run on the screen; @param settings of the page, null for who watches */
  show(hidden, settings) {
    this.#settings = settings;
    const wanted = settings?.hidden ?? hidden;
    setText(this.#count, this.#word(wanted.length === 1 ? "one_layer" : "many_layers", { count: wanted.length }));
    const mayChange = settings !== null && !settings.fixed.includes("hidden");
    this.#fewerLayers.hidden = this.#moreLayers.hidden = !mayChange;
    this.#fewerLayers.disabled = wanted.length <= 1;
    this.#moreLayers.disabled = wanted.length >= settings?.most_layers;
    if (this.#heads.length !== hidden.length) this.#build(hidden.length);
    this.#heads.forEach(({ fewer, count, more }, layer) => {
      const own = wanted[layer]; // none if the layer goes with the next Reset
      setText(count, own === undefined || own === hidden[layer] ? String(hidden[layer]) : `${hidden[layer]} → ${own}`);
      fewer.hidden = more.hidden = !mayChange || own === undefined;
      fewer.disabled = own <= 1;
      more.disabled = own >= settings?.most_neurons;
    });
  }

  /** @param columns the hidden layers' places (network_layout.js) */
  place(columns) {
    if (this.#heads.length !== columns.length) this.#build(columns.length);
    columns.forEach(({ center }, layer) => (this.#heads[layer].element.style.left = `${center}px`));
  }

  #build(layers) {
    this.#heads = Array.from({ length: layers }, (_, layer) => {
      const add = (more) => this.#change(this.#settings.hidden.map((own, i) => (i === layer ? own + more : own)));
      const number = layer + 1;
      const fewer = button("−", this.#word("fewer_neurons", { layer: number }), () => add(-1));
      const more = button("+", this.#word("more_neurons", { layer: number }), () => add(1));
      const count = h("span", {});
      const element = h("div", { class: "toytrain-head", role: "group",
        "aria-label": this.#word("neurons_of_layer", { layer: number }) }, fewer, count, more);
      return { element, fewer, count, more };
    });
    this.columns.replaceChildren(...this.#heads.map(({ element }) => element));
  }
}

function button(text, title, press) {
  const element = h("button", { type: "button", class: "toytrain-toggle", title, "aria-label": title }, text);
  element.onclick = press;
  return element;
}
