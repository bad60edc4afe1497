"""The page's side of the child processes: start them, ask them, notice their end, leave none behind.

No PyTorch here. A real run asks its rank processes, a replay the one host process; both answer alike:
`start`, `train`, `files`, `check`, `stop`, `pids`.
"""

import contextlib
import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..config import Config
from ..errors import ToytrainError
from .ranks import Progress, Ranks

IMPORT_WITHIN = 90.0  # seconds for a child to import PyTorch, on a busy machine
ANSWER_WITHIN = 30.0  # seconds for one answer of the host
LOOPBACK = {"linux": "lo", "darwin": "lo0"}


class Cancelled(Exception):
    """Somebody has stopped the run."""


class Child:
    """A child process; `tell(message)` is called on a thread with each of its messages, last with None."""

    def __init__(self, role: str, tell: Callable[[tuple | None], None], **environment: str):
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        # A session of its own keeps Ctrl-C in the terminal from the children: the page's process ends them.
        self._process: Any = subprocess.Popen(
            [sys.executable, "-m", "toytrain.distributed.child", role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._tell = tell
        threading.Thread(target=self._listen, name=f"toytrain-{role}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def death(self) -> str:
        """How it ended, in a word such as SIGKILL; "" while it lives."""
        code = self._process.poll()
        if code is None:
            return ""
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    def send(self, number: int, name: str, **arguments: Any) -> None:
        # Where the process has died, _listen sees it and tells.
        with self._lock, contextlib.suppress(OSError, ValueError):
            pickle.dump((number, name, arguments), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()

    def end(self, patience: float = 0.0) -> None:
        """Let it end by itself for so many seconds, then end it. It is gone when this returns."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if patience:
                self._process.wait(patience)
        self._process.kill()
        self._process.wait()
        with self._lock, contextlib.suppress(OSError):
            self._process.stdin.close()

    def _listen(self) -> None:
        with self._process.stdout as source:
            while True:
                try:
                    message = pickle.load(source)
                except (EOFError, pickle.UnpicklingError, OSError, ValueError):
                    break
                self._tell(message)
        self._tell(None)


class RankProcesses:
    """The ranks of a real run, each a process of its own. Used by one thread.

    They meet at a port of this machine: a free one, unless one is given. With `meet_at`
    ("host:port") they meet at a store that somebody else serves.
    """

    def __init__(
        self, config: Config, ranks: Ranks, timeout: float, port: int = 0, meet_at: str = ""
    ) -> None:
        self.config = config
        self.ranks = ranks
        self.timeout = timeout
        self._address = meet_at or f"127.0.0.1:{port}"
        self._serves = not meet_at
        self._children: list[Child] = []
        self._news: queue.SimpleQueue[tuple[int, tuple | None]] = queue.SimpleQueue()
        self._cancelled: Callable[[], bool] = lambda: False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that live."""
        return tuple(child.pid for child in self._children if not child.death)

    def start(self, cancelled: Callable[[], bool]) -> list[Progress]:
        """Start the processes and wait until all have joined; `cancelled` is asked in every wait."""
        self._cancelled = cancelled
        for rank in range(self.ranks.world_size):
            self._children.append(self._child(rank))
        if self._serves:
            # Rank 0 takes the port itself and tells it: nobody can take it between looking and using.
            self._open(0)
            port = self._next(time.monotonic() + IMPORT_WITHIN, "listening")[1]
            self._address = f"127.0.0.1:{port}"
        for rank in range(int(self._serves), self.ranks.world_size):
            self._open(rank)
        # A client of PyTorch's store may take twice its time-out before it gives up.
        return self._all(IMPORT_WITHIN + 2 * self.timeout)

    def train(self, steps: int, gradient: tuple[str, int] | None) -> list[Progress]:
        """Let every rank train so many batches."""
        for child in self._children:
            child.send(1, "train", steps=steps, gradient=gradient)
        return self._all(self.timeout + 10)

    def files(self) -> tuple[bytes, bytes]:
        """model.pth and the full checkpoint, from rank 0."""
        self._children[0].send(1, "files")
        return self._next(time.monotonic() + self.timeout, "reply")[1]

    def check(self) -> None:
        """Raise a ToytrainError if a rank has died."""
        for rank, child in enumerate(self._children):
            if child.death:
                raise self._died(rank)

    def stop(self, gently: bool) -> None:
        """End all. Gently, they leave the process group first. None is left when this returns."""
        if gently:
            for child in self._children:
                child.send(0, "stop")
        deadline = time.monotonic() + 3 * gently
        for child in self._children:
            child.end(max(0.0, deadline - time.monotonic()))

    def _child(self, rank: int) -> Child:
        interface = LOOPBACK.get(sys.platform)
        environment = {"TORCH_CPP_LOG_LEVEL": "FATAL"}  # what goes wrong is said in a sentence instead
        if interface and self._serves:
            environment["GLOO_SOCKET_IFNAME"] = interface  # gloo need not look the host's name up
        return Child("rank", lambda message: self._news.put((rank, message)), **environment)

    def _open(self, rank: int) -> None:
        self._children[rank].send(
            1, "open", config=self.config, ranks=self.ranks, rank=rank, address=self._address,
            serves=self._serves and rank == 0, timeout=self.timeout,
        )  # fmt: skip

    def _all(self, seconds: float) -> list[Progress]:
        """One reply of each rank."""
        deadline = time.monotonic() + seconds
        replies: dict[int, Progress] = {}
        while len(replies) < len(self._children):
            rank, progress = self._next(deadline, "reply")
            replies[rank] = progress
        return [replies[rank] for rank in sorted(replies)]

    def _next(self, deadline: float, kind: str) -> tuple[int, Any]:
        """The next message of any rank, which should be of that kind."""
        while True:
            if self._cancelled():
                raise Cancelled
            try:
                rank, message = self._news.get(timeout=0.1)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise ToytrainError(
                        "A rank does not answer any more, and the others wait for it; all were ended."
                    ) from None
                continue
            if message is None:
                raise self._died(rank)
            _, found, content = message
            if found == kind:
                return rank, content
            if isinstance(content, ToytrainError) and content.code == "group":
                self._see_who_died()
            raise content

    def _see_who_died(self) -> None:
        """The survivors may complain before the dead rank's end is noticed: look who it was."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            for rank, child in enumerate(self._children):
                # One that gave up by itself has exit status 1, and its own sentence says why.
                if child.death.startswith("SIG"):
                    raise self._died(rank)
            time.sleep(0.02)

    def _died(self, rank: int) -> ToytrainError:
        child = self._children[rank]
        deadline = time.monotonic() + 1
        while not child.death and time.monotonic() < deadline:  # its pipe closes before it has ended
            time.sleep(0.01)
        return ToytrainError(
            f"Rank {rank} died ({child.death or 'it closed its pipe'}), and without it no gradient can be "
            f"averaged; all {self.ranks.world_size} ranks were ended.",
            code="group",
        )


class HostProcess:
    """The process that carries all replays; started at the first question, and again after a death."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future] = {}
        self._child: Child | None = None
        self._stopped = False

    @property
    def pids(self) -> tuple[int, ...]:
        child = self._child
        return (child.pid,) if child and not child.death else ()

    def warm(self) -> None:
        """Start the process if it does not live; returns at once."""
        with self._lock:
            self._start()

    def ask(self, name: str, seconds: float = ANSWER_WITHIN, **arguments: Any) -> Any:
        """The host's answer to a command of `replay.Host`; a ToytrainError is an answer too."""
        answer: Future = Future()
        with self._lock:
            child = self._start()
            number = next(self._numbers)
            self._waiting[number] = answer
        child.send(number, name, **arguments)
        try:
            return answer.result(seconds)
        except TimeoutError as error:
            raise ToytrainError(
                "The process of the replays does not answer; wait a moment and try again."
            ) from error

    def tell(self, name: str, **arguments: Any) -> None:
        """A command whose answer nobody waits for."""
        with self._lock:
            child = self._child
        if child:
            child.send(0, name, **arguments)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            child = self._child
        if child:
            child.end()

    def _start(self) -> Child:
        if self._stopped:
            raise ToytrainError("The distributed runs of this server have been stopped; start it again.")
        if self._child is None:
            self._child = Child("host", self._hear)
        return self._child

    def _hear(self, message: tuple | None) -> None:
        if message is None:
            with self._lock:
                lost, self._waiting = self._waiting, {}
                if self._child:
                    self._child.end()
                self._child = None
            for answer in lost.values():
                answer.set_exception(_host_died())
            return
        number, kind, content = message
        with self._lock:
            waiting = self._waiting.pop(number, None)
        if waiting and kind == "reply":
            waiting.set_result(content)
        elif waiting:
            waiting.set_exception(content)


class Replicas:
    """The ranks of a replay, which live in the host."""

    def __init__(self, host: HostProcess, run_id: str, config: Config, ranks: Ranks) -> None:
        self._host = host
        self._id = run_id
        self._config, self._ranks = config, ranks
        self._born_in: tuple[int, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        return self._host.pids

    def start(self, cancelled: Callable[[], bool]) -> list[Progress]:
        opened = self._host.ask(
            "open", IMPORT_WITHIN, run_id=self._id, config=self._config, ranks=self._ranks
        )
        self._born_in = self._host.pids
        return opened

    def train(self, steps: int, gradient: tuple[str, int] | None) -> list[Progress]:
        self.check()
        return self._host.ask("train", run_id=self._id, steps=steps, gradient=gradient)

    def files(self) -> tuple[bytes, bytes]:
        self.check()
        return self._host.ask("files", run_id=self._id)

    def check(self) -> None:
        if self._born_in != self._host.pids:
            raise _host_died()

    def stop(self, gently: bool) -> None:
        self._host.tell("close", run_id=self._id)


def _host_died() -> ToytrainError:
    return ToytrainError("The process that carried this replay died; start the run anew.", code="group")


class Places:
    """A queue for rank processes: at most `maximum` at once, first come, first served."""

    def __init__(self, maximum: int):
        self.maximum = maximum
        self._free = maximum
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._queue)

    @contextlib.contextmanager
    def taken(
        self, count: int, waits: Callable[[int], None], cancelled: Callable[[], bool]
    ) -> Iterator[None]:
        """Hold `count` places within the block; `waits` is told how many are ahead in the queue."""
        count = min(count, self.maximum)  # a larger run has the server for itself
        me = object()
        with self._changed:
            self._queue.append(me)
            try:
                while self._queue[0] is not me or self._free < count:
                    waits(self._queue.index(me))
                    self._changed.wait(0.1)
                    if cancelled():
                        raise Cancelled
                self._free -= count
            finally:
                self._queue.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += count
                self._changed.notify_all()
