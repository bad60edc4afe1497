"""A.6: a DataLoader deals the examples in batches: in which order, and what drop_last leaves out."""

from dataclasses import replace

import torch
from torch.utils.data import DataLoader

from ...data import make_data


def make_loader(train_ds, settings):
    generator = torch.Generator().manual_seed(settings.seed) if settings.own_generator else None
    return DataLoader(
        train_ds,
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        drop_last=settings.drop_last,
        num_workers=settings.num_workers,
        generator=generator,
    )


def deal(train_ds, settings):
    train_loader = make_loader(train_ds, settings)
    return [features.tolist() for features, labels in train_loader]


def list_batches(settings):
    train_ds = make_data(settings.config).train
    torch.manual_seed(settings.seed)
    # The seed is not set again: the second epoch is dealt in another order.
    return {
        "batches": deal(train_ds, replace(settings, drop_last=False)),
        "batches_with_drop_last": deal(train_ds, replace(settings, drop_last=True)),
    }


def list_batches_from_a_process(settings):
    settings = replace(settings, num_workers=max(settings.num_workers, 1))
    batches = list_batches(settings)["batches"]
    return {"batches_from_a_process": batches}


SHOWN = (make_loader, deal, list_batches, list_batches_from_a_process)
