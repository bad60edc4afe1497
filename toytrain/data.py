"""Data as tensors: ToyDataset, features, the split and the loaders (book, section A.6).

Points are what is drawn on the plane, (n, 2). Features are what the network sees of them, (n, f).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .config import Config
from .datasets import DATASETS, flip_labels, thin_classes
from .errors import ToytrainError
from .rows import read_rows
from .task import TASKS


class ToyDataset(Dataset):
    def __init__(self, X, y):
        self.features = X
        self.labels = y

    def __getitem__(self, index):
        return self.features[index], self.labels[index]

    def __len__(self):
        return len(self.labels)


def compute_features(points, names):
    """The features (n, len(names)) of points (n, 2), by name."""
    x1, x2 = points[:, 0], points[:, 1]
    columns = {
        "x1": x1,
        "x2": x2,
        "x1^2": x1**2,
        "x2^2": x2**2,
        "x1*x2": x1 * x2,
        "sin(x1)": torch.sin(x1),
        "sin(x2)": torch.sin(x2),
    }
    return torch.stack([columns[name] for name in names], dim=1)


@dataclass(frozen=True, eq=False)
class Data:
    """A dataset split in two, with the points (n, 2) that its features come from."""

    train: ToyDataset
    test: ToyDataset
    train_points: torch.Tensor
    test_points: torch.Tensor

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """x1 from, x1 to, x2 from, x2 to: the square that holds every point with a margin."""
        points = torch.cat([self.train_points, self.test_points])
        low, high = points.amin(dim=0), points.amax(dim=0)
        center = (low + high) / 2
        half = 1.1 * (high - low).max() / 2
        (x1, x2), reach = center.tolist(), half.item() or 1.0  # own points may all lie at one place
        return x1 - reach, x1 + reach, x2 - reach, x2 + reach


def make_data(config: Config) -> Data:
    """The points of a Config, split into training and test rows; no random state is touched."""
    dataset, task = DATASETS[config.dataset], TASKS[config.task]
    X, y = make_points(config)
    if task.has_classes and len(set(y)) < config.classes:
        raise ToytrainError(
            f"data_seed = {config.data_seed} with {len(y)} points leaves a class without a point; "
            "raise points or choose another data_seed.",
            field="data_seed",
        )
    train, test = dataset.split(task.groups(y), config.test_fraction, config.data_seed)
    if len(test) == 0:
        raise ToytrainError(
            f"test_fraction = {config.test_fraction:g} of {len(y)} points leaves no test point; "
            "raise test_fraction or points.",
            field="test_fraction",
        )
    if flips_labels(config):
        y = flip_labels(y, train, config.label_noise, config.classes, config.data_seed)
    parts = []
    for rows in (train, test):
        points = torch.tensor(X[rows], dtype=torch.float32)
        parts.append((ToyDataset(compute_features(points, config.features), task.labels(y[rows])),
                      points))  # fmt: skip
    (train_ds, train_points), (test_ds, test_points) = parts
    return Data(train_ds, test_ds, train_points, test_points)


def make_points(config: Config):
    """All points X (n, 2) and labels y (n,) of a Config as NumPy arrays, before labels are flipped."""
    make = DATASETS[config.dataset].make
    if make is None:
        rows = np.array(read_rows(config.rows))
        X, y = rows[:, :2], rows[:, 2].astype(np.int64)
    else:
        X, y = make(config.points, config.noise, config.classes, config.data_seed)
    if thins_classes(config):
        kept_rows = thin_classes(y, config.imbalance, config.data_seed)
        X, y = X[kept_rows], y[kept_rows]
    return X, y


def thins_classes(config: Config) -> bool:
    """Whether some points of the Config's data are left out."""
    return config.imbalance > 0 and config.uses("imbalance")


def flips_labels(config: Config) -> bool:
    """Whether some training labels of the Config's data are changed."""
    return config.label_noise > 0 and config.uses("label_noise")


def make_loaders(config: Config, data: Data) -> tuple[DataLoader, DataLoader]:
    """train_loader and test_loader, or a ToytrainError if there would be nothing to train on.

    PyTorch itself trains zero steps without a word when drop_last leaves no batch, and batch
    norm fails in the middle of the first epoch on a last batch of one.
    """
    rows = len(data.train)
    if config.drop_last and config.batch_size > rows:
        raise ToytrainError(
            f"batch_size = {config.batch_size} with drop_last leaves no complete batch: there are "
            f"only {rows} training examples; lower batch_size or switch drop_last off.",
            field="batch_size",
        )
    if config.batch_norm and not config.drop_last and rows % config.batch_size == 1:
        raise ToytrainError(
            f"batch_norm = True cannot work on a last batch of 1: {rows} training examples in "
            f"batches of {config.batch_size} leave one over; switch drop_last on or change "
            "batch_size.",
            field="batch_norm",
        )
    train_loader = DataLoader(
        data.train,
        batch_size=config.batch_size,
        shuffle=config.shuffle,
        drop_last=config.drop_last,
        num_workers=config.num_workers,
    )
    test_loader = DataLoader(data.test, batch_size=config.batch_size, shuffle=False)
    return train_loader, test_loader


@lru_cache(maxsize=64)
def grid_points(extent: tuple[float, float, float, float], resolution: int) -> torch.Tensor:
    """Evenly spaced points (resolution^2, 2) over the extent, edges included, row by row from low x2."""
    x1_low, x1_high, x2_low, x2_high = extent
    x2, x1 = torch.meshgrid(
        torch.linspace(x2_low, x2_high, resolution),
        torch.linspace(x1_low, x1_high, resolution),
        indexing="ij",
    )
    return torch.stack([x1.flatten(), x2.flatten()], dim=1)
