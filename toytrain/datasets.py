"""Toy data as NumPy arrays: one function per dataset, and the registry DATASETS.

A function takes `points` (how many), `noise` (standard deviation), `classes` and `seed`, and
returns X of shape (points, 2) and y of shape (points,): class indices, or targets for
regression. Each function stands on its own, because the exported script contains its source.
scikit-learn is imported where data is made: the import takes a second that a page need not wait for.

Nothing here knows PyTorch; tensors begin in `data.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .errors import ToytrainError
from .rows import MOST_CLASSES


def book(points, noise, classes, seed):
    """The book's five training points followed by its two test points (section A.6)."""
    X = np.array([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5], [-0.8, 2.8], [2.6, -1.6]])
    y = np.array([0, 0, 0, 1, 1, 0, 1])
    return X, y


def moons(points, noise, classes, seed):
    """Two half circles that reach into each other."""
    from sklearn.datasets import make_moons

    return make_moons(n_samples=points, noise=noise, random_state=seed)


def circles(points, noise, classes, seed):
    """A circle within a circle."""
    from sklearn.datasets import make_circles

    return make_circles(n_samples=points, noise=noise, factor=0.5, random_state=seed)


def blobs(points, noise, classes, seed):
    """One Gaussian cloud per class, its centre on a circle."""
    from sklearn.datasets import make_blobs

    angles = 2 * np.pi * np.arange(classes) / classes
    centers = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    return make_blobs(points, centers=centers, cluster_std=0.3 + noise, random_state=seed)


def imbalanced(points, noise, classes, seed):
    """Gaussian clouds of which the first holds nine points in ten."""
    from sklearn.datasets import make_blobs

    # Two points, so that one can be for testing; fewer where so many classes leave no room.
    rare = max(min(2, points // classes), points // (10 * (classes - 1)))
    counts = [points - rare * (classes - 1)] + [rare] * (classes - 1)
    angles = 2 * np.pi * np.arange(classes) / classes
    centers = 1.5 * np.column_stack([np.cos(angles), np.sin(angles)])
    return make_blobs(counts, centers=centers, cluster_std=0.4 + noise, random_state=seed)


def xor(points, noise, classes, seed):
    """Opposite quadrants share a class."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(points, 2))
    y = (X[:, 0] * X[:, 1] < 0).astype(np.int64)
    return X + noise * rng.standard_normal(X.shape), y


def spirals(points, noise, classes, seed):
    """One spiral arm per class, all starting near the origin."""
    rng = np.random.default_rng(seed)
    y = np.arange(points) % classes
    along = np.sqrt(rng.uniform(0.01, 1, size=points))
    angle = 3 * np.pi * along + 2 * np.pi * y / classes
    X = 2 * along[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + noise * rng.standard_normal(X.shape), y


def checkerboard(points, noise, classes, seed):
    """A board of four by four squares in two colours."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(points, 2))
    y = np.floor(X).sum(axis=1).astype(np.int64) % 2
    return X + noise * rng.standard_normal(X.shape), y


def linear(points, noise, classes, seed):
    """Two classes on either side of a straight line."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(points, 2))
    y = (X.sum(axis=1) > 0).astype(np.int64)
    return X + noise * rng.standard_normal(X.shape), y


def plane(points, noise, classes, seed):
    """Regression: the target rises evenly in one direction."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(points, 2))
    y = (X[:, 0] + X[:, 1]) / 4
    return X, y + noise * rng.standard_normal(points)


def gaussians(points, noise, classes, seed):
    """Regression: a sum of Gaussian hills and hollows."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(points, 2))
    hills = [(-1, -1, 1), (1, 1, 1), (-1, 1, -1), (1, -1, -1)]
    y = sum(sign * np.exp(-2 * ((X[:, 0] - x1) ** 2 + (X[:, 1] - x2) ** 2)) for x1, x2, sign in hills)
    return X, y + noise * rng.standard_normal(points)


def split_rows(groups, test_fraction, seed):
    """Row numbers of a stratified train/test split, each in random order.

    `groups` (n,) is the class of each row, or all zeros where there are no classes.
    Every group keeps its share in both parts, and at least one row for training.
    """
    rng = np.random.default_rng(seed)
    test = np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        test[rows[: min(round(test_fraction * len(rows)), len(rows) - 1)]] = True
    order = rng.permutation(len(groups))
    return order[~test[order]], order[test[order]]


def thin_classes(y, imbalance, seed):
    """Row numbers without this share of every class but class 0; of each class two stay, if it has them."""
    rng = np.random.default_rng([seed, 1])  # apart from the numbers that made the points
    kept = np.ones(len(y), dtype=bool)
    for label in np.unique(y)[1:]:
        rows = rng.permutation(np.flatnonzero(y == label))
        kept[rows[max(2, round((1 - imbalance) * len(rows))) :]] = False
    return np.flatnonzero(kept)


def flip_labels(y, rows, label_noise, classes, seed):
    """The labels y where a share of these rows has another class, drawn at random."""
    rng = np.random.default_rng([seed, 2])
    flipped = rng.permutation(rows)[: round(label_noise * len(rows))]
    y = y.copy()
    y[flipped] = (y[flipped] + rng.integers(1, classes, size=len(flipped))) % classes
    return y


def last_two_rows(groups, test_fraction, seed):
    """Row numbers of the book's split: the last two points are for testing."""
    rows = np.arange(len(groups))
    return rows[:-2], rows[-2:]


@dataclass(frozen=True)
class Dataset:
    """How a dataset is made and what it is for.

    `make` is None where the Config holds the points. `task` is a key of `task.TASKS`; `classes` the
    least and greatest number of classes it can have (None: it has none); `ignores` names the Config
    fields that mean nothing here.
    """

    make: Callable | None
    task: str = "classification"
    classes: tuple[int, int] | None = (2, 2)
    split: Callable = split_rows
    ignores: tuple[str, ...] = ()

    def check_classes(self, name: str, classes: int) -> None:
        """Raise a ToytrainError if the dataset cannot have that many classes."""
        low, high = self.classes or (2, 2)
        if not low <= classes <= high:
            has = "no classes" if self.classes is None else f"{low} classes"
            mend = f"use {low} to {high}" if high > low else f"it has {has}: leave classes at {low}"
            raise ToytrainError(
                f"classes = {classes} does not go with dataset {name}; {mend}.", field="classes"
            )


OWN = "own"  # the points that somebody has drawn or uploaded

DATASETS = {
    "book": Dataset(
        book,
        split=last_two_rows,
        ignores=("points", "noise", "data_seed", "test_fraction", "label_noise", "imbalance"),
    ),
    "moons": Dataset(moons),
    "circles": Dataset(circles),
    "blobs": Dataset(blobs, classes=(2, 10)),
    "xor": Dataset(xor),
    "spirals": Dataset(spirals, classes=(2, 5)),
    "checkerboard": Dataset(checkerboard),
    "linear": Dataset(linear),
    "imbalanced": Dataset(imbalanced, classes=(2, 10)),
    "plane": Dataset(plane, task="regression", classes=None, ignores=("label_noise", "imbalance")),
    "gaussians": Dataset(gaussians, task="regression", classes=None, ignores=("label_noise", "imbalance")),
    OWN: Dataset(None, classes=(2, MOST_CLASSES), ignores=("points", "noise", "classes")),
}
