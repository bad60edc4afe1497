// Colours of classes and of continuous labels, and the 256-entry palettes that turn a picture's bytes into pixels.
// Pure. A colour is [red, green, blue], 0..255.
//
// A picture's byte, as the server encodes it:
//   classification  class * L + round((p - 1/K) / (1 - 1/K) * (L - 1)),  L = floor(256 / K)
//   regression      0..255, linear over the label range

const BLUE = [0, 114, 178];
const ORANGE = [230, 159, 0];

// Okabe and Ito's seven colours (2008, jfly.uni-koeln.de/color), blue and orange first so that two classes have the
// pair that every kind of colour vision tells apart. Their black is left out: it would vanish in a dark theme. The last
// three are ours, for up to ten classes: with them no two colours come nearer (CIELAB, with and without simulated
// protanopia, deuteranopia and tritanopia) than the nearest two of the seven do.
const CLASS_COLOURS = [
  BLUE,
  ORANGE,
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [213, 94, 0],
  [240, 228, 66],
  [90, 40, 120],
  [195, 195, 195],
  [128, 70, 20],
];

// How much of its own colour a place shows: even full confidence stays below the points drawn over it.
const FAINTEST = 0.06;
const STRONGEST = { light: 0.62, dark: 0.5 };
const HARD = 0.5;

export const classColour = (label) => CLASS_COLOURS[label % CLASS_COLOURS.length];

export const css = ([r, g, b]) => `rgb(${r}, ${g}, ${b})`;

export const mix = (from, to, share) => from.map((channel, i) => Math.round(channel + (to[i] - channel) * share));

const levels = (classes) => Math.floor(256 / classes);

/** A picture's byte -> the class it shows and that class's probability. */
export function decodeClass(value, classes) {
  const steps = levels(classes);
  const label = Math.min(classes - 1, Math.floor(value / steps));
  const confidence = (value - label * steps) / (steps - 1);
  return { label, probability: 1 / classes + confidence * (1 - 1 / classes) };
}

/** Confidence fades each class's colour out to the background; the hard form shows the class alone. */
export function classPalette(classes, { background, dark }, { hard }) {
  const steps = levels(classes);
  const strongest = dark ? STRONGEST.dark : STRONGEST.light;
  return fromColours((value) => {
    const label = Math.min(classes - 1, Math.floor(value / steps));
    const confidence = (value - label * steps) / (steps - 1);
    return mix(background, classColour(label), hard ? HARD : FAINTEST + (strongest - FAINTEST) * confidence);
  });
}

/** Blue over the background's colour to orange. */
export function regressionPalette({ background, dark }) {
  const strongest = dark ? STRONGEST.dark : STRONGEST.light;
  return fromColours((value) => mix(background, continuousColour(value / 255, background), strongest));
}

/** The full-strength colour of a continuous label at `share` (0..1) of the label range. */
export function continuousColour(share, middle) {
  const away = Math.min(1, Math.abs(2 * share - 1));
  return mix(middle, share < 0.5 ? BLUE : ORANGE, away);
}

// The sign of a weight or of an activation, in a pair that is no class's: ColorBrewer's PRGn (Harrower and Brewer
// 2003), which every kind of colour vision tells apart.
const SIGNS = {
  light: { negative: [118, 42, 131], positive: [0, 122, 51] },
  dark: { negative: [194, 126, 212], positive: [90, 194, 120] },
};

export const signColours = ({ dark }) => SIGNS[dark ? "dark" : "light"];

/**
 * A neuron's map, whose bytes stand around 128: the background's colour at 0, a colour for each sign.
 * @param positive the colour above 0, where it is not the sign's
 */
export function signPalette(theme, positive = signColours(theme).positive) {
  const { negative } = signColours(theme);
  return fromColours((value) => {
    const share = Math.min(1, Math.abs(value - 128) / 127);
    return mix(theme.background, value < 128 ? negative : positive, 0.85 * share);
  });
}

// ImageData is RGBA by byte; on the little-endian machines browsers run on, one Uint32 per pixel is ABGR.
function fromColours(colourOf) {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const [r, g, b] = colourOf(value);
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}
