"""Half-steps: commands of the worker that go through one step part by part, for the screen."""

from typing import TYPE_CHECKING, Any

import torch

from ..errors import ToytrainError
from ..half_step import PARTS, BegunStep, source_and_lines
from ..trainer import Trainer

if TYPE_CHECKING:
    from .worker import Hosted, Worker

MOST_ROWS = MOST_COLUMNS = 64  # of a tensor that are sent; its shape tells of the others


def half_step(worker: "Worker", run_id: str) -> dict[str, Any]:
    """Pause the run and do the next part of a step.

    The answer, in plain values:

    `part`      forward, loss, backward or optimizer step: what has just been done; `number` 0 to 3
    `source`    Trainer.step as text; `lines` [from, to) are the ones just run, counted from 0
    `step`, `epoch`, `batch`   the position of the batch that the step is about: batches trained before it, in
                               all and in its epoch (both from 0)
    `tensors`   a list of {name, shape, values, before}: what the part has made or changed, see
                BegunStep.tensors. `values` are nested lists of the first 64 rows and columns, a number for
                a tensor without dimensions; they may hold nan and infinity. `before` is the same before the
                step, of weights only, else None.

    A run that has ended is refused.
    """
    run = worker.runs[run_id]
    run.until = 0
    if run.ended:
        raise ToytrainError(f"{run.message or 'This run has ended.'} There is no step to go through.")
    with worker.owning_generator(run):
        begun = run.trainer.half_step()
    worker.note_change(run_id)
    return _described(run, begun)


def begun_step(worker: "Worker", run_id: str) -> dict[str, Any] | None:
    """What the last half-step answered, None between two steps: for a page that comes back."""
    run = worker.runs[run_id]
    return _described(run, run.trainer.begun_step) if run.trainer.begun_step else None


def _described(run: "Hosted", begun: BegunStep) -> dict[str, Any]:
    source, start, end = source_and_lines(Trainer.step, begun.part)
    weights = begun.before.weights if begun.part == "optimizer step" else {}
    return {
        "part": begun.part,
        "number": list(PARTS).index(begun.part),
        "source": source,
        "lines": [start, end],
        "step": begun.before.steps,
        "epoch": begun.before.epoch,
        "batch": begun.before.batch,
        "tensors": [
            {
                "name": name,
                "shape": list(tensor.shape),
                "values": _values(tensor),
                "before": _values(weights[name]) if name in weights else None,
            }
            for name, tensor in begun.tensors(run.trainer.model).items()
        ],
    }


def _values(tensor: torch.Tensor) -> Any:
    corner = (slice(MOST_ROWS), slice(MOST_COLUMNS))[: tensor.dim()]
    return tensor[corner].tolist()
