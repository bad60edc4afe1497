"""The worker's commands for the data page: points before a run is made of them, the order in which a run's
epoch deals them, and files of somebody's. None touches a run."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ..config import Config
from ..data import Data, make_data
from ..datasets import DATASETS
from ..errors import ToytrainError
from ..table import Table
from ..table import read_table as table_of

if TYPE_CHECKING:
    from .worker import Worker

FEW_POINTS = 200  # of a preview


def points(worker: "Worker", run_id: str, config: dict[str, Any]) -> dict[str, Any]:
    """The points that a Config's run would have; the ToytrainError with which it would be refused."""
    checked = Config.from_dict(config)
    data = make_data(checked)
    right = make_data(replace(checked, label_noise=0.0))
    flipped = (data.train.labels != right.train.labels).flatten()
    return _described(checked, data) | {"flipped": flipped.nonzero().flatten().tolist()}


def previews(worker: "Worker", run_id: str, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Some points of every dataset under the same settings, with a sentence in place of those it refuses."""
    return [_preview(name, Config.from_dict(config)) for name in DATASETS]


def deal_epoch(worker: "Worker", run_id: str) -> dict[str, Any]:
    """The order in which the run's present epoch deals its training rows (see Snapshot.deal_epoch)."""
    with worker.owning_generator(worker.runs[run_id]) as run:
        snapshot = run.trainer.snapshot()
        return {
            "order": snapshot.deal_epoch(),
            "in_epoch": snapshot.samples_in_epoch,
            "batch_size": run.config.batch_size,
            "epoch": snapshot.epoch,
            "batch": snapshot.batch,
            "batches": snapshot.batches,
            "steps": snapshot.steps,
            "samples": snapshot.samples,
            **_described(run.config, run.data),
        }


def read_table(worker: "Worker", run_id: str, data: bytes) -> Table:
    """The cells of a text file, or the ToytrainError that refuses it."""
    return table_of(data)


def _preview(name: str, config: Config) -> dict[str, Any]:
    low, high = DATASETS[name].classes or (2, 2)
    try:
        config = replace(config, dataset=name, classes=min(max(config.classes, low), high))
        found = _described(config, make_data(config))
    except ToytrainError as error:
        return {"name": name, "refusal": str(error)}
    every = -(-len(found["labels"]) // FEW_POINTS)
    few = {"points": found["points"][::every], "labels": found["labels"][::every]}
    return found | few | {"name": name, "all_points": len(found["labels"])}


def _described(config: Config, data: Data) -> dict[str, Any]:
    """Points (n + m, 2) and labels, training rows first, in plain numbers, and what a view must know."""
    labels = torch.cat([data.train.labels, data.test.labels]).flatten()
    return {
        "task": config.task,
        "classes": config.classes,
        "points": torch.cat([data.train_points, data.test_points]).tolist(),
        "labels": labels.tolist(),
        "train_points": len(data.train),
        "extent": data.extent,
    }
