// The row of figures, and the line under it: what the run does now, and whether the stream is up.

import { atMostEvery, h, setText } from "./dom.js";
import * as figures from "./figures.js";

const SPOKEN_EVERY_MS = 1000;

// Name (data-figure, for tests), label, and how the newest header becomes text. Widths stand in live.css.
const FIGURES = [
  ["epoch", () => "epoch", (head, spec) => figures.countOf(head.epoch, spec.epochs)],
  ["batch", () => "batch", (head) => figures.countOf(head.batch, head.batches)],
  ["samples", () => "samples", (head) => figures.count(head.samples)],
  ["rate", () => "rate", (head) => figures.rate(head.rate)],
  ["train_loss", () => "train_loss", (head) => figures.loss(head.train_loss)],
  ["test_loss", () => "test_loss", (head) => figures.loss(head.test_loss)],
  ["train_score", (spec) => scoreWord("train", spec), (head) => figures.score(head.train_score)],
  ["test_score", (spec) => scoreWord("test", spec), (head) => figures.score(head.test_score)],
  ["learning_rate", () => "learning_rate", (head) => figures.learningRate(head.learning_rate)],
];

const scoreWord = (part, spec) => `${part}_${spec.task === "regression" ? "r2" : "accuracy"}`;

const BEFORE_THE_FIRST_FRAME = { spec: { task: "classification" }, head: {} };

export class Numbers {
  #word;
  #cells = new Map();
  #status = h("p", { class: "toytrain-status", role: "status", "aria-live": "polite" });
  #connection = h("p", { class: "toytrain-connection", hidden: "" });
  #slowed = h("p", { class: "toytrain-slowed", hidden: "" });

  // Throttled, because each change of it is read out.
  #tell = atMostEvery(SPOKEN_EVERY_MS, ({ status, message }) => {
    this.#status.dataset.kind = status;
    setText(this.#status, [this.#word(`status_${status}`), message].filter(Boolean).join(" – "));
  });
  #told = "";

  constructor({ word, hidden }) {
    this.#word = word;
    const row = h("dl", { class: "toytrain-numbers", hidden: hidden.includes("numbers") ? "" : null });
    for (const [name] of FIGURES) {
      const label = h("dt", {});
      const figure = h("dd", { "data-figure": name });
      this.#cells.set(name, { label, figure });
      row.append(h("div", { class: `toytrain-number toytrain-number-${name}` }, label, figure));
    }
    setText(this.#connection, word("connection_lost"));
    this.element = h("section", { class: "toytrain-top" }, row,
      h("div", { class: "toytrain-lines" }, this.#status, this.#slowed, this.#connection));
    this.draw(BEFORE_THE_FIRST_FRAME);
    setText(this.#status, word("status_starting")); // not told: the first frame need not wait its turn behind it
  }

  draw({ head, spec }) {
    for (const [name, label, figure] of FIGURES) {
      const cell = this.#cells.get(name);
      setText(cell.label, this.#word(label(spec)));
      setText(cell.figure, figure(head, spec));
    }
    this.#slowed.hidden = !head.slowed_by;
    if (head.slowed_by) setText(this.#slowed, this.#word("slowed", { runs: head.slowed_by }));
    if (head.status) this.#say(head.status, head.message);
  }

  /** @param {"open" | "connecting" | "lost"} state */
  showConnection(state) {
    this.#connection.hidden = state !== "lost";
  }

  unmount() {
    this.#tell.cancel();
  }

  #say(status, message) {
    const key = `${status} ${message}`;
    if (key === this.#told) return;
    this.#told = key;
    this.#tell({ status, message });
  }
}
