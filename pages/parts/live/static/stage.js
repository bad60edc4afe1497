// What stands in the square: the decision boundary, one neuron's map in its place, or the hidden space. The views
// share one Stage; who changes it need not know who draws it. No DOM.

export const PLANE = "plane";
export const HIDDEN = "hidden";

export class Stage {
  kind = PLANE;
  neuron = null; // {layer, index}: layer 0 is the first hidden one, the last holds the outputs
  #changed;

  /** @param {() => void} changed called after every change */
  constructor(changed) {
    this.#changed = changed;
  }

  show(kind) {
    this.kind = kind;
    this.neuron = null;
    this.#changed();
  }

  /** Enlarges a neuron, or puts the one that is enlarged back. */
  toggle(layer, index) {
    this.neuron = this.isEnlarged(layer, index) ? null : { layer, index };
    this.#changed();
  }

  /** Puts the neuron back that is enlarged; whether there is one. */
  back() {
    if (!this.neuron) return false;
    this.neuron = null;
    this.#changed();
    return true;
  }

  isEnlarged(layer, index) {
    return this.neuron?.layer === layer && this.neuron.index === index;
  }

  /** Forgets a neuron that another run's network does not have. */
  fit({ spec: { network: { hidden, outputs } } }) {
    if (this.neuron && this.neuron.index >= ([...hidden, outputs][this.neuron.layer] ?? 0)) this.back();
  }
}
