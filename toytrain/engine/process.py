"""`python -m toytrain.engine.process`: carries a Worker in a process of its own.

Commands come in on standard input and answers go out on standard output, both as pickles between
a program and its own child. When the input ends, the parent is gone, and so is this process.
"""

import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn

Tell = Callable[[tuple], None]

NICENESS = 10  # the page that people click on comes first


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # Whatever prints must not get into the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    commands: queue.SimpleQueue[tuple[int, str, str, dict[str, Any]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, commands), daemon=True).start()

    carry(commands, lambda message: _tell(answers, message))


def carry(commands: "queue.SimpleQueue[tuple[int, str, str, dict[str, Any]]]", tell: Tell) -> NoReturn:
    """Warm up, then carry out commands and train between them; `tell` takes every message."""
    import torch  # after niceness, so that warming up does not slow the first page

    from .worker import Worker

    torch.set_num_threads(1)
    # The first optimizer imports PyTorch's compiler, a second that the first Play need not wait for.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    worker = Worker()
    tell(("hello", worker.hello()))
    while True:
        try:
            command = commands.get(timeout=worker.seconds_until_due())
        except queue.Empty:
            pass
        else:
            _carry_out(worker, command, tell)
            if not commands.empty():
                continue
        _show(worker.tick(), tell)


def _read(source: BinaryIO, commands: queue.SimpleQueue) -> None:
    while True:
        try:
            commands.put(pickle.load(source))
        except (EOFError, pickle.UnpicklingError):  # the second where the parent died in mid-sentence
            os._exit(0)


def _carry_out(worker, command: tuple[int, str, str, dict[str, Any]], tell: Tell) -> None:
    number, name, run_id, arguments = command
    try:
        reply, error = worker.handle(name, run_id, arguments), None
    except Exception as raised:  # the asker gets every error; one that is not for people is logged too
        from ..errors import ToytrainError

        reply, error = None, raised
        if not isinstance(raised, ToytrainError):
            traceback.print_exc()
            error = RuntimeError(f"{name}: {type(raised).__name__}: {raised}")
    # Before the answer goes what it changed, so that who has been answered sees it.
    _show(worker.frames(), tell)
    if number:
        tell(("reply", number, reply, error))


def _show(frames: list[tuple[str, Any]], tell: Tell) -> None:
    for run_id, frame in frames:
        tell(("frame", run_id, frame))


def _tell(answers: BinaryIO, message: tuple) -> None:
    pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
    answers.flush()


if __name__ == "__main__":
    main()
