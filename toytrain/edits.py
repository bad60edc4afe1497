"""Weight edits: single weights and biases that somebody set by hand, and after how many batches.

They are part of what a run is made of, beside its Config: the script and the checkpoint hold them.
Nothing here knows PyTorch; a parameter is its key in the state_dict and its shape.
"""

from collections.abc import Mapping
from typing import Any

from .errors import ToytrainError

Place = tuple[str, tuple[int, ...]]  # a parameter's key and the index in it: ("layers.0.weight", (3, 1))
Edits = dict[int, dict[Place, float]]  # batches trained before -> the numbers set then

LARGEST = 1e6  # the size of a number that may be set
MOST_EDITS = 1000  # of one run: each is a line of its script


def check_edit(
    shapes: Mapping[str, tuple[int, ...]], key: Any, index: Any, value: Any
) -> tuple[Place, float]:
    """The place and the number, or a ToytrainError that says what is wrong with them.

    `shapes` are those of the parameters by key. An index counts from 0, one number per dimension.
    """
    if not isinstance(key, str) or key not in shapes:
        raise ToytrainError("The network has no such weight; choose one that it shows.", code="edit")
    shape = shapes[key]
    whole = isinstance(index, list | tuple) and all(type(number) is int for number in index)
    if not whole or len(index) != len(shape):
        raise ToytrainError(f"An index into {key} has {len(shape)} whole numbers; give as many.", code="edit")
    if not all(0 <= number < size for number, size in zip(index, shape, strict=True)):
        size = " x ".join(map(str, shape))
        raise ToytrainError(f"{key} is {size}: that index lies outside; count from 0.", code="edit")
    # Comparing refuses nan and infinity too, and must come before float(), which long integers break.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        raise ToytrainError(
            f"A weight set by hand is a number from {-LARGEST:,.0f} to {LARGEST:,.0f}; give such a number.",
            code="edit",
        )
    return (key, tuple(index)), float(value)


def merge(edits: Edits, others: Edits) -> Edits:
    """Both; of two numbers for one place at one step that of `others`."""
    return {step: {**edits.get(step, {}), **others.get(step, {})} for step in sorted({*edits, *others})}


def count(edits: Edits) -> int:
    return sum(map(len, edits.values()))
