"""Experiment: the right script and the wrong one, side by side from the same seed.

It is a Trainer as far as the engine's worker needs one: steps, epochs, `advance`, `snapshot`. It has no
checkpoint: whatever is trained here is trained again from the seed.
"""

import math
import time
from array import array
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..config import Config
from ..errors import ToytrainError
from . import MISTAKES
from .script_run import ScriptRun
from .scripts import write_scripts

MOST_EPOCHS = 200  # of an experiment; without no_grad each of them keeps memory
RIGHT, WRONG = "right", "wrong"


@dataclass(frozen=True)
class Position:
    """Where an experiment stands, under the names that a Snapshot has for it."""

    steps: int
    epoch: int
    batch: int
    batches: int
    samples: int
    learning_rate: float
    loss_history: array = field(default_factory=lambda: array("f"))
    test_history: array = field(default_factory=lambda: array("d"))
    num_tests: int = 0


class Experiment:
    """A mistake made on purpose. `sides` holds the two ScriptRuns, "right" and "wrong".

    `config` takes the place of the mistake's own. Steps are those of the right side: the wrong one keeps up
    with its share of an epoch, which may be more batches or fewer.
    """

    diverged = ""  # one side may diverge or break off while the other goes on
    why_ended = ""
    initial_weights = None

    def __init__(self, name: str, config: Config | None = None):
        if name not in MISTAKES:
            raise ToytrainError(f"There is no mistake called {name}; choose one from the list.")
        self.mistake = MISTAKES[name]
        self.config = replace(config or self.mistake.config, device="cpu", num_workers=0)
        if self.config.task != "classification":
            raise ToytrainError("The mistakes are made on classes; choose a dataset with classes.", "dataset")
        if not 0 < self.config.epochs <= MOST_EPOCHS:
            raise ToytrainError(f"A mistake is made for 1 to {MOST_EPOCHS} epochs; set epochs.", "epochs")
        right, wrong = write_scripts(self.mistake, self.config)
        self.sides = {RIGHT: ScriptRun(right), WRONG: ScriptRun(wrong)}
        self.device = torch.device("cpu")
        self.learning_rates: dict[int, float] = {}

    @property
    def right(self) -> ScriptRun:
        return self.sides[RIGHT]

    @property
    def wrong(self) -> ScriptRun:
        return self.sides[WRONG]

    @property
    def steps(self) -> int:
        """Steps that both sides have taken."""
        return self.right.steps - self._wrong_is_behind

    @property
    def epoch(self) -> int:
        return self.right.epoch

    @property
    def batch(self) -> int:
        return self.right.batch

    @property
    def train_loader(self) -> Any:
        return self.right.names["train_loader"]

    @property
    def finished(self) -> bool:
        return self.right.ended and self.wrong.ended

    @property
    def ended(self) -> bool:
        return self.finished

    @property
    def _wrong_is_behind(self) -> bool:
        """Whether the wrong side has a batch left before it has come to the same share of an epoch."""
        right, wrong = self.right, self.wrong
        within = (wrong.steps + 1) * right.batches <= right.steps * wrong.batches
        return not wrong.ended and (right.ended or within)

    def step(self) -> None:
        """One batch on the side whose turn it is: many small ones on the wrong side are as many turns."""
        (self.wrong if self._wrong_is_behind else self.right).step()

    def advance(self, steps: int | None = None, seconds: float | None = None) -> Position:
        """Train for so many batches or so many seconds, whichever ends first, but one batch at the least."""
        last = math.inf if steps is None else self.steps + steps
        deadline = math.inf if seconds is None else time.perf_counter() + seconds
        while not self.ended and self.steps < last:
            self.step()
            if time.perf_counter() >= deadline:
                break
        return self.snapshot()

    def snapshot(self) -> Position:
        """Where the right side stands."""
        right = self.right
        return Position(
            self.steps, right.epoch, right.batch, right.batches,
            right.steps * self.config.batch_size, self.config.learning_rate,
        )  # fmt: skip
