"""Views: what a page may show of a run beside its figures and losses, each as named typed arrays.

A view is one function here, listed in VIEWS: it takes a Look and returns its arrays by name. Who
watches asks for it by the function's name, and only then is it made. A view of one thing out of many
takes whole numbers with its name, as in "neuron:1:3", and puts them into the names of its arrays.
"""

import inspect
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..config import FEATURES, Config
from ..data import Data, compute_features, grid_points
from ..snapshot import Snapshot
from ..task import TASKS
from ..trainer import Trainer
from .frame import Array

RESOLUTION = 100
BENT_LINES = 21  # of the grid in the hidden space, each way


class Look:
    """One look at a run: its Snapshot, and what several views need of it, made once.

    `trainer` is the run itself: a view reads from it what no Snapshot holds and changes nothing.
    """

    def __init__(
        self,
        trainer: Trainer,
        snapshot: Snapshot,
        config: Config,
        data: Data,
        label_range: tuple[float, float],
    ):
        self.trainer = trainer
        self.snapshot = snapshot
        self.config = config
        self.data = data
        self.label_range = label_range

    @cached_property
    def logits(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The network's outputs for all training and for all test examples."""
        return self.snapshot.logits(self.data.train.features), self.snapshot.logits(self.data.test.features)

    def figures(self) -> dict[str, float | None]:
        """Loss and score on all training and on all test examples, for a Frame's header."""
        task = self.snapshot.task
        figures: dict[str, float | None] = {}
        for name, dataset, logits in zip(
            ("train", "test"), (self.data.train, self.data.test), self.logits, strict=True
        ):
            figures[f"{name}_loss"] = _finite(task.loss(logits, dataset.labels).item())
            figures[f"{name}_score"] = _finite(task.score(logits, dataset.labels))
        return figures

    def arrays(self, view: str) -> dict[str, Array]:
        """The arrays of a view, by name; none for a view that there is not."""
        name, *numbers = view.split(":")
        make = VIEWS.get(name)
        if make is None or not all(number.isdecimal() and number.isascii() for number in numbers):
            return {}
        try:
            chosen = inspect.signature(make).bind(self, *(int(number[:9]) for number in numbers))
        except TypeError:  # too many numbers, or too few
            return {}
        return make(*chosen.args)


def boundary(look: Look) -> dict[str, Array]:
    """`picture`, the decision boundary as one byte per cell (see Task.shades), and `wrong`, a bitset over
    the training and then the test points."""
    task, data = look.snapshot.task, look.data
    picture = task.shades(look.snapshot.grid_logits(RESOLUTION), *look.label_range)
    train, test = look.logits
    wrong = torch.cat([task.wrong(train, data.train.labels), task.wrong(test, data.test.labels)])
    bits = np.packbits(wrong.numpy(), bitorder="little")
    return {"picture": ("u1", picture.numpy().tobytes()), "wrong": ("u1", bits.tobytes())}


def network(look: Look) -> dict[str, Array]:
    """`maps`, each neuron's activation over the plane, layer by layer, one byte per cell: 128 is 0, and 255
    the neuron's greatest size, which stands in `map_scales`. `weights`, every parameter, flat."""
    maps = torch.cat(look.snapshot.neuron_maps(map_resolution(look.config))).flatten(1)
    signed, scales = _signed(maps)
    state = look.snapshot.weights
    weights = torch.cat([state[key].flatten() for key, _ in look.trainer.model.named_parameters()])
    return {
        "maps": ("u1", signed.numpy().tobytes()),
        "map_scales": ("f4", scales.numpy().tobytes()),
        "weights": ("f4", weights.numpy().tobytes()),
    }


def neuron(look: Look, layer: int, index: int) -> dict[str, Array]:
    """One neuron's activation over the plane, as fine as the boundary; bytes and scale as in `network`.

    Layer 0 is the first hidden one; the last holds the outputs.
    """
    layers = look.snapshot.neuron_maps(RESOLUTION)
    if layer >= len(layers) or index >= len(layers[layer]):
        return {}
    signed, scale = _signed(layers[layer][index].reshape(1, -1))
    name = f"neuron:{layer}:{index}"
    return {name: ("u1", signed.numpy().tobytes()), f"{name}:scale": ("f4", scale.numpy().tobytes())}


def hidden(look: Look, first: int | None = None, second: int | None = None) -> dict[str, Array]:
    """The plane as the last hidden layer bends it: two of its neurons, or its two principal components.

    One float32 array of rows (n, 2): the training points, the test points, then a grid of BENT_LINES times
    BENT_LINES points, row by row from low x2. `...:share`: of components, the share of the training points'
    variance that each holds.
    """
    data, snapshot = look.data, look.snapshot
    grid = compute_features(grid_points(data.extent, BENT_LINES), look.config.features)
    features = torch.cat([data.train.features, data.test.features, grid])
    values = snapshot.activations(features)[-2]
    if first is None:
        name = "hidden"
        values, share = _principal(values, len(data.train))
    elif second is not None and max(first, second) < values.shape[1]:
        name, share = f"hidden:{first}:{second}", torch.zeros(0)
        values = values[:, [first, second]]
    else:
        return {}
    rows = values.float().contiguous().numpy().tobytes()
    return {name: ("f4", rows), f"{name}:share": ("f4", share.float().numpy().tobytes())}


VIEWS: dict[str, Callable[..., dict[str, Array]]] = {
    view.__name__: view for view in (boundary, network, neuron, hidden)
}


def describe_network(
    model: torch.nn.Module, config: Config, data: Data
) -> tuple[dict[str, Any], dict[str, Array]]:
    """What a drawing of the network must know and what never changes, and the maps of all features.

    `layers` are the names of the Linear layers, `parameters` the key and shape of each tensor of `weights`.
    """
    resolution = map_resolution(config)
    points = compute_features(grid_points(data.extent, resolution), FEATURES)
    signed, _ = _signed(points.T.contiguous())
    described = {
        "all_features": list(FEATURES),
        "features": list(config.features),
        "hidden": list(config.hidden),
        "outputs": TASKS[config.task].num_outputs(config.classes),
        "activation": config.activation,
        "map_resolution": resolution,
        "bent_lines": BENT_LINES,
        "layers": [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)],
        "parameters": [[key, list(tensor.shape)] for key, tensor in model.named_parameters()],
    }
    return described, {"feature_maps": ("u1", signed.numpy().tobytes())}


def map_resolution(config: Config) -> int:
    """Cells along a side of a neuron's small map: fewer where many neurons share the room."""
    neurons = sum(config.hidden)
    return 32 if neurons <= 24 else 24 if neurons <= 64 else 16


def _signed(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of values (n, cells) as bytes around 128, each row with its own scale (n,)."""
    scales = maps.abs().amax(dim=1)
    shares = maps / scales.clamp_min(torch.finfo(maps.dtype).tiny)[:, None]
    return (128 + 127 * shares).round().nan_to_num(128).to(torch.uint8), scales


def _principal(values: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (n, width) along the two principal components of the first `count` rows, and their shares of the
    variance. Of one neuron the second is 0. The greatest loading is positive, so that nothing flips over."""
    values = values.double()
    centred = values - values[:count].mean(dim=0)
    covariance = centred[:count].T @ centred[:count]
    if not covariance.isfinite().all():
        return values.new_zeros(len(values), 2), values.new_zeros(2)
    variances, axes = torch.linalg.eigh(covariance)
    axes, variances = axes.flip(1)[:, :2], variances.flip(0)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    axes = axes * torch.where(largest < 0, -1.0, 1.0)
    shares = variances[:2] / variances.sum().clamp_min(torch.finfo(torch.float64).tiny)
    missing = 2 - axes.shape[1]
    return torch.nn.functional.pad(centred @ axes, (0, missing)), torch.nn.functional.pad(
        shares, (0, missing)
    )


def _finite(value: float) -> float | None:
    """JSON has no word for nan and infinity."""
    return value if math.isfinite(value) else None
