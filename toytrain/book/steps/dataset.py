"""A.6: a Dataset gives one example at a time and says how many there are."""

from ...data import ToyDataset, make_data
from ...datasets import book


def count_examples(settings):
    train_ds = make_data(settings.config).train
    log = [f"train_ds[{row}] = {train_ds[row]}" for row in range(len(train_ds))]
    return {"training_examples": len(train_ds), "log": log}


SHOWN = (book, ToyDataset, count_examples)
