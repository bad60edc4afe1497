"""The Plan of a run: its shards as torch's own DistributedSampler deals them, as plain data."""

import torch
from torch.utils.data.distributed import DistributedSampler

from ..config import Config
from ..data import Data, ToyDataset, make_data, make_loaders
from ..model import NeuralNetwork
from ..task import TASKS
from .ranks import Card, Plan, Ranks, Shard, check_settings


def make_plan(config: Config, ranks: Ranks, epochs: int) -> Plan:
    """The first epochs' shards; a ToytrainError if the ranks would have nothing to train on."""
    data = make_data(config)
    check(config, ranks, data)
    samplers = [make_sampler(config, ranks, rank, data.train) for rank in range(ranks.world_size)]
    with torch.random.fork_rng(devices=[]):
        parameters = NeuralNetwork.from_config(config).named_parameters()
    return Plan(
        points=tuple((x1, x2) for x1, x2 in data.train_points.tolist()),
        labels=tuple(data.train.labels.flatten().tolist()),
        extent=data.extent,
        batches=num_batches(config, ranks, len(data.train)),
        epochs=tuple(
            tuple(_shard(config, ranks, sampler, epoch) for sampler in samplers) for epoch in range(epochs)
        ),
        parameters=tuple((name, tuple(parameter.shape)) for name, parameter in parameters),
        score_name=TASKS[config.task].score_name,
    )


def check(config: Config, ranks: Ranks, data: Data) -> int:
    """How many batches an epoch has for one process alone.

    A ToytrainError if that or a rank's shard leaves nothing to train on.
    """
    check_settings(config)
    train_loader, _ = make_loaders(config, data)
    ranks.check_rows(len(data.train), config.batch_size, config.drop_last, config.batch_norm)
    return len(train_loader)


def make_sampler(config: Config, ranks: Ranks, rank: int, dataset: ToyDataset) -> DistributedSampler:
    """The sampler of the book's script: its own seed 0, and rows repeated where shards would differ."""
    return DistributedSampler(dataset, num_replicas=ranks.world_size, rank=rank, shuffle=config.shuffle)


def num_batches(config: Config, ranks: Ranks, rows: int) -> int:
    """Batches per rank and epoch, as len(train_loader) says."""
    whole, rest = divmod(ranks.rows_per_rank(rows), config.batch_size)
    return whole + (rest > 0 and not config.drop_last)


def deal(sampler: DistributedSampler, ranks: Ranks, epoch: int) -> list[int]:
    """The rows that a sampler deals in an epoch: those of epoch 0 again where set_epoch is forgotten."""
    sampler.set_epoch(epoch if ranks.set_epoch else 0)
    return list(sampler)


def _shard(config: Config, ranks: Ranks, sampler: DistributedSampler, epoch: int) -> Shard:
    rows = len(sampler.dataset)  # type: ignore[arg-type]
    trained = num_batches(config, ranks, rows) * config.batch_size
    return tuple(
        Card(
            row=row,
            batch=place // config.batch_size if place < trained else None,
            # Ranks take turns at one long list; what lies beyond the data is its beginning again.
            padding=place * ranks.world_size + sampler.rank >= rows,
        )
        for place, row in enumerate(deal(sampler, ranks, epoch))
    )
