"""The learning-rate finder: a copy of a run trains with a rate that grows from batch to batch.

Smith, "Cyclical Learning Rates for Training Neural Networks" (2015), section 3.3, as fastai has it: the rate
grows exponentially, the losses are smoothed, and the search ends where they have grown to four times the
lowest. The run itself and its random state stay as they are.
"""

import math
from dataclasses import replace

from .devices import get_device
from .errors import ToytrainError
from .random_state import OwnRandomState
from .snapshot import Snapshot
from .trainer import Trainer

LOWEST, HIGHEST = 1e-5, 10.0  # the first and the last rate
BATCHES = 100
SMOOTHING = 0.98  # how much of the average before goes on in the smoothed loss
SETTLING = 10  # batches before the smoothed loss is believed
FALLEN = 0.9  # times the first settled one: below it the loss has fallen, and not only wavered
TOO_HIGH = 4.0  # times the lowest smoothed loss


class RateFinder:
    """The search, made of a Snapshot of the run; `advance` trains the copy, as often as one likes.

    `rates` are those of the batches trained so far, `losses` their batch losses, each before the step with
    its rate, `smoothed` the exponential average of these, corrected for its start at 0 as fastai does.
    """

    def __init__(self, snapshot: Snapshot):
        if snapshot.config is None:
            raise ToytrainError("The search needs a run made from a Config.")
        if snapshot.diverged:
            raise ToytrainError("This run has diverged, and so would its copy; reset, then search.")
        config = replace(
            snapshot.config, schedule="constant", epochs=0, target_loss=0, target_accuracy=0, patience=0,
            num_workers=0,
        )  # fmt: skip
        growth = (HIGHEST / LOWEST) ** (1 / (BATCHES - 1))
        self._own = OwnRandomState(get_device(config.device))
        with self._own():
            self._copy = Trainer.from_config(config)
            self._copy.restore(replace(snapshot, config=config, edits={}))
        self._start = snapshot.steps
        self._copy.learning_rates = {
            snapshot.steps + batch: LOWEST * growth**batch for batch in range(BATCHES)
        }
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.done = False

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate with the lowest smoothed loss; None as long as the loss has not fallen."""
        settled = self.smoothed[SETTLING:]
        if not settled or not min(settled) < FALLEN * settled[0]:
            return None
        return self.rates[SETTLING + settled.index(min(settled))] / 10

    def advance(self, seconds: float) -> None:
        """Train the copy for so long, but one batch at the least; `done` says whether the search is over."""
        if self.done:
            return
        last = self._start + BATCHES
        with self._own():
            self._copy.advance(steps=last - self._copy.steps, seconds=seconds)
        for batch in range(len(self.losses), self._copy.steps - self._start):
            self._note(self._copy.losses[self._start + batch], self._copy.learning_rates[self._start + batch])
            if self.done:
                return
        self.done = self._copy.steps == last or bool(self._copy.diverged)

    def _note(self, loss: float, rate: float) -> None:
        self.rates.append(rate)
        self.losses.append(loss)
        count = len(self.losses)
        before = self.smoothed[-1] * (1 - SMOOTHING ** (count - 1)) if self.smoothed else 0.0
        average = SMOOTHING * before + (1 - SMOOTHING) * loss
        self.smoothed.append(average / (1 - SMOOTHING**count))
        settled = self.smoothed[SETTLING:]
        self.done = not math.isfinite(loss) or (bool(settled) and settled[-1] > TOO_HIGH * min(settled))
