"""`python -m toytrain.distributed.child host|rank`: a child process of the page's.

A `rank` is one process of a real run; the `host` carries all replays and what else needs PyTorch.
Commands come in on standard input and answers go out on standard output, both as pickles between a
program and its own child. When the input ends, the parent is gone, and so is this process.
"""

import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

NICENESS = 10  # the page that people click on comes first

Tell = Callable[..., None]
Command = tuple[int, str, dict[str, Any]]


def main(role: str) -> None:
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # Whatever prints must not get into the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, commands), daemon=True).start()

    def tell(*message: Any) -> None:
        pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    import torch  # after the reader has started: a parent that goes meanwhile is noticed

    torch.set_num_threads(1)
    # The first optimizer imports PyTorch's compiler, a second that the first step need not wait for.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    try:
        {"host": _host, "rank": _rank}[role](commands, tell)
    except Exception as error:
        tell(0, "error", _as_answer(error))
        os._exit(1)  # at once: the reader holds standard input, for which a slow end would wait
    os._exit(0)


def _read(source: BinaryIO, commands: queue.SimpleQueue) -> None:
    while True:
        try:
            commands.put(pickle.load(source))
        except (EOFError, pickle.UnpicklingError):  # the second where the parent died in mid-sentence
            os._exit(0)


def _as_answer(error: Exception) -> Exception:
    """The error as it crosses the pipe; one that is not for people is logged here."""
    from ..errors import ToytrainError

    if isinstance(error, ToytrainError):
        return error
    traceback.print_exception(error)
    return RuntimeError(f"{type(error).__name__}: {error}")


def _host(commands: queue.SimpleQueue, tell: Tell) -> None:
    from .replay import Host

    host = Host()
    while True:
        number, name, arguments = commands.get()
        if "config" in arguments:
            arguments["config"] = _without_workers(arguments["config"])
        try:
            tell(number, "reply", getattr(host, name)(**arguments))
        except Exception as error:
            tell(number, "error", _as_answer(error))


def _rank(commands: queue.SimpleQueue, tell: Tell) -> None:
    from .. import checkpoint
    from . import rank as ranks_side

    number, _, opening = commands.get()
    ranks, rank, timeout = opening["ranks"], opening["rank"], opening["timeout"]
    config = _without_workers(opening["config"])
    if config.device == "cuda":
        ranks_side.take_gpu(rank)
    store = ranks_side.open_store(opening["address"], ranks.world_size, opening["serves"], timeout)
    if opening["serves"]:
        tell(number, "listening", store.port)
    with ranks_side.joined(rank, ranks.world_size, config.device, opening["address"], timeout, store):
        reporter = ranks_side.Reporter(ranks_side.RankTrainer.in_group(config, ranks))
        tell(number, "reply", reporter.progress([]))
        while True:
            number, name, arguments = commands.get()
            if name == "stop":
                return
            if name == "files":
                snapshot = reporter.trainer.snapshot()
                tell(number, "reply", (checkpoint.save_weights(snapshot), checkpoint.save(snapshot)))
            else:
                if arguments["gradient"]:
                    reporter.choose(*arguments["gradient"])
                tell(number, "reply", reporter.train(arguments["steps"]))


def _without_workers(config):
    """Processes that load batches change no figure, and a page has enough of them."""
    return replace(config, num_workers=0)


if __name__ == "__main__":
    main(sys.argv[1])
