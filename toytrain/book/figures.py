"""The published figures: what the book prints, or what its code prints where it shows no number.

This table is the only place of a published figure. What computes them (`steps/`) never sees it.
Source: Sebastian Raschka, *Build a Large Language Model (From Scratch)*, appendix A, and its public code;
the figures with four and more digits of section A.7 and those of A.9.3 were measured with that code.
"""

import math
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

# Computed in float32, of which another processor may round the last bits otherwise.
FLOAT32 = 1e-7
NUMBER = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True)
class Figure:
    """One figure: its section, the text that is published, and the digits behind the point of its numbers.

    The experiment that computes it gives it the same `key`. Without digits the texts themselves are compared.
    """

    key: str
    section: str
    published: str
    digits: int = 0

    def shown(self, value: Any) -> str:
        """A computed value as this figure is printed: numbers, lists of them, and lists of those."""
        return _shown(value, self.digits)

    def agrees(self, value: Any) -> bool:
        """Whether a computed value is the published one, as exactly as that is printed."""
        text = self.shown(value)
        return text == self.published or (
            NUMBER.sub("#", text) == NUMBER.sub("#", self.published)
            and self._near(NUMBER.findall(self.published), _numbers(value))
        )

    def marked(self, value: Any) -> list[tuple[str, bool]]:
        """The words of `shown`, each with whether it differs from the published one in its place."""
        words = self.shown(value).split(" ")
        if self.agrees(value):
            return [(word, False) for word in words]
        published = self.published.split(" ")
        return [(word, word != other) for word, other in zip_longest(words, published) if word is not None]

    def _near(self, texts: list[str], values: list[float]) -> bool:
        most = 0.5 * 10**-self.digits + FLOAT32
        return len(texts) == len(values) and all(
            math.isfinite(value) and abs(float(text) - value) <= most
            for text, value in zip(texts, values, strict=True)
        )


def _shown(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    if not isinstance(value, list):
        return str(value)
    if not value or not isinstance(value[0], list):
        return " ".join(_shown(item, digits) for item in value)
    if not value[0] or not isinstance(value[0][0], list):
        return " ".join(f"[{', '.join(_shown(part, digits) for part in item)}]" for item in value)
    return " / ".join(_shown(item, digits) for item in value)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, float) else []


UNBROKEN = "0.7487 0.6450 0.4423 0.1256 0.0269 0.0043"

FIGURES = {
    figure.key: figure
    for figure in (
        Figure("loss_of_one_example", "autograd", "0.0852", 4),
        Figure("gradient_of_w1", "autograd", "-0.0898", 4),
        Figure("gradient_of_b", "autograd", "-0.0817", 4),
        #
        Figure("parameters_50_3", "model", "2213"),
        Figure("parameters_2_2", "model", "752"),
        Figure("first_weights", "model", "-0.0577 0.0047 -0.0702", 4),
        Figure("last_weights", "model", "0.0222 0.1260 0.0865", 4),
        Figure("logits_of_random_numbers", "model", "-0.1262 0.1080 -0.1792", 4),
        Figure("probas_of_random_numbers", "model", "0.3113 0.3934 0.2952", 4),
        #
        Figure("training_examples", "dataset", "5"),
        #
        Figure("batches", "dataloader",
               "[2.3, -1.1] [-0.9, 2.9] / [-1.2, 3.1] [-0.5, 2.6] / [2.7, -1.5]", 1),
        Figure("batches_with_drop_last", "dataloader",
               "[-1.2, 3.1] [-0.5, 2.6] / [2.3, -1.1] [-0.9, 2.9]", 1),
        Figure("batches_from_a_process", "dataloader",
               "[2.3, -1.1] [-0.9, 2.9] / [-1.2, 3.1] [-0.5, 2.6] / [2.7, -1.5]", 1),
        #
        Figure("first_log_line", "training", "Epoch: 001/003 | Batch 000/002 | Train/Val Loss: 0.75"),
        Figure("losses_as_printed", "training", "0.75 0.65 0.44 0.13 0.03 0.00", 2),
        Figure("losses", "training",
               "0.7487356663 0.6450306177 0.4422557950 0.1256228089 0.0269055996 0.0043272399", 10),
        Figure("rows_of_batches", "training", "[2, 1] [3, 0] / [3, 4] [1, 2] / [0, 4] [1, 2]"),
        #
        Figure("logits", "accuracy", "[2.8569, -4.1618] [2.5382, -3.7548] [2.0944, -3.1820] "
               "[-1.4814, 1.4816] [-1.7176, 1.7342]", 4),
        Figure("probas", "accuracy", "[0.9991, 0.0009] [0.9982, 0.0018] [0.9949, 0.0051] "
               "[0.0491, 0.9509] [0.0307, 0.9693]", 4),
        Figure("predictions", "accuracy", "0 0 0 1 1"),
        Figure("training_accuracy", "accuracy", "1.0", 1),
        Figure("test_accuracy", "accuracy", "1.0", 1),
        Figure("examples_seen_with_drop_last", "accuracy", "4"),
        #
        Figure("as_in_the_book", "random_state", UNBROKEN, 4),
        Figure("load_in_a_process", "random_state", UNBROKEN, 4),
        Figure("evaluate_on_tensors", "random_state", UNBROKEN, 4),
        Figure("evaluate_through_a_loader", "random_state", "0.7487 0.6450 0.2540 0.1128 0.0578 0.0336", 4),
        Figure("draw_a_random_number", "random_state", "0.7487 0.6450 0.2638 0.0383 0.0110 0.1225", 4),
        Figure("own_generator", "random_state", "0.6717 0.2700 0.0064 0.6727 0.0159 0.0207", 4),
        Figure("no_shuffling", "random_state", "0.7450 0.6538 0.0369 0.2446 0.0062 0.1178", 4),
        Figure("keep_the_last_batch", "random_state",
               "0.7487 0.6450 0.4247 0.0512 0.1307 0.0010 0.0086 0.0036 0.0239", 4),
        Figure("resume", "random_state", "0.4423 0.1256 0.0269 0.0043", 4),
        Figure("reseed", "random_state", "0.2638 0.0383 0.0110 0.1225", 4),
        #
        Figure("no_zero_grad", "mistakes", "0.7487 0.6450 0.7429 0.0001 0.0000 0.0000", 4),
        Figure("zero_grad_after_backward", "mistakes", "0.7487 0.6680 0.5868 0.7487 0.6636 0.7487", 4),
        Figure("softmax_before_cross_entropy", "mistakes", "0.7205 0.5924 0.6360 0.4290 0.3894 0.3302", 4),
        Figure("floor_of_two_classes", "mistakes", "0.3133", 4),
        Figure("floor_of_three_classes", "mistakes", "0.551", 3),
        Figure("sorted_data", "mistakes", "0.7450 0.6538 0.0369 0.2446 0.0062 0.1178", 4),
        Figure("labels_from_one", "mistakes", "IndexError: Target 2 is out of bounds."),
        Figure("class_0_with_an_output_too_many", "mistakes", "0"),
        #
        Figure("keys", "saving",
               "layers.0.weight layers.0.bias layers.2.weight layers.2.bias layers.4.weight layers.4.bias"),
        Figure("keys_matched", "saving", "<All keys matched successfully>"),
        #
        Figure("sum_on_a_device", "device", "5.0 7.0 9.0", 1),
        Figure("losses_on_a_device", "device", "0.75 0.65 0.44 0.13 0.03 0.00", 2),
        #
        Figure("rows_of_one_rank", "distributed", "4 0 1 3 2 / 0 4 2 3 1 / 3 4 1 0 2"),
        Figure("rows_of_rank_0", "distributed", "4 1 2 / 0 2 1 / 3 1 2"),
        Figure("rows_of_rank_1", "distributed", "0 3 4* / 4 3 0* / 4 0 3*"),
        Figure("full_batches_of_eight_ranks", "distributed", "0"),
        Figure("one_process", "distributed", "0.663586 0.325696 0.101208 0.073985 0.040572 0.013294", 6),
        Figure("two_processes_rank_0", "distributed", "0.663780 0.227321 0.134252", 6),
        Figure("two_processes_rank_1", "distributed", "0.668005 0.445244 0.105021", 6),
        Figure("two_processes_accuracy", "distributed", "1.0 1.0 1.0 1.0", 1),
        Figure("not_wrapped_rank_0", "distributed", "0.663780 0.244380 0.317653", 6),
        Figure("not_wrapped_rank_1", "distributed", "0.668005 0.466799 0.182783", 6),
        Figure("not_wrapped_accuracy", "distributed", "1.0 1.0 1.0 1.0", 1),
        Figure("no_set_epoch_rank_0", "distributed", "0.66 0.32 0.11", 2),
        Figure("no_set_epoch_rank_1", "distributed", "0.67 0.33 0.13", 2),
    )
}  # fmt: skip
