"""The learning-rate finder in a worker: a command that searches for one slice, asked until it is done."""

from typing import TYPE_CHECKING, Any

from ..rate_finder import RateFinder
from .turns import SLICE

if TYPE_CHECKING:
    from .worker import Worker


def find_learning_rate(worker: "Worker", run_id: str, begin: bool) -> dict[str, Any]:
    """Search on, from the run as it stands where `begin` says so; what has been found so far.

    `done`; `rates`, `losses` and `smoothed`, lists of equal length; `suggestion`, a rate or None. The run
    goes on as if nobody had searched.
    """
    run = worker.runs[run_id]
    if begin or run.finder is None:
        run.finder = RateFinder(worker.snapshot(run_id))
    finder = run.finder
    finder.advance(SLICE)
    if finder.done:
        run.finder = None
    return {
        "done": finder.done,
        "rates": finder.rates,
        "losses": finder.losses,
        "smoothed": finder.smoothed,
        "suggestion": finder.suggestion,
    }
