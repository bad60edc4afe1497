// What follows from logits, for the what-if: what softmax and cross-entropy make of numbers that somebody drags. Pure.
// The network's own figures come from PyTorch.

/** softmax (book, section A.5); of numbers that are not finite it is nan, as in PyTorch. */
export function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The cross-entropy for each class that the label could be: -log softmax, without taking a logarithm of 0. */
export function crossEntropies(logits) {
  const most = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
  return logits.map((logit) => most + Math.log(sum) - logit);
}

/** The first of the greatest numbers, as torch.argmax has it: nan is greater than all. */
export function argmax(values) {
  const undefined_ = values.findIndex(Number.isNaN);
  return undefined_ >= 0 ? undefined_ : values.indexOf(Math.max(...values));
}

export const squaredError = (output, target) => (output - target) ** 2;
