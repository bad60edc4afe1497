"""Run: what a page holds of a run. It reads what is already here and never waits for training.

The process of the page keeps the history of losses and the last checkpoint of every run, so that a
run outlives its worker.
"""

import hashlib
import secrets
import threading
import time
from array import array
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..edits import Edits, merge
from ..errors import ToytrainError
from ..evaluation import Evaluation
from ..history import History
from .frame import FIGURES, Array, Frame, encode

if TYPE_CHECKING:
    from .pool import WorkerProcess

MOST_VIEWS = 32  # of which the newest arrays are kept, for whoever comes next
ANSWER_WITHIN = 10.0  # seconds; a worker answers after a slice, so this means that something is broken


class Run:
    """A run's handle: play, pause, step, learning rate, newest Frame, status, message.

    `id`, 128 random bits, lets one control the run; `stream_token`, made from it one way, only lets
    one watch it, and stays the same when the run is brought back after a restart.
    `version` grows with all news; `history` when losses already told are told again, after a worker
    has died. `note` tells the user what has happened to the run without their doing. `opened_by` is the
    worker's command that makes it.
    """

    opened_by = "open"

    def __init__(self, config: Config, worker: "WorkerProcess", run_id: str | None = None):
        self.id = run_id or secrets.token_hex(16)
        self.stream_token = hashlib.blake2b(self.id.encode(), digest_size=16).hexdigest()
        self.config = config
        self.frame = Frame({"step": 0, "epoch": 0, "batch": 0, "status": "starting", "message": ""})
        self.note = ""
        self.version = 0
        self.history = 0
        self.seen_at = time.monotonic()
        self.learning_rates: dict[int, float] = {}
        self.edits: Edits = {}
        self.changes = 0  # how often either of them was added to
        self.speed = 0.0
        self.until: float = 0
        self.owner = ""  # the session whose runs are counted together
        self.most_steps: int | None = None  # batches after which it ends, where a class sets it
        self.wanted: set[str] = set()
        self.description: dict[str, Any] | None = None
        self.weights: bytes | None = None  # a file whose weights it starts from
        self.saved: bytes | None = None
        self.saved_steps: int | None = 0  # None: not known yet, the checkpoint came from outside
        self.kept: tuple[tuple[int, int], float] = ((0, 0), 0.0)  # position on disk, and when it was written
        self.refusal: ToytrainError | None = None
        self._losses = History("f")
        self._tests = History("d")  # three numbers per row
        self._views: dict[str, tuple[int, dict[str, Array]]] = {}  # by view: since when, and its arrays
        self._newest: tuple[tuple, tuple[bytes, Cursor]] | None = None
        self._looked = dict.fromkeys(("train_loss", "test_loss", "train_score", "test_score"))
        self.changed = threading.Condition()
        self._listeners: set[Callable[[], None]] = set()
        self._worker = worker

    # What it is now, without waiting

    @property
    def status(self) -> str:
        """starting, paused, playing, finished, diverged, failed or closed."""
        return self.frame.header["status"]

    @property
    def playing(self) -> bool:
        return self.status == "playing"

    @property
    def steps(self) -> int:
        return self.frame.header["step"]

    @property
    def learning_rate(self) -> float:
        """The rate that the next step takes; of one set just now no frame tells unless somebody looks."""
        changed_at = max(self.learning_rates, default=-1)
        if changed_at >= self.steps:
            return self.learning_rates[changed_at]
        return self.frame.header.get("learning_rate", self.config.learning_rate)

    @property
    def chosen_learning_rate(self) -> float:
        """The rate that somebody chose last; a schedule may have led elsewhere since, even to 0."""
        if self.config.schedule == "constant":
            return self.learning_rate
        changed_at = max(self.learning_rates, default=None)
        return self.config.learning_rate if changed_at is None else self.learning_rates[changed_at]

    @property
    def has_initial_weights(self) -> bool:
        """Whether it started from a file's weights in place of those that the seed draws."""
        return bool(self.description and self.description["has_initial_weights"])

    @property
    def losses(self) -> list[float]:
        """Each batch loss told so far, exactly as float32 holds it."""
        with self.changed:
            return self._losses.tolist()

    @property
    def tests(self) -> list[tuple[float, float, float]]:
        """The step, the test loss and the test score at the end of each epoch told so far."""
        return self.tests_after(0)

    def tests_after(self, epochs: int) -> list[tuple[float, float, float]]:
        """The same without the first `epochs`."""
        with self.changed:
            rows = self._tests[3 * epochs :].tolist()
        return list(zip(rows[0::3], rows[1::3], rows[2::3], strict=True))

    @property
    def viewers(self) -> int:
        return len(self._listeners)

    # Commands: each returns when the worker has acknowledged it

    def play(self) -> None:
        self.note = ""
        self.until = float("inf")
        self._ask("play")

    def pause(self) -> None:
        self.until = 0
        self._ask("pause")

    def step_batch(self) -> None:
        """Train exactly one batch."""
        self.note = ""
        self.until = 0
        self._ask("step_batch")

    def step_epoch(self) -> None:
        """Train to the end of the epoch; returns at once."""
        self.note = ""
        self.until = self._ask("step_epoch")

    def set_learning_rate(self, learning_rate: float) -> None:
        """Let the next step take this rate; the change becomes part of the script."""
        Config(learning_rate=learning_rate)  # refuses what is out of range
        self.learning_rates[self._ask("set_learning_rate", learning_rate=learning_rate)] = learning_rate
        self.changes += 1

    def edit_weight(self, key: str, index: tuple[int, ...], value: float) -> None:
        """Set one number of a parameter and pause; the edit becomes part of the script.

        `key` is the parameter's in the state_dict ("layers.0.weight"), `index` counts from 0: (neuron, input)
        of a weight, (neuron,) of a bias. A ToytrainError says what does not fit.
        """
        self.until = 0
        step = self._ask("edit_weight", key=key, index=tuple(index), value=value)
        self.edits = merge(self.edits, {step: {(key, tuple(index)): float(value)}})
        self.changes += 1

    def half_step(self) -> dict[str, Any]:
        """Pause, and do the next part of a step: forward, loss, backward, optimizer step.

        Returns where it stands and the tensors of interest, see `half_steps.half_step`. Whatever else trains
        or changes the run finishes the step first; what is saved meanwhile is the run before the step.
        """
        self.note = ""
        self.until = 0
        return self._ask("half_step")

    def find_learning_rate(self) -> dict[str, Any]:
        """Search for a learning rate on a copy of the run, which itself goes on untouched.

        Returns `rates`, `losses`, `smoothed` (equally long) and `suggestion`, a rate or None; see
        RateFinder. It takes some hundred batches of time, and other runs have their turns meanwhile.
        """
        found = self._ask("find_learning_rate", begin=True)
        while not found["done"]:
            found = self._ask("find_learning_rate", begin=False)
        return found

    def begun_step(self) -> dict[str, Any] | None:
        """What the last half_step returned, None between two steps."""
        return self._ask("begun_step")

    def set_speed(self, batches_per_second: float) -> None:
        """So many batches per second at the most; 0: as fast as it goes."""
        self._ask("set_speed", speed=batches_per_second)
        self.speed = batches_per_second

    def tensors(self) -> list[dict[str, Any]]:
        """Each tensor of the network: key, shape, least, mean and greatest number."""
        return self._ask("tensors")

    def model(self) -> bytes:
        """model.pth, the bare state_dict."""
        return self._ask("model")

    def checkpoint(self) -> bytes:
        """The full checkpoint."""
        return self._ask("checkpoint")

    def safetensors(self) -> bytes:
        """The weights as safetensors, with the Config as metadata."""
        return self._ask("safetensors")

    def initial_model(self) -> bytes:
        """The weights of a file that the run started from, as a bare state_dict."""
        return self._ask("initial_model")

    def script(self) -> str:
        """The plain PyTorch script that the run equals so far."""
        return self._ask("script")

    def fast_step(self) -> tuple[str, str]:
        """Why it takes plain steps only, or ""; and the source of its fast step, or ""."""
        return self._ask("fast_step")

    def trace(self, **question: Any) -> Future:
        """A point's way through the network (see predictions.trace), when the worker gets to it.

        A stream's viewers may ask this too, so it does not count as a look at the run.
        """
        if self.refusal:
            raise self.refusal
        return self._worker.ask("trace", self.id, **question)

    def evaluation(self, part: str) -> Evaluation:
        """Every prediction on the "test" or the "train" data."""
        return self.ask_quietly("evaluation", part=part)

    def deal_epoch(self) -> dict[str, Any]:
        """The order in which the present epoch deals the training rows (see data_views.deal_epoch)."""
        return self._ask("deal_epoch")

    def wait_until_open(self, seconds: float) -> bool:
        """Whether the worker has made the run by then; a ToytrainError if it refuses to."""
        with self.changed:
            self.changed.wait_for(lambda: self.description or self.refusal, seconds)
        if self.refusal:
            raise self.refusal
        return self.description is not None

    def close(self) -> None:
        """Let the worker forget the run."""
        with self.changed:
            self.frame = Frame({**self.frame.header, "status": "closed"})
        self._worker.forget(self)
        self._notify()

    # Watching

    def want_frame(self, views: Collection[str] = ()) -> None:
        """Say that somebody looks: the next news will come with the figures and these views."""
        self.seen_at = time.monotonic()
        with self.changed:
            self.wanted |= {FIGURES, *views}
            missing = tuple(view for view in views if view not in self._views)
        self._worker.send("want_frame", self.id, views=tuple(views), missing=missing)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call the listener, on any thread, when there are news; the result ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def has_news(self, cursor: "Cursor | None", views: tuple[str, ...]) -> bool:
        """Whether a message would tell more than the cursor: of the run, or of these views."""
        if cursor is None or cursor.version != self.version:
            return True
        with self.changed:
            return any(view in self._views and view not in cursor.views for view in views)

    def message(
        self, cursor: "Cursor | None", views: tuple[str, ...] = (), say: Callable[[str], str] = str
    ) -> tuple[bytes, "Cursor"]:
        """What is new since the cursor, and of these views, as one encoded message; without a cursor, all
        there is. Viewers who have been told the same share the message. `say` puts the sentence in it
        into the viewer's words."""
        with self.changed:
            asked = (self.version, cursor, views, say)
            if self._newest is None or self._newest[0] != asked:
                self._newest = asked, self._compose(cursor, views, say)
            return self._newest[1]

    def _compose(
        self, cursor: "Cursor | None", views: tuple[str, ...], say: Callable[[str], str]
    ) -> tuple[bytes, "Cursor"]:
        header = {**self._looked, **self.frame.header}
        header["message"] = say(header["message"] or self.note)
        arrays: dict[str, Array] = {}
        if cursor is None:
            if self.description:
                header["run"] = {"id": self.stream_token, **self.description["view"]}
                arrays |= self.description["arrays"]
            cursor = Cursor(history=self.history)
        losses = cursor.losses if cursor.history == self.history else 0
        tests = cursor.tests if cursor.history == self.history else 0
        header |= {"losses_from": losses, "tests_from": tests // 3}
        arrays["losses"] = ("f4", self._losses[losses:].tobytes())
        arrays["tests"] = ("f4", array("f", self._tests[tests:]).tobytes())
        told = {}
        for view in views:
            if view in self._views:
                since, seen = self._views[view]
                if cursor.views.get(view) != since:
                    arrays |= seen
                told[view] = since
        return encode(header, arrays), Cursor(
            self.version, self.history, len(self._losses), len(self._tests), told
        )

    # What the pool tells it

    def opened(self, description: dict[str, Any]) -> None:
        self.description = description
        self._notify()

    def refused(self, error: ToytrainError) -> None:
        self.refusal = error
        self._notify()

    def take(self, frame: Frame) -> None:
        """Note a frame from the worker."""
        with self.changed:
            if self.status == "closed":
                return  # it was under way when the run was closed
            self.frame = frame
            self._looked |= {name: frame.header[name] for name in self._looked if name in frame.header}
            for known, start, new in (
                (self._losses, frame.losses_from, frame.losses),
                (self._tests, 3 * frame.tests_from, frame.tests),
            ):
                if start < len(known):
                    known.truncate(start)
                    self.history += 1
                known.extend(array(known.typecode, new))
            for view, arrays in frame.views.items():
                self._views.pop(view, None)  # the newest stands last
                self._views[view] = (self.version, arrays)
            while len(self._views) > MOST_VIEWS:
                del self._views[next(iter(self._views))]
            self.wanted -= frame.views.keys()
            if frame.checkpoint is not None:
                self.saved, self.saved_steps = frame.checkpoint, frame.header["step"]
                self.weights = None  # the checkpoint holds them
        self._notify()

    def how_to_open(self) -> dict[str, Any]:
        """The arguments of the worker's `open` that make the run, or bring it to its last checkpoint."""
        with self.changed:
            return {
                "config": self.config.to_dict(),
                "saved": self.saved,
                "weights": self.weights,
                "history": None if self.saved_steps is None else self._history_up_to(self.saved_steps),
                "learning_rates": self.learning_rates,
                "edits": self.edits,
                "speed": self.speed,
                "until": self.until,
                "most_steps": self.most_steps,
            }

    def _history_up_to(self, steps: int) -> tuple[bytes, bytes]:
        rows = self._tests[:]
        tests = [rows[at : at + 3].tobytes() for at in range(0, len(rows), 3) if rows[at] <= steps]
        return self._losses[:steps].tobytes(), b"".join(tests)

    def position(self) -> tuple[int, int]:
        """What changes whenever there is something new to save."""
        return self.steps, self.changes

    def ask_quietly(self, name: str, **arguments: Any) -> Any:
        """The worker's answer to a command that nobody at a page has given."""
        if self.refusal:
            raise self.refusal
        try:
            return self._worker.ask(name, self.id, **arguments).result(ANSWER_WITHIN)
        except TimeoutError as error:
            raise ToytrainError(
                "The training process does not answer; wait a moment and try again."
            ) from error

    def _ask(self, name: str, **arguments: Any) -> Any:
        self.seen_at = time.monotonic()
        return self.ask_quietly(name, **arguments)

    def _notify(self) -> None:
        with self.changed:
            self.version += 1
            self.changed.notify_all()
        for listener in list(self._listeners):
            listener()


@dataclass(frozen=True)
class Cursor:
    """How much of a run one viewer has been told: losses, numbers of tests, and which arrays of a view."""

    version: int = 0
    history: int = 0
    losses: int = 0
    tests: int = 0
    views: dict[str, int] = field(default_factory=dict)
