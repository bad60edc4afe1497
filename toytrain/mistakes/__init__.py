"""Mistakes that everybody makes, each as the plain script with one line wrong.

A mistake is one file of this package that defines MISTAKE, and its line in NAMES. Here and in the
mistakes nothing imports PyTorch, so that a page can list them: `scripts` writes the two scripts,
`experiment` runs them side by side.
"""

from importlib import import_module

from .mistake import Mistake

NAMES = (
    "no_zero_grad",
    "zero_grad_too_late",
    "softmax_before_cross_entropy",
    "no_shuffle",
    "eval_forgotten_dropout",
    "eval_forgotten_batch_norm",
    "no_grad_forgotten",
    "labels_from_one",
    "one_output_too_many",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "batch_norm_tiny_batches",
    "weights_all_zero",
    "data_not_scaled",
    "test_data_in_training",
    "model_on_another_device",
    "optimizer_before_model",
    "evaluation_draws",
)


def load(name: str) -> Mistake:
    """The mistake of the file of that name."""
    return import_module(f".{name}", __name__).MISTAKE


MISTAKES: dict[str, Mistake] = {name: load(name) for name in NAMES}

__all__ = ["MISTAKES", "NAMES", "Mistake", "load"]
