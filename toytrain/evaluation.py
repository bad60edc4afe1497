"""Evaluation: every prediction on a dataset, and what scikit-learn says of them all.

Plain values, so that a process without PyTorch can hold one. The metrics are scikit-learn's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ToytrainError

if TYPE_CHECKING:
    from .snapshot import Snapshot

PARTS = ("test", "train")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The predictions of a run at one step on one part of its data, row by row.

    `points` (n, 2), `probabilities` (n, K) and `losses` (n,) are float32; `labels` and `predictions` (n,) are
    class indices, or float32 targets and outputs. `features` names what the network sees, `scores` the
    metrics of the whole part: accuracy, macro and weighted averages; or R², errors.
    With classes, `confusion` (K, K) counts label i (row) predicted as j (column) and `classes` holds
    precision, recall, F1 and support of each, nan where scikit-learn would divide by zero.
    """

    part: str
    steps: int
    epoch: int
    batch: int
    batches: int
    has_classes: bool
    points: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray
    losses: np.ndarray
    confusion: np.ndarray | None
    classes: tuple[dict[str, float], ...]
    scores: dict[str, float]

    @property
    def wrong(self) -> np.ndarray:
        """Which rows (n,) are misclassified; of a regression none is."""
        return self.labels != self.predictions if self.has_classes else np.zeros(len(self.labels), bool)

    def average(self, name: str) -> dict[str, float]:
        """Precision, recall and F1 as the "macro avg" or the "weighted avg" of the classes."""
        return {metric: self.scores[f"{name} {metric}"] for metric in ("precision", "recall", "f1-score")}

    @property
    def worst_first(self) -> np.ndarray:
        """Row numbers (n,): the wrong ones first, and among equals the greatest loss; nan is the greatest."""
        return np.lexsort((-np.nan_to_num(self.losses, nan=np.inf), ~self.wrong))


def evaluate_part(snapshot: "Snapshot", part: str) -> Evaluation:
    """Every prediction of a Snapshot on its "test" or "train" data, all in one batch, in eval mode."""
    if snapshot.data is None:
        raise ToytrainError("This Snapshot has no data; make its Trainer from a Config.")
    if part not in PARTS:
        raise ToytrainError(f"part = {part!r} is not permitted; permitted is one of {', '.join(PARTS)}.")
    data, task = snapshot.data, snapshot.task
    dataset, points = (data.test, data.test_points) if part == "test" else (data.train, data.train_points)
    logits = snapshot.logits(dataset.features)
    labels = dataset.labels.reshape(-1).numpy()
    predictions = task.predictions(logits).numpy()
    measure = _of_classes if task.has_classes else _of_regression
    confusion, classes, scores = measure(labels, predictions, logits.shape[1])
    return Evaluation(
        part=part,
        steps=snapshot.steps,
        epoch=snapshot.epoch,
        batch=snapshot.batch,
        batches=snapshot.batches,
        has_classes=task.has_classes,
        points=points.numpy(),
        labels=labels,
        predictions=predictions,
        probabilities=task.probabilities(logits).numpy(),
        losses=task.losses(logits, dataset.labels).numpy(),
        confusion=confusion,
        classes=classes,
        scores=scores,
    )


def _of_classes(labels: np.ndarray, predictions: np.ndarray, outputs: int) -> tuple[Any, Any, Any]:
    from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

    every = list(range(outputs))
    report = classification_report(
        labels, predictions, labels=every, output_dict=True, zero_division=np.nan
    )  # of a class that is never predicted or has no row, precision or recall is 0 / 0
    classes = tuple(report[str(label)] for label in every)
    scores = {"accuracy": float(accuracy_score(labels, predictions))}
    for average in ("macro avg", "weighted avg"):
        scores |= {f"{average} {name}": value for name, value in report[average].items() if name != "support"}
    return confusion_matrix(labels, predictions, labels=every), classes, scores


def _of_regression(targets: np.ndarray, outputs: np.ndarray, _: int) -> tuple[Any, Any, Any]:
    from sklearn.metrics import max_error, mean_absolute_error, mean_squared_error, r2_score

    names = {
        "R²": r2_score,
        "mean squared error": mean_squared_error,
        "mean absolute error": mean_absolute_error,
        "greatest error": max_error,
    }
    if not np.isfinite(outputs).all():  # scikit-learn refuses such outputs
        return None, (), dict.fromkeys(names, float("nan"))
    return None, (), {name: float(metric(targets, outputs)) for name, metric in names.items()}
