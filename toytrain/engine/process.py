"""`python -m toytrain.engine.process`: carries a Worker in a process of its own."""

import queue
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from ..child_process import open_channel, send, warm_up

Tell = Callable[[tuple], None]


def main() -> None:
    commands, answers = open_channel()
    carry(commands, lambda message: send(answers, message))


def carry(commands: "queue.SimpleQueue[tuple[int, str, str, dict[str, Any]]]", tell: Tell) -> NoReturn:
    """Warm up, then carry out commands and train between them; `tell` takes every message."""
    from .worker import Worker  # here, because it imports PyTorch

    warm_up()
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


if __name__ == "__main__":
    main()
