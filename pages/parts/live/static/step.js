// The source of one training step, as the server runs it.

import { h } from "./dom.js";

// Just enough colour to find the comments and the structure; not a Python parser.
const TOKENS = new RegExp([
  /(?<comment>#.*)/,
  /(?<string>"""[^]*?"""|"[^"\n]*"|'[^'\n]*')/,
  /(?<keyword>\b(?:def|return|if|else|for|in|with|not|and|or|is|None|True|False|self)\b)/,
].map(({ source }) => source).join("|"), "g");

export class StepPanel {
  #code = h("code", {});

  constructor({ word, ask }) {
    const backward = h("button", { type: "button", class: "toytrain-toggle", title: word("backward_help") },
      word("backward"));
    backward.onclick = () => ask("backward");
    this.element = h("section", { class: "toytrain-block toytrain-step" },
      h("header", { class: "toytrain-header" }, h("h2", { class: "toytrain-title" }, word("one_step")),
        h("div", { class: "toytrain-tools" }, backward)),
      // Scrollable, so it must be reachable by keyboard.
      h("pre", { class: "toytrain-code", tabindex: "0", "aria-label": word("one_step") }, this.#code));
  }

  draw({ spec: { step_source: source } }) {
    if (source === this.#code.textContent) return;
    this.#code.replaceChildren(...coloured(source));
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
