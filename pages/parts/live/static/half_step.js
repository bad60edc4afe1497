// Where a step stands that is gone through part by part: what has just been done, and the tensors it made or changed.
//
// The server's answer (engine/half_steps.py) comes with Streamlit's data, because each part is a click.

import { h } from "./dom.js";
import * as figures from "./figures.js";

const PARTS = ["forward", "loss", "backward", "optimizer step"];

const keyOf = (part) => part.replace(" ", "_");

/** @returns {HTMLElement[]} the part's heading, its sentence, and a table for each tensor */
export function halfStepElements(half, word) {
  const heading = h("ol", { class: "toytrain-parts" }, ...PARTS.map((part, number) =>
    h("li", { "aria-current": number === half.number ? "step" : null }, word(`part_${keyOf(part)}`))));
  const about = h("p", { class: "toytrain-part", role: "status" },
    word(`about_${keyOf(half.part)}`, { epoch: figures.count(half.epoch + 1), batch: figures.count(half.batch + 1) }));
  return [heading, about, h("div", { class: "toytrain-tensors", tabindex: "0", "aria-label": word("tensors") },
    ...half.tensors.map((tensor) => tensorElement(tensor, word)))];
}

function tensorElement({ name, shape, values, before }, word) {
  const rows = asRows(values, shape);
  const old = before === null ? null : asRows(before, shape);
  const changes = old && rows.map((row, y) => row.map((value, x) => value - old[y][x]));
  const scale = Math.max(...(changes ?? rows).flat().filter(Number.isFinite).map(Math.abs), 1e-12);
  const table = h("table", {}, ...rows.map((row, y) => h("tr", {}, ...row.map((value, x) => {
    const strength = (changes ? changes[y][x] : value) / scale;
    return h("td", {
      style: `--strength: ${Math.round(45 * Math.min(1, Math.abs(strength) || 0))}%`,
      "data-sign": strength < 0 ? "minus" : "plus",
      title: old ? word("changed_from", { before: digits(old[y][x]), after: digits(value) }) : String(value),
    }, digits(value));
  }))));
  const size = shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "()";
  const isCut = rows.length * rows[0].length < shape.reduce((product, length) => product * length, 1);
  const notes = [
    isCut ? (shape.length === 1 ? word("first_of_row", { count: values.length })
      : word("first_values", { rows: rows.length, columns: rows[0].length })) : null,
    changes ? word("largest_change", { change: digits(Math.max(...changes.flat().map(Math.abs))) }) : null,
  ].filter(Boolean);
  return h("figure", { class: "toytrain-tensor" },
    h("figcaption", {}, h("code", {}, name), " ", h("span", {}, size), notes.length ? ` – ${notes.join("; ")}` : ""),
    table);
}

/** Every tensor as rows of numbers: one without dimensions is a row of one, labels are a row. */
function asRows(values, shape) {
  if (shape.length === 0) return [[values]];
  return shape.length === 1 ? [values] : values;
}

function digits(value) {
  if (!Number.isFinite(value)) return String(value); // "nan" and "inf" come as words
  if (Number.isInteger(value)) return figures.count(value);
  const size = Math.abs(value);
  const text = size >= 1e-3 && size < 1e4 ? value.toFixed(4) : value.toExponential(1);
  return text.replaceAll("-", "−");
}
