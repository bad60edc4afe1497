"""Stop conditions: whether a run ends by itself before its epochs are done.

They are judged after each epoch on the test data, whose loss and score the run looks at anyway.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .config import Config
from .task import TASKS


@dataclass
class Stopping:
    """What ends a run, and why it did. A target or a patience of 0 is none.

    `best` is the lowest test loss so far, `epochs` counts what was looked at, `since` the epochs after the
    best. `reason` is the sentence with which the run ended, "" as long as it goes on, `ended` the epoch.
    """

    target_loss: float = 0.0
    target_accuracy: float = 0.0
    patience: int = 0
    score_name: str = "accuracy"
    best: float = math.inf
    since: int = 0
    epochs: int = 0
    reason: str = ""
    ended: int = 0

    @classmethod
    def of(cls, config: Config) -> "Stopping":
        """The conditions of a Config, before the first epoch."""
        name = TASKS[config.task].score_name
        return cls(config.target_loss, config.target_accuracy, config.patience, name)

    def again(self, tests: Iterable[float]) -> "Stopping":
        """The same conditions after these rows of (step, test loss, test score)."""
        fresh = Stopping(self.target_loss, self.target_accuracy, self.patience, self.score_name)
        numbers = iter(list(tests))
        for _step, loss, score in zip(numbers, numbers, numbers, strict=True):
            fresh.look(loss, score)
        return fresh

    def look(self, loss: float, score: float) -> None:
        """Judge the test loss and score after one more epoch."""
        self.epochs += 1
        self.since += 1
        if loss < self.best:
            self.best, self.since = loss, 0
        if self.reason:
            return
        if self.target_loss and loss <= self.target_loss:
            self.reason = (
                f"The test loss is {loss:.4g} after epoch {self.epochs}, and the target was "
                f"{self.target_loss:g}."
            )
        elif self.target_accuracy and score >= self.target_accuracy:
            self.reason = (
                f"The test {self.score_name} is {score:.4g} after epoch {self.epochs}, and the target was "
                f"{self.target_accuracy:g}."
            )
        elif self.patience and self.since >= self.patience:
            self.reason = (
                f"The test loss has not fallen below {self.best:.4g} for {self.patience} epochs, up to epoch "
                f"{self.epochs}."
            )
        self.ended = self.epochs if self.reason else 0
