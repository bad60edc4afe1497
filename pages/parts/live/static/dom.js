// Small helpers around the DOM that every view shares. Knows nothing of runs, streams or colours.

/**
 * An element with attributes and children: `h("p", { class: "quiet" }, "text", h("b", {}, "bold"))`.
 * Attributes that are null or undefined are left out; children may be text or nodes.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets text only where it differs: an unchanged node then costs no layout, thirty times a second. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** "after epoch {epoch}" with { epoch: 12 } -> "after epoch 12". Translators may reorder the names. */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** `words.key`, or the key itself where a translation is missing: a visible gap is better than none. */
export function translator(words) {
  return (key, values = {}) => fill(words[key] ?? key, values);
}

/** A two-state button. `press(pressed)` is called with the state it has just been put into. */
export function toggleButton(content, { pressed, title, press }) {
  const button = h("button", { type: "button", class: "toytrain-toggle", "aria-pressed": String(pressed), title });
  button.append(...[content].flat());
  button.onclick = () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    press(next);
  };
  return button;
}

/** Buttons of which exactly one is pressed. `options`: [value, text, title] each; `choose(value)` hears a change. */
export function choiceButtons(label, options, { chosen, choose }) {
  const buttons = options.map(([value, text, title]) => {
    const button = h("button", { type: "button", class: "toytrain-toggle", title }, text);
    button.onclick = () => {
      mark(value);
      choose(value);
    };
    return [value, button];
  });
  const mark = (value) => {
    for (const [own, button] of buttons) button.setAttribute("aria-pressed", String(own === value));
  };
  mark(chosen);
  const element = h("div", { class: "toytrain-choice", role: "group", "aria-label": label },
    ...buttons.map(([, button]) => button));
  element.mark = mark; // for who learns of the choice from elsewhere
  return element;
}

/**
 * A function that runs `action` at most once in `milliseconds`, with the last argument it was given.
 * For what is spoken: a screen reader must not be flooded by a live run. `cancel()` forgets what is due.
 */
export function atMostEvery(milliseconds, action) {
  let timer = null;
  let due = null;
  const run = () => {
    timer = null;
    if (due === null) return;
    const [argument] = due;
    due = null;
    action(argument);
    timer = setTimeout(run, milliseconds);
  };
  const call = (argument) => {
    due = [argument];
    if (timer === null) run();
  };
  call.cancel = () => {
    clearTimeout(timer);
    timer = null;
    due = null;
  };
  return call;
}

/** Resolves when a stylesheet applies. A missing one resolves too: an unstyled run is better than none. */
export function loadStylesheet(href) {
  return new Promise((resolve) => {
    const link = h("link", { rel: "stylesheet", href });
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}

const scripts = new Map();

/** Runs a classic script once per page, however many views ask for it; a failed load may be tried again. */
export function loadScript(src) {
  if (!scripts.has(src)) {
    const loaded = new Promise((resolve, reject) => {
      const script = h("script", { src });
      script.onload = resolve;
      script.onerror = () => {
        scripts.delete(src);
        script.remove();
        reject(new Error(`toytrain: ${src} could not be loaded`));
      };
      document.head.append(script);
    });
    scripts.set(src, loaded);
  }
  return scripts.get(src);
}
