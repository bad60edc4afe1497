"""What somebody changes in a living run: commands of the worker. Each change becomes part of the script.

A command takes the worker and the run's id; `worker.COMMANDS` lists it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .worker import Worker


def set_learning_rate(worker: "Worker", run_id: str, learning_rate: float) -> int:
    """The step before which the rate was set."""
    worker.runs[run_id].trainer.set_learning_rate(learning_rate)
    return worker.note_change(run_id)


def edit_weight(worker: "Worker", run_id: str, key: str, index: tuple[int, ...], value: float) -> int:
    """The step before which the weight was set. The run pauses, so that one sees what the edit does."""
    worker.runs[run_id].until = 0
    worker.runs[run_id].trainer.edit_weight(key, index, value)
    return worker.note_change(run_id)
