"""Trace: one point's way through the network, with every layer's values kept, as the book does it by hand.

The values are those of the network in eval mode on a batch of this one point: `model(features)` gives the
same bits. Nothing here knows a screen.
"""

from dataclasses import dataclass

import torch
from torch.func import functional_call

from .config import Config
from .data import compute_features
from .errors import ToytrainError
from .model import NeuralNetwork
from .snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Stage:
    """What one layer hands on: `values` (width,). `kind` is the layer's class, `key` its prefix in the
    state_dict ("layers.0."); the first stage is what the network sees of the point, and has no key."""

    kind: str
    key: str
    values: torch.Tensor


@dataclass(frozen=True, eq=False)
class Trace:
    """The stages from the features to the logits, and what follows from the logits.

    `probabilities` (outputs,) are their softmax, of a regression the output itself; `prediction` is the
    argmax, of a regression the output. `losses` (K,) holds the loss for each class that the label could
    be, of a regression (1,) that for the target, empty without one.
    """

    stages: tuple[Stage, ...]
    probabilities: torch.Tensor
    prediction: float
    losses: torch.Tensor


def trace_point(snapshot: Snapshot, x1: float, x2: float, target: float | None = None) -> Trace:
    """The way of the point (x1, x2), taken as float32, through the network of a Snapshot."""
    if not isinstance(snapshot.model, NeuralNetwork):
        raise ToytrainError("A trace needs a toytrain NeuralNetwork; hand one to the Trainer.")
    names = (snapshot.config or Config()).features
    features = compute_features(torch.tensor([[x1, x2]], dtype=torch.float32), names)
    with torch.no_grad():
        found = functional_call(
            _EveryLayer(snapshot.model),
            {f"network.{name}": weight for name, weight in snapshot.weights.items()},
            (features,),
        )
    stages = [Stage("features", "", features[0])]
    for (at, layer), values in zip(snapshot.model.layers.named_children(), found, strict=True):
        stages.append(Stage(type(layer).__name__, f"layers.{at}.", values[0]))
    logits, task = found[-1], snapshot.task
    labels: list[torch.Tensor] = []
    if task.has_classes:
        labels = [torch.tensor([label]) for label in range(logits.shape[1])]
    elif target is not None:
        labels = [torch.tensor([[target]], dtype=torch.float32)]
    return Trace(
        tuple(stages),
        task.probabilities(logits)[0],
        task.predictions(logits)[0].item(),
        torch.tensor([task.loss(logits, label).item() for label in labels]),
    )


def neuron_parameters(snapshot: Snapshot, stage: int, neuron: int) -> dict[str, torch.Tensor]:
    """What one neuron of a stage is computed with, each flat: weight and bias of a Linear; of a BatchNorm1d
    also running_mean, running_var and eps. Empty where a layer has no parameters."""
    if not isinstance(snapshot.model, NeuralNetwork) or not 1 <= stage <= len(snapshot.model.layers):
        return {}
    layer = snapshot.model.layers[stage - 1]
    prefix = f"layers.{stage - 1}."
    found = {
        key.removeprefix(prefix): tensor[neuron].reshape(-1)
        for key, tensor in snapshot.weights.items()
        if key.startswith(prefix) and tensor.ndim and 0 <= neuron < len(tensor)
    }
    if found and isinstance(layer, torch.nn.BatchNorm1d):
        found["eps"] = torch.tensor([layer.eps])
    return found


class _EveryLayer(torch.nn.Module):
    """A network whose forward returns what each of its layers hands on, for functional_call."""

    def __init__(self, network: NeuralNetwork):
        super().__init__()
        self.network = network

    def forward(self, features):
        found = []
        for layer in self.network.layers:
            features = layer(features)
            found.append(features)
        return found
