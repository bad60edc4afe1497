// A view as a Streamlit component (v2) that gets all it shows with the page, not from a stream.
//
// Streamlit calls a component's function again at every change of its data or theme. The view is made once per host
// element, made anew only in another language, and goes with its element.

import { h, loadStylesheet, translator } from "./dom.js";
import { readTheme } from "./theme.js";

await Promise.all(["live.css", "data.css"].map((name) => loadStylesheet(new URL(name, import.meta.url))));

/**
 * The `show` of a component. `View` is made with { word, tell } and has `element` and `update(data, theme)`;
 * `tell(name, value)` sets a trigger, which runs the page.
 */
export function viewOf(name, View) {
  const mounted = Symbol.for(`toytrain.${name}`);
  return function show(component) {
    const { data, parentElement: host } = component;
    let own = host[mounted];
    const language = JSON.stringify(data.words);
    if (own?.language !== language) {
      const view = new View({ word: translator(data.words), tell: (...news) => own.component.setTriggerValue(...news) });
      own = host[mounted] = { view, language, component };
      host.replaceChildren(h("div", { class: "toytrain-live" }, view.element));
    }
    own.component = component; // of the newest call: its triggers know the present widget
    own.view.update(data, readTheme(host));
    return { unmount() {} };
  };
}
