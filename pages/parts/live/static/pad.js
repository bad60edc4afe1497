// A plane to draw points on, with the pointer, a finger or the keyboard.
//
// The page holds the points; what is drawn here is shown at once and sent after each stroke, always all of it, so that
// a message overtaken by the next is no loss. Undo is kept here, and outlives a switch to another page.

import { h, setText, toggleButton } from "./dom.js";
import { Drawing } from "./drawing.js";
import * as figures from "./figures.js";
import { viewOf } from "./component.js";
import { classColour, css } from "./palette.js";
import { Plane } from "./plane.js";

const MOST_CLASSES = 10;
const APART = 14; // CSS pixels between two points of one drag
const ERASER = 14; // its radius, in CSS pixels
const SPRAYED = 5; // points at once
const SPREAD = 22; // CSS pixels
const KEY_STEPS = 40; // across the plane

const KEPT = "toytrain.drawn";

let drawing; // of this tab

class Pad {
  #word;
  #tell;
  #data;
  #theme;
  #label = 0;
  #shown = 2; // so many classes can be chosen
  #tool = "point";
  #last = null; // where the drag has left the last point, in CSS pixels
  #pointer = null;
  #cursor = null; // [x1, x2] while the keyboard draws

  #plane = new Plane((context, theme) => this.#paintCursor(context, theme));
  #classes = h("div", { class: "toytrain-choice", role: "group" });
  #tools = h("div", { class: "toytrain-choice", role: "group" });
  #undo;
  #redo;
  #clear;
  #says = h("p", { class: "toytrain-says", "aria-live": "polite" });
  element;

  constructor({ word, tell }) {
    this.#word = word;
    this.#tell = tell;
    this.#classes.setAttribute("aria-label", word("class_of_new_points"));
    this.#tools.setAttribute("aria-label", word("tool"));
    const button = (text, title, act) => {
      const made = h("button", { type: "button", class: "toytrain-toggle", title }, text);
      made.onclick = act;
      return made;
    };
    this.#undo = button(word("undo"), word("undo_help"), () => this.#do(() => drawing.undo()));
    this.#redo = button(word("redo"), word("redo_help"), () => this.#do(() => drawing.redo()));
    this.#clear = button(word("clear"), word("clear_help"), () => this.#stroke(() => drawing.clear()));
    this.element = h("section", { class: "toytrain-block toytrain-pad" },
      h("header", { class: "toytrain-header" }, this.#classes, this.#tools,
        h("div", { class: "toytrain-tools" }, this.#undo, this.#redo, this.#clear)),
      this.#plane.element, this.#says);
    const { canvas } = this.#plane;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", word("pad_says"));
    canvas.onpointerdown = (event) => this.#begin(event);
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = canvas.onpointercancel = () => this.#end();
    canvas.onpointerleave = () => this.#hover(null);
    canvas.onkeydown = (event) => this.#key(event);
    canvas.onblur = () => this.#hover(null, null);
  }

  update(data, theme) {
    this.#data = data;
    this.#theme = theme;
    const isFirst = drawing === undefined;
    drawing ??= new Drawing(data.most);
    const taken = drawing.take(data.points, data.revision);
    if (isFirst && data.points.length === 0) this.#bringBack();
    else if (taken) keep(drawing.points);
    this.#shown = Math.max(this.#shown, ...drawing.points.map((point) => point[2] + 1));
    this.#choices();
    this.#draw();
  }

  #choices() {
    const classes = Array.from({ length: this.#shown }, (_, label) => {
      const swatch = h("span", { class: "toytrain-swatch", style: `background: ${css(classColour(label))}` });
      return this.#choice([swatch, String(label)], this.#label === label, this.#word("class", { label }), () => {
        this.#label = label;
        if (this.#tool === "erase") this.#tool = "point";
      });
    });
    if (this.#shown < MOST_CLASSES) {
      classes.push(this.#choice("+", false, this.#word("another_class"), () => (this.#label = this.#shown++)));
    }
    this.#classes.replaceChildren(...classes);
    this.#tools.replaceChildren(
      this.#choice(this.#word("point"), this.#tool === "point", this.#word("point_help"), () => (this.#tool = "point")),
      this.#choice(this.#word("spray"), this.#tool === "spray", this.#word("spray_help"), () => (this.#tool = "spray")),
      this.#choice(this.#word("erase"), this.#tool === "erase", this.#word("erase_help"), () => (this.#tool = "erase")),
    );
  }

  #choice(content, pressed, title, choose) {
    return toggleButton(content, {
      pressed,
      title,
      press: () => {
        choose();
        this.#choices();
        this.#draw();
      },
    });
  }

  // Strokes

  #begin(event) {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    drawing.begin();
    this.#cursor = null;
    this.#dab(event.offsetX, event.offsetY);
  }

  #move(event) {
    const place = { x: event.offsetX, y: event.offsetY };
    if (this.#last) {
      const moved = Math.hypot(place.x - this.#last.x, place.y - this.#last.y);
      if (this.#tool === "erase" || moved >= APART) this.#dab(place.x, place.y);
    }
    this.#hover(place);
  }

  #end() {
    this.#last = null;
    if (drawing.end()) this.#send();
  }

  #dab(x, y) {
    this.#last = { x, y };
    const [x1, x2] = this.#plane.at({ x, y });
    this.#mark(x1, x2);
    this.#draw();
  }

  #mark(x1, x2) {
    const { extent } = this.#data;
    const [low, high, bottom, top] = extent;
    if (x1 < low || x1 > high || x2 < bottom || x2 > top) return;
    const pixel = this.#pixel();
    if (this.#tool === "erase") {
      drawing.erase(x1, x2, ERASER * pixel);
    } else if (this.#tool === "spray") {
      for (let i = 0; i < SPRAYED; i++) {
        const angle = 2 * Math.PI * Math.random();
        const far = SPREAD * pixel * Math.sqrt(Math.random());
        drawing.add(x1 + far * Math.cos(angle), x2 + far * Math.sin(angle), this.#label, extent);
      }
    } else {
      drawing.add(x1, x2, this.#label, extent);
    }
  }

  /** How wide a CSS pixel is on the plane. */
  #pixel() {
    return this.#plane.at({ x: 1, y: 0 })[0] - this.#plane.at({ x: 0, y: 0 })[0];
  }

  #stroke(act) {
    drawing.begin();
    act();
    this.#draw();
    this.#end();
  }

  #do(act) {
    act();
    this.#draw();
    this.#send();
  }

  #send() {
    keep(drawing.points);
    this.#tell("drawn", { revision: drawing.revision, points: drawing.points });
  }

  /** After a reload the page knows nothing of points that no run has: this tab does. */
  #bringBack() {
    drawing.points = kept();
    if (drawing.points.length > 0) this.#send();
  }

  // The keyboard

  #key(event) {
    const { extent: [low, high, bottom, top] } = this.#data;
    const step = ((event.shiftKey ? 5 : 1) * (high - low)) / KEY_STEPS;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "z") this.#do(() => drawing.undo());
      else if (event.key === "y") this.#do(() => drawing.redo());
      else return;
    } else if (event.key in moves) {
      const [x1, x2] = this.#cursor ?? [(low + high) / 2, (bottom + top) / 2];
      const clamp = (value, least, greatest) => Math.min(greatest, Math.max(least, value));
      this.#hover(null, [clamp(x1 + moves[event.key][0], low, high), clamp(x2 + moves[event.key][1], bottom, top)]);
    } else if (event.key === " " || event.key === "Enter") {
      this.#cursor ??= [(low + high) / 2, (bottom + top) / 2];
      this.#stroke(() => this.#mark(...this.#cursor));
    } else if ((event.key === "Delete" || event.key === "Backspace") && this.#cursor) {
      this.#stroke(() => drawing.erase(...this.#cursor, ERASER * this.#pixel()));
    } else if (/^\d$/.test(event.key)) {
      this.#label = Number(event.key);
      this.#shown = Math.max(this.#shown, this.#label + 1);
      this.#choices();
      this.#draw();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // Drawing

  #hover(pointer, cursor = this.#cursor) {
    this.#pointer = pointer;
    this.#cursor = cursor;
    this.#draw();
  }

  #draw() {
    const { points } = drawing;
    const scene = {
      extent: this.#data.extent,
      points: points.map(([x1, x2]) => [x1, x2]),
      labels: points.map((point) => point[2]),
      train_points: points.length,
      task: "classification",
    };
    this.#plane.show(scene, this.#theme);
    this.#undo.disabled = !drawing.canUndo;
    this.#redo.disabled = !drawing.canRedo;
    this.#clear.disabled = points.length === 0;
    this.element.dataset.points = points.length;
    setText(this.#says, this.#sentence());
  }

  #sentence() {
    const { points } = drawing;
    if (this.#cursor) {
      const [x1, x2] = this.#cursor.map(figures.coordinate);
      return this.#word("pad_cursor", { x1, x2, points: figures.count(points.length) });
    }
    if (points.length === 0) return this.#word("pad_empty");
    if (points.length >= drawing.most) return this.#word("pad_full", { most: figures.count(drawing.most) });
    const counts = Array.from({ length: this.#shown }, (_, label) => points.filter((point) => point[2] === label).length);
    return this.#word("pad_points", { points: figures.count(points.length), counts: counts.join(" + ") });
  }

  #paintCursor(context, theme) {
    const place = this.#cursor ? this.#plane.place(...this.#cursor) : this.#pointer && [this.#pointer.x, this.#pointer.y];
    if (!place) return;
    const [x, y] = place;
    const radius = { erase: ERASER, spray: SPREAD, point: 4 }[this.#tool];
    context.strokeStyle = this.#tool === "erase" ? css(theme.text) : css(classColour(this.#label));
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (this.#cursor) {
      for (const [from, to] of [[-radius - 6, -radius], [radius, radius + 6]]) {
        context.moveTo(x + from, y);
        context.lineTo(x + to, y);
        context.moveTo(x, y + from);
        context.lineTo(x, y + to);
      }
    }
    context.stroke();
  }
}

function keep(points) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(points));
  } catch {
    // A browser that keeps nothing for pages loses the points at a reload, and nothing else.
  }
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

export const show = viewOf("pad", Pad);
