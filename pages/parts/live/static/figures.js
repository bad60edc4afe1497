// Numbers as people read them: few digits, always the same width for the same kind. Pure.

const NOTHING = "–";
const MINUS = "−"; // as wide as a digit, unlike the hyphen

const whole = new Intl.NumberFormat(globalThis.document?.documentElement.lang || "en", { maximumFractionDigits: 0 });

const known = (format) => (value) =>
  value === null || value === undefined ? NOTHING : format(value).replace("-", MINUS);

export const count = known((value) => whole.format(value));

/** "5/31"; without a total, or with a total of 0 (no limit), "5". */
export const countOf = (value, total) => (total ? `${count(value)}/${count(total)}` : count(value));

export const rate = known((value) => (value < 10 ? value.toFixed(1) : whole.format(value)));

export const loss = known((value) => {
  if (value < 10) return value.toFixed(4);
  return value < 1e5 ? value.toPrecision(5) : value.toExponential(1);
});

export const score = known((value) => (value > -100 ? value.toFixed(3) : value.toExponential(1)));

/** A learning rate is set by hand, so it is shown as it was set: 0.03, not 0.0300. */
export const learningRate = known((value) => String(Number(value.toPrecision(3))));

export const coordinate = known((value) => value.toFixed(2));

/** A weight, a bias, an activation. */
export const weight = known((value) => {
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-4)) return value.toExponential(1);
  return size < 100 ? value.toFixed(4) : value.toPrecision(5);
});

/**
 * About `wanted` round numbers (1, 2 or 5 times a power of ten) between low and high.
 * @returns {{value: number, text: string}[]}
 */
export function ticks(low, high, wanted = 7) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const result = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    result.push({ value: i * step, text: (i * step).toFixed(digits).replace("-", MINUS) });
  }
  return result;
}

/** Plotly's ticks of a low logarithmic axis: few, and written out (a bare 2 and 5 between powers tell a pupil nothing). */
export const LOG_TICKS = { nticks: 3, tickformat: "~g" };

/** A size in three digits: 0.123, 4.56, 1.2e−5. */
export const short = known((number) =>
  Math.abs(number) >= 1e-3 && Math.abs(number) < 1e4 ? String(Number(number.toPrecision(3))) : number.toExponential(1));

/** Any float32 of a layer: 0.1234, −12.345, 1.2e+7, nan, inf. */
export const value = known((number) => {
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number < 0 ? "-inf" : "inf";
  const size = Math.abs(number);
  if (size < 10) return size > 0 && size < 0.00005 ? number.toExponential(0) : number.toFixed(4);
  return size < 1e5 ? number.toPrecision(5) : number.toExponential(1);
});

/** A float32 with every digit that it has, and none more. */
export function exact(number) {
  if (!Number.isFinite(number)) return value(number);
  for (let digits = 1; digits < 9; digits++) {
    const text = number.toPrecision(digits);
    if (Math.fround(Number(text)) === number) return String(Number(text));
  }
  return String(Number(number.toPrecision(9)));
}
