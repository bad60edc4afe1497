"""A.6: a Dataset gives one example at a time and says how many there are."""

from typing import Any

from ...data import ToyDataset, make_data
from ...datasets import book
from ..settings import Settings


def count_examples(settings: Settings) -> dict[str, Any]:
    train_ds = make_data(settings.config).train
    return {
        "training_examples": len(train_ds),
        "log": [f"train_ds[{row}] = {train_ds[row]}" for row in range(len(train_ds))],
    }


SHOWN = (book, ToyDataset, count_examples)
