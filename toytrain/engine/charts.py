"""The views of the charts that teach: histograms, gradient norms, dead neurons, the learning rate.

Each is a view as views.py has them. What is measured only while somebody looks, the gradient norms over
time, is kept here beside the run for as long as the run lives.
"""

from array import array
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from ..diagnostics import (
    RateHistory,
    compute_activity,
    compute_gradients,
    histogram,
    layer_names,
    layer_norms,
)
from ..trainer import Trainer
from .frame import Array

if TYPE_CHECKING:
    from .views import Look

MOST_SAMPLES = 400  # of a curve over time; of more every second one is forgotten

_norms: "WeakKeyDictionary[Trainer, list[tuple[float, ...]]]" = WeakKeyDictionary()
_rates: "WeakKeyDictionary[Trainer, RateHistory]" = WeakKeyDictionary()


def weights(look: "Look") -> dict[str, Array]:
    """The histogram of each weight matrix: `weight_counts` (layers, BINS) over -reach to reach, and
    `weight_reach` (layers,)."""
    tensors = [look.snapshot.weights[name] for name in layer_names(look.snapshot)]
    return _histograms("weight", tensors)


def gradients(look: "Look") -> dict[str, Array]:
    """The same of the gradient: `gradient_counts`, `gradient_reach`; and its norm over time,
    `gradient_norms` (samples, 1 + layers): the step, then each layer's."""
    snapshot = look.snapshot
    found = compute_gradients(snapshot)
    samples = _norms.setdefault(look.trainer, [])
    if not samples or samples[-1][0] < snapshot.steps:
        samples.append((snapshot.steps, *layer_norms(snapshot, found)))
    if len(samples) > MOST_SAMPLES:
        del samples[1:-1:2]
    arrays = _histograms("gradient", [found[name] for name in layer_names(snapshot)])
    flat = array("f", (number for sample in samples for number in sample))
    return arrays | {"gradient_norms": ("f4", flat.tobytes())}


def activity(look: "Look") -> dict[str, Array]:
    """`activity` (neurons,): on which share of the training rows each hidden neuron is above 0, and
    `activity_widths` (layers,)."""
    layers = compute_activity(look.snapshot)
    widths = array("f", (len(layer) for layer in layers))
    return {
        "activity": ("f4", torch.cat(layers).numpy().tobytes() if layers else b""),
        "activity_widths": ("f4", widths.tobytes()),
    }


def rates(look: "Look") -> dict[str, Array]:
    """`rates` (changes, 2): a step, and the learning rate from there on. Of a long run a look gives a piece
    more than the one before it."""
    snapshot = look.snapshot
    if snapshot.config is None:
        return {}
    if look.trainer not in _rates:
        _rates[look.trainer] = RateHistory(snapshot.config, snapshot.batches)
    history = _rates[look.trainer]
    changes = history.follow(snapshot.steps, snapshot.learning_rates)
    if history.lags(snapshot.steps):
        look.unfinished.add(rates.__name__)
    every = 1 + len(changes) // MOST_SAMPLES
    kept = changes[:-1:every] + changes[-1:]
    return {"rates": ("f4", array("f", (number for change in kept for number in change)).tobytes())}


def _histograms(name: str, tensors: list[torch.Tensor]) -> dict[str, Array]:
    found = [histogram(tensor) for tensor in tensors]
    counts = torch.cat([counts for counts, _ in found])
    reaches = array("f", (reach for _, reach in found))
    return {f"{name}_counts": ("f4", counts.numpy().tobytes()), f"{name}_reach": ("f4", reaches.tobytes())}
