"""Views: what a page may show of a run beside its figures and losses, each as named typed arrays.

A view is one function here, listed in VIEWS: it takes a Look and returns its arrays by name. Who
watches asks for it by the function's name, and only then is it made. A view of one thing out of many
takes whole numbers with its name, as in "neuron:1:3", and puts them into the names of its arrays.
"""

import inspect
import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch

from ..config import Config
from ..data import Data
from ..snapshot import Snapshot
from ..trainer import Trainer
from . import charts, neurons
from .frame import Array
from .neurons import RESOLUTION


class Look:
    """One look at a run: its Snapshot, and what several views need of it, made once.

    `trainer` is the run itself: a view reads from it what no Snapshot holds and changes nothing.
    `unfinished` holds the names of the views that another look at the same step would bring further.
    """

    def __init__(
        self,
        trainer: Trainer,
        snapshot: Snapshot,
        config: Config,
        data: Data,
        label_range: tuple[float, float],
    ):
        self.trainer = trainer
        self.snapshot = snapshot
        self.config = config
        self.data = data
        self.label_range = label_range
        self.unfinished: set[str] = set()

    @cached_property
    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The network's outputs for all training and for all test examples."""
        return self.snapshot.logits(self.data.train.features), self.snapshot.logits(self.data.test.features)

    def figures(self) -> dict[str, float | None]:
        """Loss and score on all training and on all test examples, for a Frame's header."""
        task = self.snapshot.task
        figures: dict[str, float | None] = {}
        for name, dataset, logits in zip(
            ("train", "test"), (self.data.train, self.data.test), self.logits, strict=True
        ):
            figures[f"{name}_loss"] = _finite(task.loss(logits, dataset.labels).item())
            figures[f"{name}_score"] = _finite(task.score(logits, dataset.labels))
        return figures

    def arrays(self, view: str) -> dict[str, Array]:
        """The arrays of a view, by name; none for a view that there is not."""
        name, *numbers = view.split(":")
        make = VIEWS.get(name)
        if make is None or not all(number.isdecimal() and number.isascii() for number in numbers):
            return {}
        try:
            chosen = inspect.signature(make).bind(self, *(int(number[:9]) for number in numbers))
        except TypeError:  # too many numbers, or too few
            return {}
        return make(*chosen.args)


def boundary(look: Look) -> dict[str, Array]:
    """`picture`, the decision boundary as one byte per cell (see Task.shades), and `wrong`, a bitset over
    the training and then the test points."""
    task, data = look.snapshot.task, look.data
    picture = task.shades(look.snapshot.grid_logits(RESOLUTION), *look.label_range)
    train, test = look.logits
    wrong = torch.cat([task.wrong(train, data.train.labels), task.wrong(test, data.test.labels)])
    bits = np.packbits(wrong.numpy(), bitorder="little")
    return {"picture": ("u1", picture.numpy().tobytes()), "wrong": ("u1", bits.tobytes())}


VIEWS: dict[str, Callable[..., dict[str, Array]]] = {
    view.__name__: view
    for view in (
        boundary,
        neurons.network,
        neurons.neuron,
        neurons.hidden,
        charts.weights,
        charts.gradients,
        charts.activity,
        charts.rates,
    )
}


def _finite(value: float) -> float | None:
    """JSON has no word for nan and infinity."""
    return value if math.isfinite(value) else None
