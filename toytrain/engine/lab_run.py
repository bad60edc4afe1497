"""LabRun: what a page holds of an experiment of the mistake lab."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..config import Config
from .run import Run

if TYPE_CHECKING:
    from .pool import WorkerProcess


@dataclass(frozen=True)
class Side:
    """One script and how far it has come.

    `scores` holds a row per epoch: batches so far, loss and accuracy of the training data, loss and accuracy
    of the test data; `readings` the rows of the probe that was asked for: batches so far, then a number per
    curve. `error` is what ended the script early, `line` the number of the line that did.
    """

    steps: int
    epoch: int
    batches: int
    losses: list[float]
    scores: list[tuple[float, ...]]
    readings: list[tuple[float, ...]]
    error: str
    line: int


@dataclass(frozen=True)
class Look:
    """One look at an experiment."""

    status: str
    message: str
    right: Side
    wrong: Side


class LabRun(Run):
    """An experiment: the right script and the wrong one, played, paused and stepped together.

    It is not saved: a worker that dies, or a server that restarts, lets it begin again from its seed.
    `shared_by` are those who have it before them; one whose session has ended is no longer among them.
    """

    opened_by = "open_lab"

    def __init__(self, mistake: str, config: Config, worker: "WorkerProcess"):
        super().__init__(config, worker)
        self.mistake = mistake
        self.shared_by: WeakSet[Any] = WeakSet()

    def how_to_open(self) -> dict[str, Any]:
        return {
            "mistake": self.mistake,
            "config": self.config.to_dict(),
            "speed": self.speed,
            "until": self.until,
        }

    def position(self) -> tuple[int, int]:
        """There is never anything to save."""
        return self.kept[0]

    def look(self, probe: str) -> Look:
        """How it stands, with the readings of one probe."""
        found = self._ask("look", probe=probe)
        sides = {name: Side(**side) for name, side in found["sides"].items()}
        return Look(found["status"], found["message"] or self.note, **sides)

    def scripts(self) -> dict[str, str]:
        """The scripts that run, by side: "right" and "wrong"."""
        return self._ask("scripts")
