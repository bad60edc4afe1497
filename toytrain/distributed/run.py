"""DistributedRun: what a page holds of a run over several ranks, real or replayed.

One thread per run tells the ranks how far to train and takes what they report. All ranks are told
the same number of batches, so that they always stand at the same step. No PyTorch here.
"""

import secrets
import threading
import time
import traceback
from array import array
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import Config
from ..errors import ToytrainError
from .processes import IMPORT_WITHIN, Cancelled, RankProcesses, Replicas
from .ranks import Progress, Ranks, Step, View

if TYPE_CHECKING:
    from .cluster import Cluster

NEWS_EVERY = 0.05  # seconds of training between two reports while a run plays
ANSWER_WITHIN = 15.0  # seconds that a command waits; a run that is still starting needs most of it
STEPS_KEPT = 1000
ENDED = ("finished", "diverged", "failed", "stopped")


def new_id() -> str:
    """128 random bits: who knows them may control the run."""
    return secrets.token_hex(16)


class DistributedRun:
    """A run's handle: play, pause, step, stop, and `view()` of how it stands, which never waits.

    A run that has ended keeps what it knows: `view`, `step_at`, `model`, `checkpoint`, `script`.
    """

    def __init__(
        self,
        run_id: str,
        kind: str,
        config: Config,
        ranks: Ranks,
        work: RankProcesses | Replicas,
        cluster: "Cluster",
        compare: bool = True,
        unseen_for: float = 120.0,
    ):
        self.id = run_id
        self.kind = kind
        self.config = config
        self.ranks = ranks
        self.error: ToytrainError | None = None
        self.version = 0
        self.seen_at = self._trained_at = time.monotonic()
        self.changed = threading.Condition()
        self._work = work
        self._cluster = cluster
        self._compare = compare
        self._unseen_for = unseen_for
        self._phase = "queued" if kind == "real" else "starting"
        self._message = ""
        self._ahead = 0
        self._until: float = 0
        self._busy = False
        self._speed = 0.0
        self._gradient: tuple[str, int] | None = None
        self._cancel = threading.Event()
        self._errands: deque[tuple[Callable[[], Any], Future]] = deque()
        self._files: tuple[bytes, bytes] | None = None
        self._steps: deque[Step] = deque(maxlen=STEPS_KEPT)
        self._losses = [array("f") for _ in range(ranks.world_size)]
        self._single_losses = array("f")
        self._epoch = self._batch = 0
        self._scores: tuple[tuple[float, float], ...] = ()
        self._single_scores: tuple[float, float] | None = None
        self._spread: float | None = None
        self._difference: float | None = None
        self._seconds_to_start: float | None = None
        self._rate = 0.0
        self._thread = threading.Thread(target=self._drive, name="toytrain-distributed", daemon=True)

    def begin(self) -> None:
        """Start the run's thread; the Cluster does it."""
        self._thread.start()

    # What it is now

    @property
    def steps(self) -> int:
        """Batches trained by each rank."""
        return len(self._losses[0])

    @property
    def status(self) -> str:
        """queued, starting, paused, playing, finished, diverged, failed or stopped."""
        if self._phase == "up":
            return "playing" if self._until > self.steps else "paused"
        return self._phase

    @property
    def playing(self) -> bool:
        return self.status == "playing"

    @property
    def ended(self) -> bool:
        return self._phase in ENDED

    @property
    def pids(self) -> tuple[int, ...]:
        """The live processes: of a real run one per rank, of a replay the one that carries them all."""
        return self._work.pids

    def view(self, since: int = 0) -> View:
        """How the run stands, with the losses from step `since` on."""
        self.seen_at = time.monotonic()
        with self.changed:
            return View(
                kind=self.kind,
                status=self.status,
                message=self._message,
                ahead=self._ahead,
                steps=self.steps,
                epoch=self._epoch,
                batch=self._batch,
                since=since,
                last=self._steps[-1] if self._steps else None,
                losses=tuple(tuple(losses[since:]) for losses in self._losses),
                single_losses=tuple(self._single_losses[since:]),
                spread=self._spread,
                difference=self._difference,
                scores=self._scores,
                single_scores=self._single_scores,
                pids=self.pids,
                seconds_to_start=self._seconds_to_start,
                steps_per_second=self._rate,
                version=self.version,
            )

    def step_at(self, number: int) -> Step | None:
        """Step `number` (from 1), if it is one of the last thousand."""
        with self.changed:
            place = number - 1 - (self.steps - len(self._steps))
            return self._steps[place] if 0 <= place < len(self._steps) else None

    # Commands. A ToytrainError says why one is not carried out. Those that wait take `seconds`, the most
    # that they wait, and tell whether it was enough; if not, they are carried out all the same

    def play(self) -> None:
        """Train until paused, or until the Config's epochs are done."""
        self._go_to(float("inf"))

    def pause(self, seconds: float = ANSWER_WITHIN) -> bool:
        """Train no further; waits until the step under way has ended."""
        with self.changed:
            self._until = 0
            self._notify()
            return self.changed.wait_for(lambda: not self._busy or self.ended, seconds)

    def step(self, batches: int = 1, seconds: float = ANSWER_WITHIN) -> bool:
        """Train exactly so many batches more on every rank; waits until they are trained."""
        with self.changed:
            under_way = self.steps < self._until < float("inf")
            return self._go_on_to((self._until if under_way else self.steps) + batches, seconds)

    def step_epoch(self, seconds: float = ANSWER_WITHIN) -> bool:
        """Train to the end of the epoch; waits until it is trained."""
        batches = self._cluster.plan(self.config, self.ranks).batches
        with self.changed:
            return self._go_on_to(self.steps + batches - self._batch, seconds)

    def set_speed(self, steps_per_second: float) -> None:
        """So many steps per second at the most; 0: as fast as it goes."""
        with self.changed:
            self._speed = steps_per_second
            self.changed.notify_all()

    def choose_gradient(self, name: str, index: int) -> None:
        """Report entry `index` of the flattened gradient of parameter `name` from the next step on.

        The names and shapes are the Plan's `parameters`. Until one is chosen it is the first entry of
        the last parameter.
        """
        shapes = dict(self._cluster.plan(self.config, self.ranks).parameters)
        if name not in shapes:
            raise ToytrainError(f"{name!s:.60} is no parameter; there are {', '.join(shapes)}.", "gradient")
        if not 0 <= index < int(np.prod(shapes[name])):
            raise ToytrainError(
                f"{name} has no entry {index}; permitted is 0 to {int(np.prod(shapes[name])) - 1}.",
                "gradient",
            )
        self._gradient = (name, index)

    def wait_until_up(self, seconds: float = IMPORT_WITHIN) -> bool:
        """Whether all ranks are up by then; raises the ToytrainError of a run that has failed."""
        with self.changed:
            self.changed.wait_for(lambda: self._phase not in ("queued", "starting"), seconds)
        if self.error:
            raise self.error
        return self._phase not in ("queued", "starting")

    def model(self) -> bytes:
        """model.pth of rank 0: the bare state_dict with the book's keys."""
        return self._get_files()[0]

    def checkpoint(self) -> bytes:
        """The full checkpoint of rank 0."""
        return self._get_files()[1]

    def script(self) -> str:
        """The distributed script that the run equals so far, for torchrun."""
        return self._cluster.host.ask(
            "script", IMPORT_WITHIN, config=self.config, ranks=self.ranks, steps=self.steps
        )

    def cancel(self) -> None:
        """Ask the run to stop; returns at once."""
        self._cancel.set()
        with self.changed:
            self.changed.notify_all()

    def stop(self) -> None:
        """End the run. Of a real one no process is left when this returns."""
        self.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join()

    # The run's own thread

    def _drive(self) -> None:
        try:
            plan = self._cluster.plan(self.config, self.ranks)  # refuses before there is any process
            self._gradient = self._gradient or (plan.parameters[-1][0], 0)
            if self.kind == "real":
                with self._cluster.places.taken(self.ranks.world_size, self._told_ahead, self._given_up):
                    phase = self._train()
            else:
                phase = self._train()
            self._end(phase, self._message)
        except Cancelled as reason:
            self._end("stopped", str(reason))
        except ToytrainError as error:
            self.error = error
            self._end("failed", str(error))
        except Exception as bug:
            traceback.print_exc()
            self.error = ToytrainError(f"The run broke off: {bug!s:.200}; this is a mistake in toytrain.")
            self._end("failed", str(self.error))

    def _train(self) -> str:
        """Start the ranks, train as commands come in, end the ranks: how the run ended."""
        self._tell(phase="starting", ahead=0)
        began = time.monotonic()
        gently = False
        try:
            ranks = self._work.start(self._cancel.is_set)
            if self._compare:
                self._ask_single(
                    "open_single", config=self.config, ranks=self.ranks, weights=ranks[0].weights
                )
            self._seconds_to_start = time.monotonic() - began
            self._take(ranks)
            self._tell(phase="up")
            while not (ranks[0].finished or ranks[0].diverged):
                batches = self._wait_for_work()
                began = time.monotonic()
                gradient = self._gradient
                ranks = self._work.train(batches, gradient)
                self._take(ranks, gradient)
                self._pace(len(ranks[0].records), time.monotonic() - began)
            self._files = self._work.files()
            gently = True
            self._message = ranks[0].diverged
            return "diverged" if ranks[0].diverged else "finished"
        except Cancelled:
            gently = self._phase == "up"
            raise
        finally:
            with self.changed:
                self._busy = False
            self._work.stop(gently)
            self._cluster.host.tell("close", run_id=self.id)

    def _wait_for_work(self) -> int:
        """How many batches to train next; runs errands and watches the ranks meanwhile."""
        while True:
            self._let_go_if_unused()
            with self.changed:
                self._busy = False
                self.changed.notify_all()
                errand = self._errands.popleft() if self._errands else None
                if errand is None:
                    if self._cancel.is_set():
                        raise Cancelled
                    if self._until > self.steps:
                        self._busy = True
                        return self._chunk()
                    self.changed.wait(0.2)
            if errand:
                _carry_out(*errand)
            self._work.check()

    def _given_up(self) -> bool:
        """Whether the run need not wait in the queue any longer."""
        if self._unseen():
            raise Cancelled(
                f"Left the queue: nobody had looked for {self._unseen_for:g} seconds; start a new run."
            )
        return self._cancel.is_set()

    def _unseen(self) -> bool:
        return time.monotonic() - self.seen_at > self._unseen_for

    def _let_go_if_unused(self) -> None:
        """Pause a replay that nobody looks at; let a real run give back what others can use."""
        unused = f"for {self._unseen_for:g} seconds"
        if self.kind == "real" and self._unseen():
            raise Cancelled(f"Ended at step {self.steps}: nobody had looked {unused}; start a new run.")
        still = time.monotonic() - self._trained_at > self._unseen_for
        if self.kind == "real" and still and self._cluster.places.waiting:
            raise Cancelled(
                f"Ended at step {self.steps}: it had stood still {unused} and others waited for its "
                "processes; start a new run."
            )
        if self.playing and self._unseen():
            self._until = 0
            self._tell(message=f"Paused at step {self.steps}: nobody had looked {unused}.")

    def _chunk(self) -> int:
        rate = min(self._rate, self._speed) if self._speed else self._rate
        return int(max(1, min(rate * NEWS_EVERY, self._until - self.steps)))

    def _pace(self, steps: int, seconds: float) -> None:
        """Note the rate, and wait where a lower speed is wanted."""
        if steps:
            self._rate = steps / seconds if not self._rate else 0.8 * self._rate + 0.2 * steps / seconds
        with self.changed:
            wanted, self._busy = self._speed, False
            self.changed.notify_all()
            if wanted and self._until > self.steps and steps / wanted > seconds:
                self.changed.wait_for(
                    lambda: self._cancel.is_set() or self._until <= self.steps or self._speed != wanted,
                    steps / wanted - seconds,
                )

    def _take(self, ranks: list[Progress], gradient: tuple[str, int] | None = None) -> None:
        """Note what all ranks report of the same steps, and which gradient they report."""
        name, index = gradient or ("", 0)
        weights = np.stack([np.frombuffer(progress.weights, dtype=np.float32) for progress in ranks])
        spread = float((weights.max(axis=0) - weights.min(axis=0)).max())
        new = len(ranks[0].records)
        single = self._ask_single("train_single", steps=new) if self._compare else None
        with self.changed:
            for records in zip(*(progress.records for progress in ranks), strict=True):
                for losses, record in zip(self._losses, records, strict=True):
                    losses.append(record.loss)
                self._steps.append(Step.of(self.steps, records, f"{name}[{index}]"))
            self._trained_at = time.monotonic()
            self._epoch, self._batch = ranks[0].epoch, ranks[0].batch
            self._scores = tuple(progress.scores for progress in ranks)
            self._spread = spread
            if single:
                losses, beside, self._single_scores = single
                self._single_losses.extend(losses)
                beside = np.frombuffer(beside, dtype=np.float32)
                self._difference = float(np.abs(weights - beside).max())
        self._notify()

    def _ask_single(self, name: str, **arguments: Any) -> Any:
        return self._cluster.host.ask(name, run_id=self.id, **arguments)

    def _end(self, phase: str, message: str) -> None:
        with self.changed:
            errands, self._errands = list(self._errands), deque()
        self._tell(phase=phase, message=message)
        for _, answer in errands:
            answer.set_exception(self._over())

    def _told_ahead(self, ahead: int) -> None:
        if ahead != self._ahead:
            self._tell(ahead=ahead)

    def _tell(self, **news: Any) -> None:
        with self.changed:
            for name, value in news.items():
                setattr(self, f"_{name}", value)
        self._notify()

    def _notify(self) -> None:
        with self.changed:
            self.version += 1
            self.changed.notify_all()

    # How a command waits

    def _go_to(self, until: float) -> None:
        with self.changed:
            if self.ended:
                raise self._over()
            self._until, self._message = until, ""
            self.seen_at = time.monotonic()
            self._notify()

    def _go_on_to(self, until: float, seconds: float) -> bool:
        """Train so far and wait; what is paused or ends meanwhile will not come there."""
        self._go_to(until)
        self.changed.wait_for(lambda: self.steps >= until or self._until < until or self.ended, seconds)
        if self._phase == "failed":
            raise self._over()
        return self.steps >= until

    def _over(self) -> ToytrainError:
        return self.error or ToytrainError(f"This run is {self._phase}; start a new one.")

    def _get_files(self) -> tuple[bytes, bytes]:
        with self.changed:
            if self._files:
                return self._files
            if self.ended:
                raise self._over()
            answer: Future = Future()
            self._errands.append((self._work.files, answer))
            self.changed.notify_all()
        try:
            return answer.result(ANSWER_WITHIN)
        except TimeoutError as error:
            raise ToytrainError("The ranks are not there yet; wait a moment and try again.") from error


def _carry_out(errand: Callable[[], Any], answer: Future) -> None:
    try:
        answer.set_result(errand())
    except Exception as error:
        answer.set_exception(error)
        raise
