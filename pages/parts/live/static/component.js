// A view as a Streamlit component that gets all it shows with the page, not from a stream.

import { h, loadStylesheet, translator } from "./dom.js";
import { mount } from "./mounting.js";
import { readTheme } from "./theme.js";

await Promise.all(["live.css", "data.css"].map((name) => loadStylesheet(new URL(name, import.meta.url))));

/**
 * The `show` of a component. `View` is made with { word, tell }, and again in another language; it has `element` and
 * `update(data, theme)`. `tell(name, value)` sets a trigger, which runs the page.
 */
export function viewOf(name, View) {
  class Mounted {
    #host;
    #root = h("div", { class: "toytrain-live" });
    #view;
    #words;
    #component; // of the newest call: its triggers know the present widget

    constructor(host) {
      this.#host = host;
      host.append(this.#root);
    }

    update(component) {
      this.#component = component;
      const { data } = component;
      const words = JSON.stringify(data.words);
      if (words !== this.#words) {
        this.#words = words;
        const tell = (trigger, value) => this.#component.setTriggerValue(trigger, value);
        this.#view = new View({ word: translator(data.words), tell });
        this.#root.replaceChildren(this.#view.element);
      }
      this.#view.update(data, readTheme(this.#host));
    }

    unmount() {
      this.#root.remove();
    }
  }
  return (component) => mount(component, `toytrain.${name}`, Mounted);
}
