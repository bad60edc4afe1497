"""Reader: what a page holds of the book. Run a section, and its figures come in one after the other.

Nothing here waits but a thread of the Reader's own, and nothing here knows PyTorch: experiments are run by
the workers, those that start processes by a process of their own, ranks on request by real ones.
"""

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..book import SECTIONS, Settings
from ..book.ranks import RANKS, train_in_processes
from ..errors import ToytrainError

ANSWER_WITHIN = 60.0  # seconds; a worker may have to warm up first
PROCESS_WITHIN = 120.0  # seconds that a process of experiments may take
_places = threading.BoundedSemaphore(2)  # so many such processes of a server at once; others wait

Experiment = tuple[str, str]  # a section and one of its experiments


@dataclass(frozen=True)
class Answer:
    """What an experiment computed with these Settings, or the sentence that says why it did not.

    The Settings are those that its section heeds; the others are the book's. `real` says that the ranks
    were processes and not a replay.
    """

    settings: Settings
    computed: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    real: bool = False


class Reader:
    """The answers so far, by experiment; a new one takes the place of the one before. `version` grows with
    each.

    `ask(name, **arguments)` puts a command to a worker and gives the Future of its answer.
    """

    def __init__(self, ask: Callable[..., Future]):
        self._ask = ask
        self._lock = threading.Lock()
        self._reading: _Reading | None = None
        self._asked: dict[str, Settings] = {}  # the sections ever asked for, with what they were asked for
        self._real = False
        self.answers: dict[Experiment, Answer] = {}
        self.version = 0

    @property
    def running(self) -> bool:
        return bool(self.waiting)

    @property
    def waiting(self) -> set[Experiment]:
        """The experiments that are still to be answered."""
        reading = self._reading
        return set(reading.waiting) if reading else set()

    @property
    def asked(self) -> tuple[str, ...]:
        """The sections ever asked for, in the order of the book."""
        return tuple(key for key in SECTIONS if key in self._asked)

    @property
    def progress(self) -> tuple[int, int]:
        """How many experiments have been answered since Run was pressed, of how many."""
        reading = self._reading
        return (reading.total - len(reading.waiting), reading.total) if reading else (0, 0)

    @property
    def has_real_ranks(self) -> bool:
        """Whether any of the present figures came from ranks that were processes."""
        return any(answer.real for answer in list(self.answers.values()))

    def run(self, sections: Iterable[str], settings: Settings, real: bool = False) -> None:
        """Compute these sections with these Settings, and those that are still under way.

        `real` lets processes joined by gloo train the distributed section in place of the replay.
        """
        with self._lock:
            wanted = {*sections, *(key for key, _ in self.waiting)}
            if self._reading:
                self._reading.cancel()
            self._real = real
            self._asked |= {key: SECTIONS[key].heeded(settings) for key in wanted}
            self._reading = _Reading(self, [key for key in SECTIONS if key in wanted], settings, real)
        self._reading.thread.start()

    def stop(self) -> None:
        """Give up what is under way; no process is left of it."""
        with self._lock:
            if self._reading:
                self._reading.cancel()
            self._reading = None

    def follow(self, settings: Settings) -> None:
        """Compute again what has been asked for and depends on what is another setting now."""
        stale = [key for key, known in self._asked.items() if SECTIONS[key].heeded(settings) != known]
        if stale:
            self.run(stale, settings, self._real)

    def take(self, reading: "_Reading", experiment: Experiment, answer: Answer) -> None:
        """Keep an answer, unless nobody waits for it any more."""
        with self._lock:
            if self._reading is reading:
                self.answers[experiment] = answer
                self.version += 1
                reading.waiting.remove(experiment)


class _Reading:
    """One pressing of Run, in a thread."""

    def __init__(self, reader: Reader, sections: list[str], settings: Settings, real: bool):
        self.settings = settings
        self.cancelled = threading.Event()
        self.waiting = [(key, experiment) for key in sections for experiment in SECTIONS[key].experiments]
        self.total = len(self.waiting)
        self.thread = threading.Thread(target=self._read, name="toytrain-book", daemon=True)
        self._reader = reader
        self._real = real
        self._process: subprocess.Popen | None = None

    def cancel(self) -> None:
        """Compute nothing more; what waits for a process waits no longer."""
        self.cancelled.set()
        if self._process:
            self._process.kill()

    def _read(self) -> None:
        todo = list(self.waiting)
        trained_by_ranks = [(key, name) for key, name in todo if self._real and name in RANKS]
        by_process = [
            (key, name) for key, name in todo if SECTIONS[key].starts_processes(name, self.settings)
        ]
        for experiment in todo:
            if experiment not in trained_by_ranks and experiment not in by_process:
                self._try(experiment, self._compute)
        if by_process:
            self._read_by_process(by_process)
        for experiment in set(by_process) & set(self.waiting):
            self._tell(experiment, error="The process that loads the batches has ended; press Run again.")
        for experiment in trained_by_ranks:
            self._try(experiment, self._train_ranks, real=True)

    def _try(self, experiment: Experiment, compute: Callable[[str, str], Any], real: bool = False) -> None:
        if self.cancelled.is_set():
            return
        try:
            self._tell(experiment, compute(*experiment), real=real)
        except ToytrainError as error:
            self._tell(experiment, error=str(error))
        except TimeoutError:
            self._tell(experiment, error="The training engine does not answer; press Run again.")
        except Exception as bug:
            traceback.print_exc()
            self._tell(experiment, error=f"This broke off: {bug!s:.200}; it is a mistake in toytrain.")

    def _tell(
        self, experiment: Experiment, computed: Any = None, error: str = "", real: bool = False
    ) -> None:
        settings = SECTIONS[experiment[0]].heeded(self.settings)
        self._reader.take(self, experiment, Answer(settings, computed or {}, error, real))

    def _compute(self, section: str, experiment: str) -> dict[str, Any]:
        settings = self.settings.to_dict()
        answer = self._reader._ask("book", section=section, experiment=experiment, settings=settings)
        return answer.result(ANSWER_WITHIN)

    def _train_ranks(self, section: str, experiment: str) -> dict[str, Any]:
        return train_in_processes(experiment, self.settings, self.cancelled.is_set)

    def _read_by_process(self, experiments: list[Experiment]) -> None:
        """Have experiments computed by `python -m toytrain.book`, which may start processes itself."""
        while not _places.acquire(timeout=0.2):
            if self.cancelled.is_set():
                return
        try:
            self._read_lines(experiments)
        except (OSError, ValueError):  # no process could be started, or what it said is no JSON
            traceback.print_exc()
        finally:
            _places.release()

    def _read_lines(self, experiments: list[Experiment]) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        asked = json.dumps({"settings": self.settings.to_dict(), "experiments": experiments})
        process = subprocess.Popen(
            [sys.executable, "-m", "toytrain.book", asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._process = process
        if self.cancelled.is_set():
            process.kill()
        too_long = threading.Timer(PROCESS_WITHIN, process.kill)
        too_long.daemon = True
        too_long.start()
        left = list(experiments)
        try:
            with process:
                for line in process.stdout or ():
                    answer = json.loads(line)
                    self._tell(left.pop(0), answer.get("computed"), answer.get("error", ""))
        finally:
            too_long.cancel()
