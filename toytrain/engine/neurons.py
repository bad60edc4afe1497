"""The views of the network: every neuron's activation over the plane, the parameters, the hidden space.

Each is a view as views.py has them.
"""

from typing import TYPE_CHECKING, Any

import torch

from ..config import FEATURES, Config
from ..data import Data, compute_features, grid_points
from ..task import TASKS
from .frame import Array

if TYPE_CHECKING:
    from .views import Look

RESOLUTION = 100  # cells along a side of the boundary, and of a neuron in its place
BENT_LINES = 21  # of the grid in the hidden space, each way


def network(look: "Look") -> dict[str, Array]:
    """`maps`, each neuron's activation over the plane, layer by layer, one byte per cell: 128 is 0, and 255
    the neuron's greatest size, which stands in `map_scales`. `parameters`, each of them, flat."""
    maps = torch.cat(look.snapshot.neuron_maps(map_resolution(look.config))).flatten(1)
    signed, scales = _signed(maps)
    state = look.snapshot.weights
    parameters = torch.cat([state[key].flatten() for key, _ in look.trainer.model.named_parameters()])
    return {
        "maps": ("u1", signed.numpy().tobytes()),
        "map_scales": ("f4", scales.numpy().tobytes()),
        "parameters": ("f4", parameters.numpy().tobytes()),
    }


def neuron(look: "Look", layer: int, index: int) -> dict[str, Array]:
    """One neuron's activation over the plane, as fine as the boundary; bytes and scale as in `network`.

    Layer 0 is the first hidden one; the last holds the outputs.
    """
    layers = look.snapshot.neuron_maps(RESOLUTION)
    if layer >= len(layers) or index >= len(layers[layer]):
        return {}
    signed, scale = _signed(layers[layer][index].reshape(1, -1))
    name = f"neuron:{layer}:{index}"
    return {name: ("u1", signed.numpy().tobytes()), f"{name}:scale": ("f4", scale.numpy().tobytes())}


def hidden(look: "Look", first: int | None = None, second: int | None = None) -> dict[str, Array]:
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


def describe_network(
    model: torch.nn.Module, config: Config, data: Data
) -> tuple[dict[str, Any], dict[str, Array]]:
    """What a drawing of the network must know and what never changes, and the maps of all features.

    `layers` are the names of the Linear layers, `parameters` the key and shape of each part of the
    array that `network` gives under that name.
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
