"""A.7: the training loop, and what is done between its epochs."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from ...data import Data, make_data
from ...model import NeuralNetwork
from .dataloader import make_loader


@dataclass
class Training:
    """A training as far as it has come: what it trains, each batch's loss and rows, and what is printed."""

    data: Data
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    train_loader: DataLoader
    losses: list[float] = field(default_factory=list)
    rows: list[list[list[int]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    device: str = "cpu"


def begin(settings):
    data = make_data(settings.config)
    train_loader = make_loader(data.train, settings)
    torch.manual_seed(settings.seed)
    model = NeuralNetwork(num_inputs=2, num_outputs=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
    return Training(data, model, optimizer, train_loader)


def step(training, features, labels):
    logits = training.model(features)
    loss = F.cross_entropy(logits, labels)
    training.optimizer.zero_grad()
    loss.backward()
    training.optimizer.step()
    return loss


def train(training, settings, epochs=None, step=step):
    num_epochs = settings.epochs if epochs is None else epochs
    for epoch in range(num_epochs):
        training.model.train()
        training.rows.append([])
        for batch_idx, (features, labels) in enumerate(training.train_loader):
            loss = step(training, features, labels)
            training.losses.append(loss.item())
            training.rows[-1].append(rows_of(features, training.data.train))
            training.log.append(
                f"Epoch: {epoch + 1:03d}/{num_epochs:03d}"
                f" | Batch {batch_idx:03d}/{len(training.train_loader):03d}"
                f" | Train/Val Loss: {loss:.2f}"
            )
        between_epochs(training, settings)
    return training


def compute_accuracy(model, dataloader, device="cpu"):
    model.eval()
    correct = 0.0
    total_examples = 0
    for features, labels in dataloader:
        features, labels = features.to(device), labels.to(device)
        with torch.no_grad():
            logits = model(features)
        predictions = torch.argmax(logits, dim=1)
        correct += torch.sum(labels == predictions).item()
        total_examples += len(labels)
    return correct / total_examples


def between_epochs(training, settings):
    test_ds = training.data.test
    if settings.evaluate == "tensors":
        training.model.eval()
        with torch.no_grad():
            training.model(test_ds.features.to(training.device))
    elif settings.evaluate == "loader":
        # Not shuffled, and yet its iterator draws a number from PyTorch's global generator.
        compute_accuracy(training.model, DataLoader(test_ds, batch_size=2), training.device)
    if settings.random_number:
        torch.rand(1)


def rows_of(features, train_ds):
    """Which rows of X_train a batch holds."""
    return [train_ds.features.tolist().index(example) for example in features.tolist()]


def training_loop(settings):
    training = train(begin(settings), settings)
    return {
        "first_log_line": training.log[0],
        "losses_as_printed": training.losses,
        "losses": training.losses,
        "rows_of_batches": training.rows,
        "log": training.log,
    }


SHOWN = (begin, step, train, between_epochs)
