"""Run: what the fast step sees of a Trainer, which is above it; and a Slice of its batches."""

from array import array
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from ..random_state import RandomState
from ..task import Task
from .batches import ResidentBatches


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


@dataclass
class Slice:
    """Batches trained and not yet stored: where the run would stand, and what it would note."""

    random_state: RandomState  # before the first of these batches
    steps: int
    epoch: int
    batch: int
    batches: ResidentBatches | None
    epoch_random_state: RandomState | None
    learning_rate: float
    number: float  # of steps that the optimizer has taken
    losses: array = field(default_factory=lambda: array("f"))
    tests: array = field(default_factory=lambda: array("d"))
    first_rate: float = 0.0
    schedule: dict[str, Any] | None = None  # the state of the run's schedule before these batches
    stopping: Any = None  # the run's conditions, after the epochs of this Slice
    finite: bool = True
    late: bool = False
    declined: bool = False  # whether plain steps should come next
