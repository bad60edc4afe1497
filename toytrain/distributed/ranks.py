"""Ranks: how many processes train a Config, the switches for what goes wrong, and what they report.

Plain values that cross between a child process and the page. Nothing here knows PyTorch.
"""

from dataclasses import dataclass

from ..config import Config
from ..errors import ToytrainError

STOP_CONDITIONS = ("target_loss", "target_accuracy", "patience")
MOST_RANKS = 8  # started by the app; torchrun may start any number


def check_settings(config: Config) -> None:
    """Raise a ToytrainError if these settings cannot be trained by several processes."""
    if config.device == "mps":
        raise ToytrainError("Apple GPUs have no process group in PyTorch; choose cpu or cuda.", "device")
    for name in STOP_CONDITIONS:
        if getattr(config, name):
            raise ToytrainError(
                f"{name} = {getattr(config, name)} ends a run of one process; of several none may end alone, "
                f"or the others would wait for it. Set {name} to 0 and choose epochs.",
                name,
            )


@dataclass(frozen=True)
class Ranks:
    """How a Config is trained by several processes. A value out of range is refused by its name.

    Each switch is off for one classic mistake:
    `wrapped` off         the model is not in DistributedDataParallel: gradients are not averaged
    `set_epoch` off       the sampler deals the same shards in every epoch
    `seeded` off          no rank calls torch.manual_seed: each run has other losses
    `loader_shuffle` on   shuffle=True in the DataLoader beside the sampler, which PyTorch refuses
    """

    world_size: int = 2
    wrapped: bool = True
    set_epoch: bool = True
    seeded: bool = True
    loader_shuffle: bool = False

    def __post_init__(self):
        if isinstance(self.world_size, bool) or not isinstance(self.world_size, int) or self.world_size < 1:
            raise ToytrainError(
                f"world_size = {self.world_size!s:.60} is not permitted; permitted is a whole number from 1.",
                "world_size",
            )
        for name in ("wrapped", "set_epoch", "seeded", "loader_shuffle"):
            if not isinstance(getattr(self, name), bool):
                raise ToytrainError(f"{name} is a switch; permitted is true or false.", name)

    def check_fit_for_one_machine(self) -> None:
        """Raise a ToytrainError if the app should not start that many."""
        if self.world_size > MOST_RANKS:
            raise ToytrainError(
                f"world_size = {self.world_size} is too many for one machine; permitted: 1 to {MOST_RANKS}.",
                "world_size",
            )

    def check_rows(self, rows: int, batch_size: int, drop_last: bool, batch_norm: bool) -> None:
        """Raise a ToytrainError if a shard of `rows` training examples leaves nothing to train on.

        PyTorch itself trains zero steps without a word where no rank has a full batch.
        """
        shard = self.rows_per_rank(rows)
        if drop_last and batch_size > shard:
            raise ToytrainError(
                f"world_size = {self.world_size}: no rank has a full batch, because each gets {shard} of the "
                f"{rows} training examples and a batch takes {batch_size}; lower world_size or batch_size, "
                "or switch drop_last off.",
                "world_size",
            )
        if batch_norm and not drop_last and shard % batch_size == 1:
            raise ToytrainError(
                f"batch_norm = True cannot work on a last batch of 1: {shard} training examples per rank in "
                f"batches of {batch_size} leave one over; switch drop_last on or change batch_size.",
                "batch_norm",
            )

    def rows_per_rank(self, rows: int) -> int:
        """How many of `rows` training examples a rank gets per epoch, repeats counted."""
        return -(-rows // self.world_size)


@dataclass(frozen=True)
class Card:
    """One training example in one rank's hand.

    `batch` is the batch of the epoch it is trained in, from 0; None where drop_last leaves it out.
    `padding` says that the row was dealt before: the sampler repeats rows so that all shards are equal.
    """

    row: int
    batch: int | None
    padding: bool

    @property
    def dropped(self) -> bool:
        return self.batch is None


Shard = tuple[Card, ...]


@dataclass(frozen=True)
class Plan:
    """What is known before a run: the data, the shards, and which parameters there are.

    `epochs[e][r]` is rank r's Shard in epoch e. `points` (n, 2) and `labels` (n,) are those of the
    training rows; `extent` is x1 from, x1 to, x2 from, x2 to. `batches` is per rank and epoch.
    `parameters` names each parameter with its shape, in the order of `weights`.
    """

    points: tuple[tuple[float, float], ...]
    labels: tuple[float, ...]
    extent: tuple[float, float, float, float]
    batches: int
    epochs: tuple[tuple[Shard, ...], ...]
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    score_name: str

    def rows(self, epoch: int, rank: int) -> list[int]:
        """The rows of a shard, in the order of DistributedSampler."""
        return [card.row for card in self.epochs[epoch][rank]]


@dataclass(frozen=True)
class Record:
    """One step as one rank saw it.

    `gradient` is the chosen one from the rank's own batch, `average` what stood there when the
    optimizer took it. Equal `digest`s mean weights equal bit for bit.
    """

    epoch: int
    batch: int
    rows: tuple[int, ...]
    loss: float
    gradient: float
    average: float
    digest: bytes


@dataclass(frozen=True)
class Progress:
    """What a rank has to tell after some steps: a Record of each, and how it stands now.

    `weights` are the parameters as float32, one after the other; `scores` training and test score
    (accuracy, or R²) on the whole sets. `epoch` and `batch` (from 0) say what comes next.
    """

    records: tuple[Record, ...]
    epoch: int
    batch: int
    weights: bytes
    scores: tuple[float, float]
    finished: bool
    diverged: str


@dataclass(frozen=True)
class Step:
    """One step of all ranks; index a tuple by rank.

    `number` counts from 1. `gradients` are the chosen one (`gradient`, such as layers.4.bias[0]) before
    averaging, `averages` after it: all the same in a wrapped model, each rank's own otherwise. `equal`
    says whether the weights after the step are equal on all ranks, bit for bit.
    """

    number: int
    epoch: int
    batch: int
    rows: tuple[tuple[int, ...], ...]
    losses: tuple[float, ...]
    gradient: str
    gradients: tuple[float, ...]
    averages: tuple[float, ...]
    equal: bool

    @classmethod
    def of(cls, number: int, records: tuple[Record, ...], gradient: str) -> "Step":
        """The Step that each rank's Record tells of."""
        return cls(
            number=number,
            epoch=records[0].epoch,
            batch=records[0].batch,
            rows=tuple(record.rows for record in records),
            losses=tuple(record.loss for record in records),
            gradient=gradient,
            gradients=tuple(record.gradient for record in records),
            averages=tuple(record.average for record in records),
            equal=len({record.digest for record in records}) == 1,
        )


@dataclass(frozen=True)
class View:
    """A run at one moment, for a page to draw. Index a tuple by rank.

    `status` is queued, starting, paused, playing, finished, diverged, failed or stopped; `message`
    a sentence for people, or ""; `ahead` how many runs wait before a queued one. `epoch` and
    `batch` (from 0) say what comes next. `last` is the newest Step. `losses` and `single_losses` are
    those from step `since` on, one list per rank and one for the single process.

    `spread` is the largest difference of a weight between two ranks, `difference` the largest from the
    single process at the same global batch, both measured on this run at this step.
    """

    kind: str
    status: str
    message: str
    ahead: int
    steps: int
    epoch: int
    batch: int
    since: int
    last: Step | None
    losses: tuple[tuple[float, ...], ...]
    single_losses: tuple[float, ...]
    spread: float | None
    difference: float | None
    scores: tuple[tuple[float, float], ...]
    single_scores: tuple[float, float] | None
    pids: tuple[int, ...]
    seconds_to_start: float | None
    steps_per_second: float
    version: int
