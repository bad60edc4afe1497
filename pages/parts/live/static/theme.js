// Streamlit's theme as values that a canvas and Plotly can use. Streamlit puts it on the component's host as CSS
// variables (--st-text-color, ...), which CSS reads by itself (live.css) but a canvas cannot.

const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** Any CSS colour -> [red, green, blue]. */
function rgb(colour) {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

const SCALED = 1.15; // a canvas has margins of its own: its type grows less than the page's

/** @returns {{text: number[], background: number[], dark: boolean, font: string, codeFont: string, scale: number}} */
export function readTheme(element, large = false) {
  const style = getComputedStyle(element);
  const variable = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const text = rgb(variable("--st-text-color", "#31333f"));
  const background = rgb(variable("--st-background-color", "#ffffff"));
  const sum = (colour) => colour[0] + colour[1] + colour[2];
  return {
    text,
    background,
    dark: sum(background) < sum(text),
    font: variable("--st-font", "sans-serif"),
    codeFont: variable("--st-code-font", "monospace"),
    scale: large ? SCALED : 1,
  };
}
