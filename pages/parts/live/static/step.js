// The source of one training step, as the server runs it; and, while one goes through it part by part, the lines that
// have just run and the tensors that they made.

import { h } from "./dom.js";
import { halfStepElements } from "./half_step.js";

// Just enough colour to find the comments and the structure; not a Python parser.
const TOKENS = new RegExp([
  /(?<comment>#.*)/,
  /(?<string>"""[^]*?"""|"[^"\n]*"|'[^'\n]*')/,
  /(?<keyword>\b(?:def|return|if|else|for|in|with|not|and|or|is|None|True|False|self)\b)/,
].map(({ source }) => source).join("|"), "g");

export class StepPanel {
  #word;
  #code = h("code", {});
  #half = h("div", { class: "toytrain-half", hidden: "" });
  #source = null;
  #lines = [0, 0];

  constructor({ word, ask }) {
    this.#word = word;
    const backward = h("button", { type: "button", class: "toytrain-toggle", title: word("backward_help") },
      word("backward"));
    backward.onclick = () => ask("backward");
    this.element = h("section", { class: "toytrain-block toytrain-step" },
      h("header", { class: "toytrain-header" }, h("h2", { class: "toytrain-title" }, word("one_step")),
        h("div", { class: "toytrain-tools" }, backward)),
      // Scrollable, so it must be reachable by keyboard.
      h("pre", { class: "toytrain-code", tabindex: "0", "aria-label": word("one_step") }, this.#code),
      this.#half);
  }

  draw({ spec: { step_source: source } }) {
    if (source === this.#source) return;
    this.#source = source;
    this.#write();
  }

  /** @param half what the server says of the step's part done last (engine/half_steps.py), or null */
  goThrough(half) {
    this.#lines = half?.lines ?? [0, 0];
    this.#half.hidden = !half;
    this.#half.replaceChildren(...(half ? halfStepElements(half, this.#word) : []));
    if (this.#source) this.#write();
  }

  #write() {
    const [from, to] = this.#lines;
    if (from === to) {
      this.#code.replaceChildren(...coloured(this.#source));
      return;
    }
    const lines = this.#source.trimEnd().split("\n");
    const cut = (first, last) => coloured(lines.slice(first, last).map((line) => `${line}\n`).join(""));
    this.#code.replaceChildren(...cut(0, from), h("mark", { "aria-current": "step" }, ...cut(from, to)),
      ...cut(to, lines.length));
  }
}

function coloured(source) {
  const parts = [];
  let end = 0;
  for (const { 0: token, index, groups } of source.matchAll(TOKENS)) {
    const kind = Object.keys(groups).find((name) => groups[name] !== undefined);
    parts.push(source.slice(end, index), h("span", { class: `toytrain-${kind}` }, token));
    end = index + token.length;
  }
  return [...parts, source.slice(end)];
}
