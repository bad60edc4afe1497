"""Worker: trains many runs in turn. It knows nothing of pipes: a command comes in, a reply goes
out, and `tick` trains one slice and returns what is to be told. So another host can carry it.

Runs share one process and one PyTorch generator: each owns the generator during its slice, so that
no run can change another's batches. Evaluating and drawing use no random number.
"""

import inspect
import math
import textwrap
import time
import traceback
from array import array
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import torch

from .. import checkpoint
from ..classroom import MOST_STEPS
from ..config import Config
from ..data import Data, make_data, make_loaders
from ..devices import find_devices, get_device
from ..edits import Edits
from ..errors import ToytrainError
from ..random_state import get_random_state, set_random_state
from ..rate_finder import RateFinder
from ..script import write_script
from ..snapshot import Snapshot
from ..trainer import Trainer
from . import book, changes, data_views, half_steps, lab, predictions, rate_search
from .frame import FIGURES, Array, Frame
from .neurons import RESOLUTION, describe_network
from .turns import SLICE, Turns
from .views import Look

ROUND = 0.1  # seconds in which each of many runs gets a turn, as far as that leaves it LEAST
LEAST = 0.004
FRAME_EVERY = 1 / 30  # seconds between two frames of one run, at the least
FRAMES_SHARE = 0.6  # of a worker's time, at the most
SLOW = 0.1  # seconds between two frames, from which on the page says so
FRAME_COST = 0.0035  # seconds that a frame is taken to cost at the least
SAVE_EVERY = 2.0  # seconds of training that a killed worker costs at the most
MOST_EPOCHS = 100_000  # 24 bytes of history each, so that every full checkpoint can be uploaded again


class Hosted:
    """A run inside the worker: its Trainer, its random state, and how it is to be played.

    One that has no checkpoint is not `kept`: it is made again from its start where its worker dies.
    """

    def __init__(
        self,
        trainer: Trainer,
        config: Config,
        now: float,
        most_steps: int | None = None,
        kept: bool = True,
    ):
        self.trainer = trainer
        self.most_steps = MOST_STEPS if most_steps is None else most_steps
        self.config = config
        self.kept = kept
        self.random_state = get_random_state(trainer.device)
        self.speed = 0.0  # batches per second; 0: as fast as it goes
        self.until: float = 0  # plays until it has trained so many steps
        self.wanted: set[str] = set()  # the views that somebody waits for
        self.shown: set[str] = set()  # the views that have been shown since something happened
        self.told_losses = self.told_tests = 0
        self.told_status = ""
        self.failed = ""
        self.framed_at = self.wanted_at = 0.0
        self.frame_cost = 0.0  # seconds, of late
        self.saved_at, self.saved_steps = now, -1
        self.paced_from = (now, 0)
        self.measured_from = (now, 0)
        self.rate = 0.0
        self.finder: RateFinder | None = None

    @property
    def data(self) -> Data:
        if self.trainer.data is None:
            raise ValueError("a run that is looked at is made from a Config")
        return self.trainer.data

    @cached_property
    def label_range(self) -> tuple[float, float]:
        labels = self.data.train.labels.float()
        return labels.min().item(), labels.max().item()

    @property
    def playing(self) -> bool:
        return self.trainer.steps < self.until and not self.ended

    @property
    def ended(self) -> bool:
        """Whether it will train no more: finished, diverged, failed, or as long as a run may be."""
        return self.trainer.ended or bool(self.failed) or self.is_longest

    @property
    def is_longest(self) -> bool:
        return self.trainer.steps >= self.most_steps or self.trainer.epoch >= MOST_EPOCHS

    @property
    def message(self) -> str:
        """Why it has ended, if that needs a sentence."""
        if self.is_longest:
            return (
                f"A run ends after {self.most_steps:,} batches or {MOST_EPOCHS:,} epochs; download its "
                "checkpoint, or press Reset."
            )
        return self.failed or self.trainer.why_ended

    @property
    def status(self) -> str:
        if self.failed:
            return "failed"
        if self.trainer.diverged:
            return "diverged"
        if self.trainer.finished or self.is_longest:
            return "finished"
        return "playing" if self.playing else "paused"

    @property
    def stale(self) -> set[str]:
        """The views to show: wanted, and not yet shown as they are now."""
        return self.wanted - self.shown

    def play(self, until: float, now: float) -> None:
        if not self.playing:
            self.measured_from = (now, self.trainer.steps)
        batches = len(self.trainer.train_loader)
        self.until = min(until, self.most_steps, MOST_EPOCHS * batches)
        self.pace(now)

    def pace(self, now: float) -> None:
        """Count the permitted steps from here on, the first of them at once."""
        self.paced_from = (now, self.trainer.steps + 1)

    def permitted(self, now: float) -> float:
        """How many steps the speed permits by now."""
        ahead = self.until - self.trainer.steps
        if not self.speed:
            return ahead
        since, steps = self.paced_from
        owed = steps + (now - since) * self.speed - self.trainer.steps
        return min(ahead, math.floor(owed + 1e-6))

    def due_at(self) -> float:
        """When the next step is permitted."""
        if not self.speed:
            return -math.inf
        since, steps = self.paced_from
        return since + (self.trainer.steps + 1 - steps) / self.speed


class Worker:
    """The runs of one process. `clock` gives seconds; tests hand in their own."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.runs: dict[str, Hosted] = {}
        self._turns = Turns()

    def hello(self) -> dict[str, Any]:
        """What the page cannot find out without PyTorch."""
        return {
            "devices": [asdict(device) for device in find_devices()],
        }

    def handle(self, name: str, run_id: str, arguments: dict[str, Any]) -> Any:
        """Carry out one command and return its reply; a ToytrainError is an answer too."""
        if name not in WITHOUT_A_RUN and run_id not in self.runs:
            raise ToytrainError("This run is closed; press Reset for a new one.")
        return COMMANDS[name](self, run_id, **arguments)

    def open(
        self,
        run_id: str,
        config: dict[str, Any],
        saved: bytes | None = None,
        weights: bytes | None = None,
        history: tuple[bytes, bytes] | None = None,
        learning_rates: dict[int, float] | None = None,
        edits: Edits | None = None,
        speed: float = 0.0,
        until: float = 0,
        most_steps: int | None = None,
    ) -> dict[str, Any]:
        """Make a run of a Config, perhaps from a file's weights, or bring one back from a full checkpoint.

        `weights` is any file that `checkpoint.load` takes. `history` is what the asker knows of losses
        (float32) and tests (float64) up to that checkpoint; without it they are in the checkpoint itself,
        and are told. The run ends after `most_steps`.

        Returns what never changes: what every view must know, and arrays such as the points and labels.
        """
        with torch.random.fork_rng():
            checked = Config.from_dict(config)
            # Loading in the training process gives the same batches without processes of its own.
            initial = None if weights is None else checkpoint.load(weights).weights
            trainer = Trainer.from_config(replace(checked, num_workers=0), initial)
            trainer.config = checked
            if saved is not None:
                snapshot = checkpoint.load(saved)
                if history is not None:
                    snapshot = _with_history(snapshot, array("f", history[0]), array("d", history[1]))
                elif len(snapshot.loss_history) != snapshot.steps:
                    raise ToytrainError(
                        "This checkpoint was saved without its losses, so no run can go on from it; download "
                        "the full checkpoint from the page.",
                        code="settings",
                    )
                trainer.restore(snapshot)
            run = Hosted(trainer, checked, self.clock(), most_steps)
        if history is not None:
            run.told_losses, run.told_tests = trainer.steps, len(trainer.tests) // 3
        trainer.learning_rates |= learning_rates or {}
        trainer.add_edits(edits or {})
        run.speed = speed
        self.host(run_id, run, until)
        return self._describe(run)

    def host(self, run_id: str, run: Hosted, until: float) -> None:
        """Let a run have its turns from now on; it plays until it has trained so many steps."""
        self.runs[run_id] = run
        self._turns.add(run_id)
        if until:
            run.play(until, self.clock())

    def check(self, run_id: str, config: dict[str, Any]) -> None:
        """Raise the ToytrainError with which `open` would refuse the Config; make no run."""
        checked = Config.from_dict(config)
        get_device(checked.device)
        make_loaders(checked, make_data(checked))

    def inspect(self, run_id: str, data: bytes) -> dict[str, Any]:
        """What a checkpoint holds, in plain values, or the ToytrainError that refuses it."""
        snapshot = checkpoint.load(data)
        if snapshot.config is None:
            raise ValueError("a loaded Snapshot has a Config")
        return {
            "config": snapshot.config.to_dict(),
            "is_full": bool(snapshot.optimizer_state),
            "notes": snapshot.notes,
            "steps": snapshot.steps,
            "epoch": snapshot.epoch,
            "tensors": [
                _describe_tensor(key, *named)
                for key, named in zip(snapshot.keys_in_file, snapshot.weights.items(), strict=True)
            ],
        }

    def tensors(self, run_id: str) -> list[dict[str, Any]]:
        """The run's own network as `inspect` gives a file's, also where not every number is finite."""
        state = self.runs[run_id].trainer.model.state_dict()
        return [_describe_tensor(key, key, tensor) for key, tensor in state.items()]

    def play(self, run_id: str) -> int:
        self.runs[run_id].play(math.inf, self.clock())
        return self.note_change(run_id)

    def pause(self, run_id: str) -> int:
        self.runs[run_id].until = 0
        return self.note_change(run_id)

    def step_batch(self, run_id: str) -> int:
        """Train exactly one batch, and stand still after it."""
        run = self.runs[run_id]
        run.until = 0
        if not run.ended:
            self._train(run, 1, None)
        return self.note_change(run_id)

    def step_epoch(self, run_id: str) -> int:
        """Play to the end of the epoch. The reply, the step at which it ends, does not wait for it."""
        run = self.runs[run_id]
        trainer = run.trainer
        end = trainer.steps - trainer.batch + len(trainer.train_loader)
        run.play(end, self.clock())
        self.note_change(run_id)
        return end

    def set_speed(self, run_id: str, speed: float) -> int:
        if not 0 <= speed < math.inf:  # nan fails this too
            raise ToytrainError("That is no speed; give batches per second, or 0 for as fast as it goes.")
        run = self.runs[run_id]
        run.speed = speed
        run.pace(self.clock())
        return run.trainer.steps

    def want_frame(self, run_id: str, views: Collection[str] = (), missing: Collection[str] = ()) -> None:
        """Show these views in the next frame, beside the figures; the `missing` ones in any case."""
        run = self.runs[run_id]
        run.wanted |= {FIGURES, *views}
        run.shown.difference_update(missing)
        run.wanted_at = self.clock()

    def snapshot(self, run_id: str) -> Snapshot:
        """The run as it stands; no random number is used."""
        with self.owning_generator(self.runs[run_id]) as run:
            return run.trainer.snapshot()

    def model(self, run_id: str) -> bytes:
        """model.pth: the bare state_dict."""
        return checkpoint.save_weights(self.snapshot(run_id))

    def initial_model(self, run_id: str) -> bytes:
        """The weights of a file that the run started from, as a bare state_dict."""
        initial = self.runs[run_id].trainer.initial_weights
        if initial is None:
            raise ToytrainError("This run started from weights that its seed drew; its script draws them.")
        return checkpoint.save_state_dict(initial)

    def safetensors(self, run_id: str) -> bytes:
        """The weights as a safetensors file, the Config as its metadata."""
        return checkpoint.save_safetensors(self.snapshot(run_id))

    def checkpoint(self, run_id: str) -> bytes:
        """The full checkpoint, with all losses."""
        return checkpoint.save(self.snapshot(run_id))

    def script(self, run_id: str) -> str:
        """The plain PyTorch script of the run up to here; of an untrained run the whole Config's."""
        run = self.runs[run_id]
        trainer = run.trainer
        return write_script(
            run.config,
            trainer.learning_rates,
            trainer.steps or None,
            trainer.initial_weights is not None,
            trainer.edits,
        )

    def fast_step(self, run_id: str) -> tuple[str, str]:
        """Why the run takes plain steps only, or ""; and the source of its fast step, or ""."""
        with self.owning_generator(self.runs[run_id]) as run:
            return run.trainer.why_plain, run.trainer.fast_step_source

    def close(self, run_id: str) -> None:
        self.runs.pop(run_id, None)
        self._turns.remove(run_id)

    def tick(self) -> list[tuple[str, Frame]]:
        """Train one slice of the run whose turn it is; then the frames that are due."""
        self._train_next()
        return self.frames()

    def frames(self) -> list[tuple[str, Frame]]:
        """By run id: what somebody waits to see, what is to be saved, and every change of status."""
        now = self.clock()
        watched = self._watched(now)
        due = []
        for run_id, run in self.runs.items():
            interval = _frame_interval(run, watched)
            looked = bool(run.stale) and now - run.framed_at >= interval
            saves = self._save_is_due(run, now)
            if looked or saves or run.status != run.told_status:
                began = self.clock()
                with self.owning_generator(run):
                    slowed_by = watched if interval > SLOW else 0
                    due.append((run_id, self._frame(run, now, looked, saves, slowed_by)))
                self._turns.charge(run_id, took := self.clock() - began)
                if looked:
                    run.frame_cost += (took - run.frame_cost) / 8  # one that was interrupted says little
        return due

    def seconds_until_due(self) -> float | None:
        """How long there is nothing to do unless a command comes; None: until one comes."""
        now = self.clock()
        watched = self._watched(now)
        moments = []
        for run in self.runs.values():
            if run.playing:
                moments.append(run.due_at())
            if run.stale:
                moments.append(run.framed_at + _frame_interval(run, watched))
            if run.kept and run.trainer.steps != run.saved_steps:
                moments.append(run.saved_at + SAVE_EVERY if run.playing else now)
        return max(0.0, min(moments) - now) if moments else None

    def _watched(self, now: float) -> int:
        """How many runs play and are looked at."""
        return sum(run.playing and now - run.wanted_at < 1 for run in self.runs.values())

    def _train_next(self) -> None:
        """One slice for the run whose turn it is."""
        now = self.clock()
        playing = sum(run.playing for run in self.runs.values())
        seconds = min(SLICE, max(LEAST, ROUND / max(playing, 1)))
        run_id = self._turns.next(lambda run_id: self._permitted(self.runs[run_id], now) >= 1)
        if run_id is None:
            return
        run = self.runs[run_id]
        self._train(run, int(self._permitted(run, now)), seconds)
        after = self.clock()
        self._turns.charge(run_id, after - now)
        if run.speed and run.permitted(after) > run.speed / 2:
            run.pace(after)  # a machine that is too slow does not owe the past

    def _permitted(self, run: Hosted, now: float) -> float:
        return run.permitted(now) if run.playing else 0

    def _train(self, run: Hosted, steps: int | None, seconds: float | None) -> None:
        """Train one run. An error in it is a bug, but not one that may end the runs beside it."""
        try:
            with self.owning_generator(run):
                run.trainer.advance(steps=steps, seconds=seconds)
        except Exception as error:
            traceback.print_exc()
            run.failed = f"The training stopped on an error of this program ({type(error).__name__}); reset."
        run.shown.clear()

    @contextmanager
    def owning_generator(self, run: Hosted) -> Iterator[Hosted]:
        """Let the run have PyTorch's global generator, and keep its state for the next time."""
        set_random_state(run.random_state, run.trainer.device)
        try:
            yield run
        finally:
            run.random_state = get_random_state(run.trainer.device)

    def note_change(self, run_id: str) -> int:
        """Let a frame tell of what a command has done; the step at which it did."""
        self.runs[run_id].shown.clear()
        return self.runs[run_id].trainer.steps

    def _save_is_due(self, run: Hosted, now: float) -> bool:
        if not run.kept or run.trainer.steps == run.saved_steps:
            return False
        return not run.playing or now - run.saved_at >= SAVE_EVERY

    def _frame(self, run: Hosted, now: float, looked: bool, saves: bool, slowed_by: int) -> Frame:
        snapshot = run.trainer.snapshot()
        since, steps = run.measured_from
        if now - since >= 1:
            run.rate = (snapshot.steps - steps) / (now - since)
            run.measured_from = (now, snapshot.steps)
        header: dict[str, Any] = {
            "step": snapshot.steps,
            "epoch": snapshot.epoch,
            "batch": snapshot.batch,
            "batches": snapshot.batches,
            "samples": snapshot.samples,
            "rate": run.rate if run.playing else 0.0,
            "status": run.status,
            "message": run.message,
            "slowed_by": slowed_by,
            "learning_rate": snapshot.learning_rate,
        }
        losses_from, tests_from = run.told_losses, run.told_tests
        run.told_losses, run.told_tests = snapshot.steps, snapshot.num_tests
        run.told_status = run.status
        views, kept = {}, None
        if looked:
            look = Look(run.trainer, snapshot, run.config, run.data, run.label_range)
            header |= look.figures()
            views = {view: _arrays(look, view) for view in run.stale}
            run.shown |= run.wanted - look.unfinished
            run.wanted = set()
            run.framed_at = now
        if saves:
            run.saved_at, run.saved_steps = now, snapshot.steps
            # The page's process holds the history already: only what is needed beside it is sent.
            kept = checkpoint.save(_with_history(snapshot, array("f"), array("d")))
        return Frame(
            header,
            losses_from,
            snapshot.loss_history[losses_from:].tobytes(),
            tests_from,
            snapshot.test_history[3 * tests_from :].tobytes(),
            views,
            kept,
        )

    def _describe(self, run: Hosted) -> dict[str, Any]:
        data = run.data
        points = torch.cat([data.train_points, data.test_points])
        labels = torch.cat([data.train.labels, data.test.labels]).flatten().float()
        network, feature_maps = describe_network(run.trainer.model, run.config, data)
        return {
            "has_initial_weights": run.trainer.initial_weights is not None,
            "arrays": {
                "points": ("f4", points.numpy().tobytes()),
                "labels": ("f4", labels.numpy().tobytes()),
                **feature_maps,
            },
            "view": {
                "task": run.config.task,
                "classes": run.config.classes,
                "activation": run.config.activation,
                "extent": data.extent,
                "resolution": RESOLUTION,
                "train_points": len(data.train),
                "test_points": len(data.test),
                "score": run.trainer.task.score_name,
                "epochs": run.config.epochs,
                "network": network,
                "label_range": run.label_range,
                "step_source": textwrap.dedent(inspect.getsource(Trainer.step)),
            },
        }


def _arrays(look: Look, view: str) -> dict[str, Array]:
    """What a view shows. An error in it is a bug, but not one that may end the runs of this process."""
    try:
        return look.arrays(view)
    except Exception:
        traceback.print_exc()
        return {}


def _frame_interval(run: Hosted, watched: int) -> float:
    """Seconds between two frames of a run: more where many are watched, so that frames take at most
    FRAMES_SHARE of the time, and the rest is for training."""
    return max(FRAME_EVERY, max(FRAME_COST, run.frame_cost) * watched / FRAMES_SHARE)


def _describe_tensor(key_in_file: str, key: str, tensor: torch.Tensor) -> dict[str, Any]:
    return {
        "key_in_file": key_in_file,
        "key": key,
        "shape": tuple(tensor.shape),
        "least": tensor.min().item(),
        "mean": tensor.double().mean().item(),
        "greatest": tensor.max().item(),
    }


def _with_history(snapshot: Snapshot, losses: array, tests: array) -> Snapshot:
    """The Snapshot with another record of losses and tests."""
    return replace(snapshot, loss_history=losses, test_history=tests, num_tests=len(tests) // 3)


COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command
    for command in (
        Worker.check,
        Worker.inspect,
        Worker.open,
        Worker.play,
        Worker.pause,
        Worker.step_batch,
        Worker.step_epoch,
        changes.set_learning_rate,
        changes.edit_weight,
        half_steps.half_step,
        half_steps.begun_step,
        rate_search.find_learning_rate,
        Worker.set_speed,
        Worker.want_frame,
        Worker.tensors,
        Worker.model,
        Worker.initial_model,
        Worker.safetensors,
        Worker.checkpoint,
        Worker.script,
        Worker.fast_step,
        Worker.close,
        predictions.trace,
        predictions.evaluation,
        data_views.points,
        data_views.previews,
        data_views.deal_epoch,
        data_views.read_table,
        book.book,
        book.book_sources,
        lab.open_lab,
        lab.look,
        lab.scripts,
    )
}
WITHOUT_A_RUN = {
    "check",
    "inspect",
    "open",
    "open_lab",
    "close",
    "points",
    "previews",
    "read_table",
    "book",
    "book_sources",
}
