"""Snapshot: a run at one step, frozen and on the CPU. Everything that leaves a Trainer is one.

What costs time, such as predictions, the boundary and the maps, is computed when asked for,
in eval mode, without a random number and without touching the run.
"""

from array import array
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.func import functional_call
from torch.utils.data import DataLoader

from .config import Config
from .data import Data, ToyDataset, compute_features, grid_points
from .edits import Edits
from .errors import ToytrainError
from .history import History
from .model import NeuralNetwork
from .random_state import RandomState
from .task import Task


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run at one step: weights and biases, optimizer, random state, position and history.

    `model` is the network's structure in eval mode; its own weights mean nothing, `weights` do.
    `loss_history` and `test_history` are shared with the run, which only appends to them: this
    Snapshot knows their first `steps` losses and `num_tests` rows of (step, loss, score).
    `stopped` is the sentence with which a stop condition ended the run, or "".
    `epoch_random_state` is the generator's state at the start of an unfinished epoch. `initial_weights`
    is the state_dict that the run started from, None where the seed drew the weights. `notes` are sentences
    about the file that this was read from, `keys_in_file` what the file calls each tensor of `weights`.
    """

    task: Task
    model: torch.nn.Module
    weights: dict[str, torch.Tensor]
    optimizer_state: dict[str, Any]
    random_state: RandomState
    epoch_random_state: RandomState | None
    steps: int
    epoch: int
    batch: int
    batches: int
    learning_rate: float
    learning_rates: dict[int, float]
    loss_history: array | History = field(repr=False)
    test_history: array | History = field(repr=False)
    num_tests: int
    finished: bool
    diverged: str
    schedule_state: dict[str, Any] = field(default_factory=dict)
    stopped: str = ""
    edits: Edits = field(default_factory=dict)
    config: Config | None = None
    data: Data | None = None
    initial_weights: dict[str, torch.Tensor] | None = None
    notes: tuple[str, ...] = ()
    keys_in_file: tuple[str, ...] = ()

    @property
    def losses(self) -> torch.Tensor:
        """Each batch loss so far, float32 (steps,)."""
        return torch.tensor(self.loss_history[: self.steps])

    @property
    def tests(self) -> torch.Tensor:
        """Step, test loss and test score at the end of each epoch, float64 (epochs, 3)."""
        known = self.test_history[: 3 * self.num_tests]
        return torch.tensor(known, dtype=torch.float64).reshape(-1, 3)

    @property
    def samples(self) -> int:
        """How many training examples the network has seen, repeats counted."""
        config, data = self._made_from()
        return self.epoch * self.samples_in_epoch + min(len(data.train), self.batch * config.batch_size)

    @property
    def samples_in_epoch(self) -> int:
        """How many training examples an epoch has, without those that drop_last leaves out."""
        config, data = self._made_from()
        return min(len(data.train), self.batches * config.batch_size)

    def deal_epoch(self) -> list[int]:
        """The training rows in the order in which this epoch deals them to its batches, and behind those
        the rows that drop_last leaves out. Before an epoch's first batch: as it will deal them.

        A DataLoader over the row numbers, with the generator where it was at the epoch's start, draws what
        the run's own drew. The run's generator stays where it is.
        """
        config, data = self._made_from()
        state = self.epoch_random_state or self.random_state
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(state["cpu"])
            rows = range(len(data.train))
            loader = DataLoader(rows, config.batch_size, shuffle=config.shuffle, collate_fn=list)  # type: ignore
            return [row for batch in loader for row in batch]

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """The network's outputs (n, outputs) for features (n, inputs)."""
        with torch.no_grad():
            return functional_call(self.model, self.weights, (features,))

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        """Softmax (n, K) of the logits (book, section A.5); of a regression the outputs (n, 1)."""
        return self.task.probabilities(self.logits(features))

    def predictions(self, features: torch.Tensor) -> torch.Tensor:
        """Argmax (n,) of the logits (book, section A.7); of a regression the outputs (n,)."""
        return self.task.predictions(self.logits(features))

    def evaluate(self, dataset: ToyDataset) -> tuple[float, float]:
        """Loss and score (accuracy, or R² of a regression) on a whole dataset."""
        logits = self.logits(dataset.features)
        return (
            self.task.loss(logits, dataset.labels).item(),
            self.task.score(logits, dataset.labels),
        )

    def boundary(self, resolution: int = 100) -> torch.Tensor:
        """Probabilities on a grid over the data's extent, (resolution, resolution, outputs).

        Row 0 is the lowest x2, column 0 the lowest x1.
        """
        probabilities = self.task.probabilities(self.grid_logits(resolution))
        return probabilities.reshape(resolution, resolution, -1)

    def grid_logits(self, resolution: int) -> torch.Tensor:
        """The logits (resolution^2, outputs) on the boundary's grid, row by row from low x2."""
        return self.logits(self._grid_features(resolution))

    def neuron_maps(self, resolution: int = 50) -> list[torch.Tensor]:
        """Each neuron's value over the plane: per hidden layer, and last for the logits,
        (neurons, resolution, resolution), laid out as the boundary is."""
        layers = self.activations(self._grid_features(resolution))
        return [values.T.reshape(-1, resolution, resolution) for values in layers]

    def activations(self, features: torch.Tensor) -> list[torch.Tensor]:
        """What each hidden layer hands on for features (n, inputs), (n, width) each, and last the logits."""
        if not isinstance(self.model, NeuralNetwork):
            raise ToytrainError("Neuron maps need a toytrain NeuralNetwork; hand one to the Trainer.")
        weights = {f"network.{name}": weight for name, weight in self.weights.items()}
        with torch.no_grad():
            return functional_call(_Activations(self.model), weights, (features,))

    def _grid_features(self, resolution: int) -> torch.Tensor:
        config, data = self._made_from()
        return compute_features(grid_points(data.extent, resolution), config.features)

    def _made_from(self) -> tuple[Config, Data]:
        if self.config is None or self.data is None:
            raise ToytrainError("This Snapshot has no Config and no data; make its Trainer from a Config.")
        return self.config, self.data


class _Activations(torch.nn.Module):
    """A network whose forward returns every layer's activations, for functional_call."""

    def __init__(self, network: NeuralNetwork):
        super().__init__()
        self.network = network

    def forward(self, features):
        return self.network.activations(features)
