"""Task: classification or regression, decided here and nowhere else.

Classification is the book's: K outputs (logits) and cross-entropy (sections A.5 and A.7).
Regression has one output and the mean squared error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


def accuracy(logits, labels):
    """Share of the examples whose greatest logit is that of their label."""
    predictions = torch.argmax(logits, dim=1)
    return (predictions == labels).float().mean().item()


def r_squared(outputs, targets):
    """Share of the targets' variance that the outputs explain; 1 is perfect."""
    unexplained = ((targets - outputs) ** 2).sum()
    return (1 - unexplained / ((targets - targets.mean()) ** 2).sum()).item()


@dataclass(frozen=True)
class Task:
    """What a run is asked to do, and how its outputs are read.

    `loss(logits, labels)` and `score(logits, labels)` take whole tensors: logits (n, outputs);
    labels (n,) class indices, or (n, 1) targets. The `_source` texts are how the script writes the same.
    """

    name: str
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    loss_source: str
    score: Callable[[torch.Tensor, torch.Tensor], float]
    score_name: str
    label_source: str
    groups_source: str
    has_classes: bool

    def labels(self, y) -> torch.Tensor:
        """The array y (n,) as the tensor that the loss wants."""
        if self.has_classes:
            return torch.tensor(y, dtype=torch.int64)
        return torch.tensor(y, dtype=torch.float32).unsqueeze(1)

    def num_outputs(self, classes: int) -> int:
        return classes if self.has_classes else 1

    def groups(self, y):
        """What a stratified split keeps in proportion (n,): the classes, or one single group."""
        return y if self.has_classes else np.zeros(len(y))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Softmax (n, K) of the logits; of a regression the outputs (n, 1) themselves."""
        return torch.softmax(logits, dim=1) if self.has_classes else logits

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """Argmax (n,) of the logits; of a regression the outputs (n,)."""
        return torch.argmax(logits, dim=1) if self.has_classes else logits.squeeze(1)

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of each example (n,), of which `loss` is the mean."""
        if self.has_classes:
            return F.cross_entropy(logits, labels, reduction="none")
        return F.mse_loss(logits, labels, reduction="none").squeeze(1)

    def wrong(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Which examples (n,) are misclassified; of a regression none is."""
        if self.has_classes:
            return torch.argmax(logits, dim=1) != labels
        return torch.zeros(len(labels), dtype=torch.bool)

    def shades(self, logits: torch.Tensor, low: float, high: float) -> torch.Tensor:
        """The outputs (n, K) as one byte each (n,), for a picture with a palette.

        With K classes the 256 values are cut into K equal bands, one per predicted class, and within
        a band the softmax probability rises from 1/K to 1. A regression spreads low to high evenly.
        """
        if not self.has_classes:
            return ((logits[:, 0] - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)
        classes = logits.shape[1]
        levels = 256 // classes
        probability, predicted = torch.softmax(logits, dim=1).max(dim=1)
        within = (probability * classes - 1) / (classes - 1) * (levels - 1)
        return (predicted * levels + within.round().clamp(0, levels - 1)).to(torch.uint8)


CLASSIFICATION = Task(
    name="classification",
    loss=F.cross_entropy,
    loss_source="F.cross_entropy(logits, labels)",
    score=accuracy,
    score_name="accuracy",
    label_source="torch.tensor(y)",
    groups_source="y",
    has_classes=True,
)
REGRESSION = Task(
    name="regression",
    loss=F.mse_loss,
    loss_source="F.mse_loss(logits, labels)",
    score=r_squared,
    score_name="R²",
    label_source="torch.tensor(y, dtype=torch.float32).unsqueeze(1)",
    groups_source="np.zeros(len(y))",
    has_classes=False,
)
TASKS = {task.name: task for task in (CLASSIFICATION, REGRESSION)}


def compute_accuracy(model: torch.nn.Module, dataset) -> float:
    """Accuracy of a model on a whole ToyDataset, in eval mode (book, section A.7).

    The dataset's tensors are used as they are: a DataLoader would draw from PyTorch's global
    generator and so change the batches that training sees next.
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(dataset.features)
    model.train(training)
    return accuracy(logits, dataset.labels)
