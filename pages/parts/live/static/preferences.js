// How this person likes the views: kept in the browser, never sent to the server, the same for every run.

const KEY = "toytrain.view";
const DEFAULTS = { hard: false, train: true, test: true, logarithmic: false, chart: "loss" };

/** An object that can be read and assigned like DEFAULTS; an assignment is remembered at once. */
export function loadPreferences() {
  return new Proxy({ ...DEFAULTS, ...stored() }, {
    set(values, name, value) {
      values[name] = value;
      try {
        localStorage.setItem(KEY, JSON.stringify(values));
      } catch {
        // Storage may be full or forbidden (private windows): the choice then holds until the page is left.
      }
      return true;
    },
  });
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // unreadable or forbidden: begin with the defaults
  }
}
