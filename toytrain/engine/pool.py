"""Pool: the page's side of the engine. It starts, watches and restarts the worker processes.

No PyTorch here: the process that serves pages stays small and quick.
"""

import contextlib
import os
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

from ..classroom import Classroom
from ..config import Config
from ..errors import ToytrainError
from ..table import Table
from . import ray_host
from .lab_run import LabRun
from .local_host import LocalProcess
from .reader import Reader
from .run import Run
from .saved_runs import SavedRuns

SAVE_EVERY = 8.0  # seconds between two saves of a playing run: with what a save takes, below 10
DEATHS_IN_A_MINUTE = 3  # of one worker; then its runs are not played again by themselves


class WorkerDied(ToytrainError):
    """The process died before it answered; the Config is not at fault."""


class Pool:
    """Worker processes and the runs in them. Start it once, stop it at the end.

    `classroom` bounds what its runs take; `workers` and `unseen_for` take the place of its own.
    """

    def __init__(
        self,
        workers: int | None = None,
        unseen_for: float | None = None,
        saved_runs: SavedRuns | None = None,
        classroom: Classroom | None = None,
    ):
        self.classroom = classroom or Classroom()
        self.unseen_for = self.classroom.unseen if unseen_for is None else unseen_for
        self.saved_runs = saved_runs
        self.runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # What carries a worker: a process of this machine, or an actor of the teacher's Ray cluster.
        self.host: Callable[[], Any] = LocalProcess
        cores = _cores()
        if self.classroom.ray:
            cores, self.host = ray_host.connect(self.classroom.ray), ray_host.RayActor
        self._most_workers = workers or self.classroom.workers or cores
        self._book_sources: dict[str, str] = {}
        self._readers: weakref.WeakSet[Reader] = weakref.WeakSet()
        self.workers: list[WorkerProcess] = [WorkerProcess(self)]
        threading.Thread(target=self._start_workers, name="toytrain-start-workers", daemon=True).start()
        threading.Thread(target=self._pause_unseen, name="toytrain-pause-unseen", daemon=True).start()
        if saved_runs is not None:
            threading.Thread(target=self._save_runs, name="toytrain-save-runs", daemon=True).start()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    @property
    def hello(self) -> dict[str, Any]:
        """What a worker said of its machine: devices. Empty until one is warm."""
        return next((worker.hello for worker in self.workers if worker.hello), {})

    @property
    def warm(self) -> bool:
        return bool(self.hello)

    def open(
        self,
        config: Config,
        speed: float = 0.0,
        checkpoint: bytes | None = None,
        weights: bytes | None = None,
        owner: str = "",
    ) -> Run:
        """A new run of a Config, paused: from the start, or from a full checkpoint of it.

        `weights` is a file whose weights it starts from in place of those that the seed draws. `owner`
        names the session whose runs are counted together; "" counts with nobody's.
        Returns at once, or with a ToytrainError where the classroom has no room for it:
        `Run.wait_until_open` tells of a refusal by the worker.
        """
        with self._lock:
            return self._open(config, speed, checkpoint, weights, owner=owner)

    def open_lab(self, mistake: str, config: Config, speed: float = 0.0, owner: str = "") -> LabRun:
        """A new experiment of the mistake lab, paused. Returns at once, as `open` does."""
        with self._lock:
            self.classroom.check(config)
            self._make_room(owner)
            worker = self._worker_for_a_run()
            run = LabRun(mistake, config, worker)
            run.owner = owner
            run.speed = speed
            self.runs[run.id] = run
            worker.open(run)
            return run

    def inspect(self, data: bytes, seconds: float) -> dict[str, Any]:
        """What a checkpoint holds, or the ToytrainError that refuses it (see Worker.inspect)."""
        return self._ask_any("inspect", seconds, data=data)

    def points(self, config: Config, seconds: float) -> dict[str, Any]:
        """The points that a run of the Config would have (see data_views.points)."""
        return self._ask_any("points", seconds, config=config.to_dict())

    def previews(self, config: Config, seconds: float) -> list[dict[str, Any]]:
        """Some points of every dataset under the Config's settings (see data_views.previews)."""
        return self._ask_any("previews", seconds, config=config.to_dict())

    def read_table(self, data: bytes, seconds: float) -> Table:
        """The cells of a text file, or the ToytrainError that refuses it."""
        return self._ask_any("read_table", seconds, data=data)

    def reader(self) -> Reader:
        """A visitor's Reader of the book."""
        reader = Reader(lambda name, **arguments: self._least_loaded_warm().ask(name, "", **arguments))
        self._readers.add(reader)
        return reader

    def book_sources(self, seconds: float) -> dict[str, str]:
        """The code of each section of the book; empty while no worker is warm."""
        if not self._book_sources and self.warm:
            self._book_sources = self._ask_any("book_sources", seconds)
        return self._book_sources

    def restore(self, run_id: str, seconds: float, speed: float = 0.0, owner: str = "") -> Run | None:
        """The run of that id as it was last saved, paused; None if it was not saved.

        A ToytrainError says that the file is there but cannot be read.
        """
        data = self.saved_runs.load(run_id) if self.saved_runs else None
        if data is None:
            return None
        config = Config.from_dict(self.inspect(data, seconds)["config"])
        with self._lock:
            if run_id in self.runs:  # another page was quicker
                return self.runs[run_id]
            run = self._open(config, speed, data, run_id=run_id, owner=owner)
        run.wait_until_open(seconds)
        run.kept = (run.position(), time.monotonic())
        run.note = (
            f"This run was brought back as it was last saved, at batch {run.steps}; press Play to go on."
        )
        return run

    def check(self, config: Config, seconds: float) -> None:
        """Raise the ToytrainError with which a run of the Config would be refused.

        While no worker is warm only the classroom's limits are checked: then the run itself tells.
        """
        self.classroom.check(config)
        if self.warm:
            with contextlib.suppress(TimeoutError):
                self._least_loaded_warm().ask("check", "", config=config.to_dict()).result(seconds)

    def get(self, run_id: str) -> Run | None:
        """The run of that id; an experiment of the mistake lab is none."""
        run = self.runs.get(run_id)
        return None if isinstance(run, LabRun) else run

    def experiment(self, run_id: str) -> LabRun | None:
        """The experiment of that id."""
        run = self.runs.get(run_id)
        return run if isinstance(run, LabRun) else None

    def watched(self, stream_token: str) -> Run | None:
        """The run that a stream token lets one watch; an experiment of the mistake lab has no stream."""
        runs = (run for run in list(self.runs.values()) if not isinstance(run, LabRun))
        return next((run for run in runs if run.stream_token == stream_token), None)

    def close(self, run: Run) -> None:
        """End a run and forget it; what it has trained stays saved."""
        self.runs.pop(run.id, None)
        self._save(run)
        if self.saved_runs is not None:
            self.saved_runs.release(run.id)
        run.close()

    def stop(self) -> None:
        """Save what is new and end every worker. No process is left."""
        with self._lock:  # no worker is started after this
            self._stopping.set()
        for reader in list(self._readers):
            reader.stop()
        for run in list(self.runs.values()):
            self._save(run)
        for worker in self.workers:
            worker.stop()

    def _open(
        self,
        config: Config,
        speed: float,
        saved: bytes | None,
        weights: bytes | None = None,
        run_id: str | None = None,
        owner: str = "",
    ) -> Run:
        self.classroom.check(config)
        self._make_room(owner)
        worker = self._worker_for_a_run()
        run = Run(config, worker, run_id)
        run.owner = owner
        run.most_steps = self.classroom.steps
        run.speed = speed
        if weights is not None:
            run.weights = weights
            run.kept = ((-1, 0), 0.0)  # worth saving before it has trained a batch
        if saved is not None:
            run.saved, run.saved_steps = saved, None
        self.runs[run.id] = run
        worker.open(run)
        return run

    def _ask_any(self, name: str, seconds: float, **arguments: Any) -> Any:
        try:
            return self._least_loaded_warm().ask(name, "", **arguments).result(seconds)
        except TimeoutError as error:
            raise ToytrainError("The training engine does not answer; try again in a moment.") from error

    def _worker_for_a_run(self) -> "WorkerProcess":
        if all(worker.runs for worker in self.workers):
            self._start_worker()
        # Rather than wait seconds for a worker to be warm, a run shares a warm one with one other.
        return min(self.workers, key=lambda worker: len(worker.runs) + (not worker.hello))

    def _least_loaded_warm(self) -> "WorkerProcess":
        return min(self.workers, key=lambda worker: (not worker.hello, len(worker.runs)))

    def _start_workers(self) -> None:
        """Start one after the other, so that the first is warm soon; open runs let the next begin earlier."""
        while len(self.workers) < self._most_workers and not self._stopping.wait(0.05):
            if self.workers[-1].hello:
                with self._lock:
                    self._start_worker()

    def _start_worker(self) -> None:
        if len(self.workers) < self._most_workers and not self.stopping:
            self.workers.append(WorkerProcess(self))

    def _make_room(self, owner: str) -> None:
        """Close the run that was idle longest where there are as many as there may be."""
        own = [run for run in self.runs.values() if run.owner == owner]
        most = self.classroom.runs_per_session
        if owner and len(own) >= most and not self._close_idle(own):
            raise ToytrainError(
                f"You may have {most} runs at a time here, and yours all play or are watched; pause one, or "
                "close a page that watches it.",
                code="limit",
            )
        most = self.classroom.runs_per_server
        if len(self.runs) >= most and not self._close_idle(list(self.runs.values())):
            raise ToytrainError(
                f"This server carries {most} runs and no more; close a page that you do not need.",
                code="limit",
            )

    def _close_idle(self, runs: list[Run]) -> bool:
        """Close the one that nobody has looked at longest; False if all play or are watched."""
        idle = [run for run in runs if not run.playing and not run.viewers]
        if idle:
            self.close(min(idle, key=lambda run: run.seen_at))
        return bool(idle)

    def _pause_unseen(self) -> None:
        while not self._stopping.wait(min(1.0, self.unseen_for / 2)):
            for run in list(self.runs.values()):
                unseen = time.monotonic() - run.seen_at
                if run.playing and unseen > self.unseen_for:
                    try:
                        run.pause()
                    except ToytrainError:
                        continue  # its worker is being replaced: next time
                    run.note = (
                        f"Paused at batch {run.steps}: nobody had looked for {self.unseen_for:g} seconds."
                    )

    def _save_runs(self) -> None:
        while not self._stopping.wait(0.5):
            if self.saved_runs is not None:
                self.saved_runs.tell_alive()
            for run in list(self.runs.values()):
                if not run.playing or time.monotonic() - run.kept[1] >= SAVE_EVERY:
                    self._save(run)

    def _save(self, run: Run) -> None:
        """Put the run on disk if there is something new. A worker that fails now is asked next time."""
        position = run.position()
        if self.saved_runs is None or position == run.kept[0] or run.refusal:
            return
        try:
            data = run.ask_quietly("checkpoint")
        except ToytrainError:
            return
        self.saved_runs.save(run.id, data)
        run.kept = (position, time.monotonic())


class WorkerProcess:
    """One worker process: its pipe, the questions it has not answered yet, and the runs it carries.

    When it dies it is replaced, and its runs are opened again from their last checkpoints. What
    they train again has the same bits.
    """

    def __init__(self, pool: Pool):
        self.runs: dict[str, Run] = {}
        self.hello: dict[str, Any] = {}
        self._pool = pool
        self._numbers = count(1)
        self._waiting: dict[int, Future] = {}
        self._lock = threading.RLock()
        self._deaths: list[float] = []
        self._process = self._start()
        threading.Thread(target=self._listen, name="toytrain-worker", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def open(self, run: Run) -> None:
        """Let the worker make the run, or bring it back."""
        self.runs[run.id] = run
        answer = self.ask(run.opened_by, run.id, **run.how_to_open())
        answer.add_done_callback(lambda done: _opened(run, done))
        if run.wanted:
            self.send("want_frame", run.id, views=tuple(run.wanted))

    def ask(self, name: str, run_id: str, **arguments: Any) -> Future:
        """Send a command; the Future holds the worker's answer."""
        answer: Future = Future()
        answer.set_running_or_notify_cancel()  # who gives up waiting cannot cancel it: the reply still comes
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = answer
            self._write(number, name, run_id, arguments)
        if self._pool.stopping and self._process.poll() is not None:
            self._tell_of_death(self._lost())  # nobody replaces it any more
        return answer

    def send(self, name: str, run_id: str, **arguments: Any) -> None:
        """Send a command that needs no answer."""
        with self._lock:
            self._write(0, name, run_id, arguments)

    def forget(self, run: Run) -> None:
        self.runs.pop(run.id, None)
        self.send("close", run.id)

    def stop(self) -> None:
        """Close the pipe, at which the process ends by itself; if it does not, end it."""
        with self._lock:
            process = self._process
            process.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> Any:
        return self._pool.host()

    def _write(self, *command: Any) -> None:
        # Where the process has died, _listen sees it and tells everybody who waits.
        self._process.write(command)

    def _listen(self) -> None:
        while True:
            try:
                kind, *content = self._process.read()
            except EOFError:
                if self._pool.stopping:
                    self._process.wait()  # its pipe closes a moment before: who asks after this sees its end
                    self._tell_of_death(self._lost())
                    return
                self._replace()
                continue
            if kind == "hello":
                (self.hello,) = content
            elif kind == "frame":
                run_id, frame = content
                run = self.runs.get(run_id)
                if run is not None:
                    run.take(frame)
            else:
                number, reply, error = content
                answer = self._waiting.pop(number)
                if error is None:
                    answer.set_result(reply)
                else:
                    answer.set_exception(error)

    def _replace(self) -> None:
        """Start another process in place of the dead one, and bring the runs back in it."""
        now = time.monotonic()
        self._deaths = [moment for moment in self._deaths if now - moment < 60] + [now]
        self._process.kill()
        self._process.wait()
        with self._lock:
            if self._pool.stopping:
                return
            self.hello = {}
            lost = self._lost()
            self._process = self._start()
            for run in list(self.runs.values()):
                if len(self._deaths) >= DEATHS_IN_A_MINUTE:
                    run.until = 0
                now_at = f"goes on from batch {run.saved_steps or 0}" if run.until else "is where it was"
                run.note = f"The training process died and was replaced; the run {now_at}."
                self.open(run)
        self._tell_of_death(lost)

    def _lost(self) -> list[Future]:
        """The questions that the dead process will not answer any more."""
        with self._lock:
            lost, self._waiting = self._waiting, {}
        return list(lost.values())

    def _tell_of_death(self, lost: list[Future]) -> None:
        for answer in lost:
            answer.set_exception(
                WorkerDied("The training process died and is being replaced; try again in a moment.")
            )


def _opened(run: Run, answer: Future) -> None:
    error = answer.exception()
    if error is None:
        run.opened(answer.result())
    elif isinstance(error, WorkerDied):
        pass  # its successor has been asked as well
    elif run.description is None:
        broken = ToytrainError("The run could not be made; press Reset, or reload the page.")
        run.refused(error if isinstance(error, ToytrainError) else broken)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
