"""A.6: a DataLoader deals the examples in batches: in which order, and what drop_last leaves out."""

from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ...data import make_data
from ..settings import Settings


def make_loader(train_ds: Dataset, settings: Settings) -> DataLoader:
    generator = torch.Generator().manual_seed(settings.seed) if settings.own_generator else None
    return DataLoader(
        train_ds,
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        drop_last=settings.drop_last,
        num_workers=settings.num_workers,
        generator=generator,
    )


def list_batches(settings: Settings) -> dict[str, Any]:
    train_ds = make_data(settings.config).train
    train_loader = make_loader(train_ds, replace(settings, drop_last=False))
    full_batches_only = make_loader(train_ds, replace(settings, drop_last=True))
    torch.manual_seed(settings.seed)
    return {
        "batches": [features.tolist() for features, labels in train_loader],
        # The seed is not set again: the second epoch is dealt in another order.
        "batches_with_drop_last": [features.tolist() for features, labels in full_batches_only],
    }


def list_batches_from_a_process(settings: Settings) -> dict[str, Any]:
    settings = replace(settings, num_workers=max(settings.num_workers, 1))
    return {"batches_from_a_process": list_batches(settings)["batches"]}


SHOWN = (make_loader, list_batches, list_batches_from_a_process)
