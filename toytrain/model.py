"""NeuralNetwork: the book's multilayer network with the hidden layers left open (section A.5)."""

import torch

from .config import Config
from .task import TASKS

ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "linear": torch.nn.Identity,
}


class NeuralNetwork(torch.nn.Module):
    """Linear layers with an activation between them, in `self.layers`.

    The defaults are the book's network: its layers, its keys (layers.0/2/4 .weight/.bias) and, from
    the same seed, its weights. Batch norm stands before an activation, dropout after it.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        hidden: tuple[int, ...] = (30, 20),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        layers: list[torch.nn.Module] = []
        for width in hidden:
            layers.append(torch.nn.Linear(num_inputs, width))
            if batch_norm:
                layers.append(torch.nn.BatchNorm1d(width))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(torch.nn.Dropout(dropout))
            num_inputs = width
        layers.append(torch.nn.Linear(num_inputs, num_outputs))
        self.layers = torch.nn.Sequential(*layers)

    @classmethod
    def from_config(cls, config: Config) -> "NeuralNetwork":
        """The network of a Config; its weights come from PyTorch's global generator."""
        return cls(
            len(config.features),
            TASKS[config.task].num_outputs(config.classes),
            config.hidden,
            config.activation,
            config.dropout,
            config.batch_norm,
        )

    def forward(self, features):
        logits = self.layers(features)
        return logits

    def activations(self, features: torch.Tensor) -> list[torch.Tensor]:
        """What each hidden layer hands on, (n, width) each, and last the logits (n, outputs)."""
        found = []
        kinds = tuple(ACTIVATIONS.values())
        for layer in self.layers:
            features = layer(features)
            if isinstance(layer, kinds):
                found.append(features)
        return [*found, features]
