"""`python -m toytrain.distributed.child host|rank`: a child process of the page's.

A `rank` is one process of a real run; the `host` carries all replays and what else needs PyTorch.
"""

import os
import queue
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..child_process import open_channel, send, warm_up

Tell = Callable[..., None]


def main(role: str) -> None:
    commands, answers = open_channel()

    def tell(*message: Any) -> None:
        send(answers, message)

    warm_up()
    try:
        {"host": _host, "rank": _rank}[role](commands, tell)
    except Exception as error:
        tell(0, "error", _as_answer(error))
        os._exit(1)  # at once: the reader holds standard input, for which a slow end would wait
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
