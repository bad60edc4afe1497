"""The worker's commands about predictions: a point's way through the network, and every row's prediction."""

import math
from typing import TYPE_CHECKING, Any

from ..errors import ToytrainError
from ..evaluation import Evaluation, evaluate_part
from ..trace import neuron_parameters, trace_point

if TYPE_CHECKING:
    from .worker import Worker

FARTHEST = 1e6  # of a coordinate or a target


def trace(
    worker: "Worker",
    run_id: str,
    x1: float,
    x2: float,
    target: float | None = None,
    neuron: tuple[int, int] | None = None,
) -> tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
    """A point's Trace as the header and the arrays of a message (see frame.encode).

    `neuron` (stage, index) asks for what that neuron is computed with. Arrays: `values`, all stages' one
    after another; `probabilities`, `losses`, and `parameters`, one after another as the header lists them.
    """
    for name, value in ("x1", x1), ("x2", x2), ("target", target or 0.0):
        if not abs(value) <= FARTHEST:  # nan is refused too
            raise ToytrainError(
                f"{name} = {value:g} is too far away; give a number between {-FARTHEST:,.0f} and "
                f"{FARTHEST:,.0f}.",
                field=name,
            )
    snapshot = worker.snapshot(run_id)
    found = trace_point(snapshot, x1, x2, target)
    parameters = neuron_parameters(snapshot, *neuron) if neuron else {}
    header = {
        "step": snapshot.steps,
        "epoch": snapshot.epoch,
        "batch": snapshot.batch,
        "batches": snapshot.batches,
        "task": snapshot.task.name,
        "x1": x1,
        "x2": x2,
        "target": target,
        "features": list(snapshot.config.features) if snapshot.config else [],
        "stages": [[stage.kind, stage.key, len(stage.values)] for stage in found.stages],
        "prediction": found.prediction if math.isfinite(found.prediction) else str(found.prediction),
        "neuron": list(neuron) if parameters and neuron else None,
        "parameters": [[name, len(values)] for name, values in parameters.items()],
    }
    arrays = {
        "values": b"".join(stage.values.numpy().tobytes() for stage in found.stages),
        "probabilities": found.probabilities.numpy().tobytes(),
        "losses": found.losses.numpy().tobytes(),
        "parameters": b"".join(values.numpy().tobytes() for values in parameters.values()),
    }
    return header, {name: ("f4", data) for name, data in arrays.items()}


def evaluation(worker: "Worker", run_id: str, part: str) -> Evaluation:
    """Every prediction on the test or the training data."""
    return evaluate_part(worker.snapshot(run_id), part)
