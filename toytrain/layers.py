"""What goes on in each Linear layer of a run: its weights, its gradients, its dead neurons; and how the norms
of the gradients went over time.

The gradient is that of the training loss on up to MOST_EXAMPLES training examples, in eval mode and before
any clipping: what the gradients of the batches estimate. It is computed beside the run, when somebody
looks: it uses no random number, and no weight and no `.grad` of the run is touched. So a step costs what it
costs without it, and the norms over time are samples, one per look.
"""

from array import array
from dataclasses import dataclass

import torch
from torch.func import functional_call

from .config import Config
from .data import ToyDataset
from .errors import ToytrainError
from .model import EveryActivation, NeuralNetwork
from .snapshot import Snapshot

MOST_EXAMPLES = 1000
BINS = 40
MOST_SAMPLES = 500


@dataclass(frozen=True)
class Histogram:
    """How many numbers lie in each of BINS equal parts of low..high; those that are not finite in none."""

    low: float
    high: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, numbers: torch.Tensor) -> "Histogram":
        finite = numbers[numbers.isfinite()]
        if not len(finite):
            return cls(0.0, 0.0, (0,) * BINS)
        low, high = finite.min().item(), finite.max().item()
        counts = torch.histc(finite, BINS, low, high)
        return cls(low, high, tuple(int(count) for count in counts.tolist()))


@dataclass(frozen=True)
class Layer:
    """A Linear layer: `key` in the state_dict ("layers.0"), histograms of its weights and of their gradients
    (biases included in neither), the norm of its gradients (weights and biases together), and the share of
    its neurons whose ReLU is 0 for every example (None where no ReLU follows)."""

    key: str
    weights: Histogram
    gradients: Histogram
    gradient_norm: float
    dead: float | None


def look_at_layers(snapshot: Snapshot, dataset: ToyDataset) -> list[Layer]:
    """Each Linear layer, from first to last, on the examples of a dataset (the training data, usually)."""
    if not isinstance(snapshot.model, NeuralNetwork):
        raise ToytrainError("Only a toytrain NeuralNetwork has layers to look at; hand one to the Trainer.")
    config = snapshot.config or Config()
    trained = {key for key, _ in snapshot.model.named_parameters()}
    values = {key: tensor.clone().requires_grad_(key in trained) for key, tensor in snapshot.weights.items()}
    features, labels = dataset.features[:MOST_EXAMPLES], dataset.labels[:MOST_EXAMPLES]
    keys = [f"layers.{at}" for at, layer in enumerate(snapshot.model.layers) if _is_linear(layer)]
    with torch.enable_grad():
        *hidden, logits = functional_call(
            EveryActivation(snapshot.model),
            {f"network.{key}": tensor for key, tensor in values.items()},
            (features,),
        )
        loss = snapshot.task.loss(logits, labels)
        if config.l1:
            loss = loss + config.l1 * sum(values[f"{key}.weight"].abs().sum() for key in keys)
        wanted = [values[f"{key}.{part}"] for key in keys for part in ("weight", "bias")]
        gradients = torch.autograd.grad(loss, wanted)
    with_relu = [layer.detach() for layer in hidden] if config.activation == "relu" else []
    return [
        Layer(
            key,
            Histogram.of(snapshot.weights[f"{key}.weight"].flatten()),
            Histogram.of(gradients[2 * number].flatten()),
            torch.nn.utils.get_total_norm(gradients[2 * number : 2 * number + 2]).item(),
            _share_of_dead(with_relu[number]) if number < len(with_relu) else None,
        )
        for number, key in enumerate(keys)
    ]


class GradientNorms:
    """The norm of each layer's gradient at the steps at which somebody looked.

    At most MOST_SAMPLES are kept: beyond that every second one is dropped, so that the whole time stays.
    """

    def __init__(self) -> None:
        self.steps = array("d")
        self.norms: list[tuple[float, ...]] = []  # one per step, of each layer

    def note(self, steps: int, layers: list[Layer]) -> None:
        """Keep the norms at this step; what was noted at it or after it (before a step back) is forgotten."""
        while self.steps and self.steps[-1] >= steps:
            self.steps.pop()
            self.norms.pop()
        self.steps.append(steps)
        self.norms.append(tuple(layer.gradient_norm for layer in layers))
        if len(self.norms) > MOST_SAMPLES:
            self.steps, self.norms = self.steps[::2], self.norms[::2]


def _is_linear(layer: torch.nn.Module) -> bool:
    return isinstance(layer, torch.nn.Linear)


def _share_of_dead(activations: torch.Tensor) -> float:
    """Of the neurons of (n, neurons), the share that is 0 for all n examples."""
    return (activations == 0).all(dim=0).float().mean().item()
