"""Run: what the fast step sees of a Trainer, which is above it."""

from typing import Any, Protocol

import torch
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from ..random_state import RandomState
from ..task import Task


class Run(Protocol):
    """A Trainer, as far as the fast step reads and writes it."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    loss: Any
    train_loader: DataLoader
    test_loader: DataLoader | None
    task: Task
    epochs: int
    schedule: LRScheduler | None
    clip_norm: float
    stopping: Any
    device: torch.device
    steps: int
    epoch: int
    batch: int
    losses: Any
    tests: Any
    learning_rates: dict[int, float]
    _batches: Any
    _epoch_random_state: RandomState | None
    _last_finite: Any

    def step(self) -> float: ...
