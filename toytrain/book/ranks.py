"""The distributed experiments: by how many ranks each is trained, and how it reports. No PyTorch here."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .. import distributed
from ..distributed import Ranks
from ..errors import ToytrainError
from .settings import Settings

RANKS = {
    "one_process": Ranks(1),
    "two_processes": Ranks(2),
    "not_wrapped": Ranks(2, wrapped=False),
    "no_set_epoch": Ranks(2, set_epoch=False),
}
LOOK_EVERY = 0.1  # seconds
WITHIN = 120.0  # seconds from the end of the queue to the end of the training


def figures_of(
    experiment: str, losses: Sequence[Sequence[float]], scores: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """The losses of each rank, and the training and test accuracy of each."""
    if len(losses) == 1:
        return {experiment: list(losses[0])}
    by_rank = {f"{experiment}_rank_{rank}": list(values) for rank, values in enumerate(losses)}
    return by_rank | {f"{experiment}_accuracy": [score for both in scores for score in both]}


def train_in_processes(experiment: str, settings: Settings, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """The figures of an experiment from real processes, a rank each, joined by gloo. Waits for its turn."""
    cluster = distributed.cluster()
    config = replace(settings.config, num_workers=0)
    run = cluster.open(config, RANKS[experiment], "real", compare=False)
    try:
        run.play()
        deadline = time.monotonic() + WITHIN
        while not run.ended:
            view = run.view()
            if view.status == "queued":
                deadline = time.monotonic() + WITHIN
            if cancelled() or time.monotonic() > deadline:
                raise ToytrainError("The processes did not finish; press Run again.")
            time.sleep(LOOK_EVERY)
        view = run.view()
        if view.status != "finished":
            raise run.error or ToytrainError(view.message or "The processes were ended; press Run again.")
        return figures_of(experiment, view.losses, view.scores)
    finally:
        cluster.close(run)
