"""Settings: what a reader may change of the book's experiments. The defaults are the book's.

No PyTorch here.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from ..config import Config, limits
from ..errors import ToytrainError

# What may be done between two epochs to see how good the network is.
EVALUATIONS = ("nothing", "tensors", "loader")
# Least and greatest, where that is less than a Config permits: a section must not hold a worker up.
RANGES = {
    "batch_size": (1, 5),
    "epochs": (1, 10),
    "num_workers": (0, 2),
    "x1": (-10, 10),
    "w1": (-10, 10),
    "b": (-10, 10),
    "y": (0, 1),
}


@dataclass(frozen=True)
class Settings:
    """A value out of range is refused with a ToytrainError that names it.

    `evaluate` is one of EVALUATIONS: nothing; the accuracy on whole tensors; the book's
    compute_accuracy, which goes through a DataLoader. `random_number` draws one torch.rand(1) between
    epochs. `own_generator` gives the DataLoader a generator of its own, with the same seed. `x1`, `w1`, `b`
    and `y` are the numbers of the computation graph of sections A.3 and A.4.
    """

    seed: int = 123
    batch_size: int = 2
    learning_rate: float = 0.5
    epochs: int = 3
    num_workers: int = 0
    shuffle: bool = True
    drop_last: bool = True
    own_generator: bool = False
    evaluate: str = "nothing"
    random_number: bool = False
    x1: float = 1.1
    w1: float = 2.2
    b: float = 0.0
    y: float = 1.0

    def __post_init__(self):
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ToytrainError(
                    f"{name} = {value!s:.60} is not permitted here; permitted is {low} to {high}.", name
                )
        if self.evaluate not in EVALUATIONS:
            raise ToytrainError(
                f"evaluate = {self.evaluate!s:.60} is not permitted; permitted is one of "
                f"{', '.join(EVALUATIONS)}.",
                "evaluate",
            )
        _ = self.config  # refuses what no run may have either

    @property
    def config(self) -> Config:
        """The same training as a run of the train page. What is done between epochs is no part of a run."""
        return Config(
            dataset="book",
            seed=self.seed,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            num_workers=self.num_workers,
            shuffle=self.shuffle,
            drop_last=self.drop_last,
        )

    @classmethod
    def range_of(cls, name: str) -> tuple[Any, Any]:
        """The least and the greatest value of a number, in its own type."""
        kind = type(getattr(cls(), name))
        low, high = RANGES[name] if name in RANGES else (limits(name).low, limits(name).high)
        return kind(low), kind(high)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def changes(self) -> dict[str, Any]:
        """What differs from the book, by name."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
