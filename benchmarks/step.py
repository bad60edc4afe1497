"""How many training steps a second: this project beside what a user would take instead.

`python benchmarks/step.py` trains three works with each contender in one process on one thread, in
rounds that take turns, and prints the median steps per second, the spread (the middle half of the
rounds) and the ratio to the book's plain loop, which is the median of the ratios within each round:
other programs on the machine slow both sides of one round alike. Bars: 5x with SGD, 4x with Adam; 8x on
a GPU (`--device cuda`, beside the book's loop there).

skorch and Lightning take part where they are installed (`pip install skorch lightning`).
"""

import argparse
import importlib.util
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
import torch.nn.functional as F
from sklearn.neural_network import MLPClassifier
from torch.utils.data import DataLoader, Dataset, TensorDataset

from toytrain import Config, ToytrainError, Trainer
from toytrain.config import DEVICES
from toytrain.data import make_data
from toytrain.devices import get_device
from toytrain.optimizers import optimizer_arguments

# 80% of the points are for training: 1,000 of 1,250 and 250 of 313.
WORKS = {
    "2-30-20-2, batch 32, 1,000 points, SGD": Config(points=1250),
    "2-8-8-2, batch 10, 250 points, SGD": Config(points=313, hidden=(8, 8), batch_size=10),
    "2-30-20-2, batch 32, 1,000 points, Adam": Config(points=1250, optimizer="adam", learning_rate=0.01),
}
BOOK = "the book's plain loop"
SLICE = 0.012  # seconds, as the server trains a run

# Trains so many epochs and returns the seconds that it took.
Contender = Callable[[int], float]


def timed(train: Callable[[int], object]) -> Contender:
    """The seconds that `train(epochs)` takes."""

    def measure(epochs: int) -> float:
        start = time.perf_counter()
        train(epochs)
        return time.perf_counter() - start

    return measure


# The book's loop, as a reader types it (sections A.4 to A.7)


class ToyDataset(Dataset):
    def __init__(self, X, y):
        self.features = X
        self.labels = y

    def __getitem__(self, index):
        one_x = self.features[index]
        one_y = self.labels[index]
        return one_x, one_y

    def __len__(self):
        return self.labels.shape[0]


class NeuralNetwork(torch.nn.Module):
    def __init__(self, num_inputs, num_outputs, hidden):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(num_inputs, hidden[0]),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden[0], hidden[1]),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden[1], num_outputs),
        )

    def forward(self, x):
        logits = self.layers(x)
        return logits


class Book:
    """The book's loop; `losses` is what it has seen."""

    def __init__(self, config: Config):
        data = make_data(config).train
        self.device = torch.device(config.device)
        torch.manual_seed(config.seed)
        self.model = NeuralNetwork(2, 2, config.hidden).to(self.device)
        kind, arguments = optimizer_arguments(config)
        self.optimizer = kind(self.model.parameters(), **arguments)
        dataset = ToyDataset(data.features, data.labels)
        self.train_loader = DataLoader(dataset, batch_size=config.batch_size, shuffle=True)
        self.losses: list[float] = []

    def train(self, num_epochs: int) -> None:
        for _ in range(num_epochs):
            self.model.train()
            for features, labels in self.train_loader:
                features, labels = features.to(self.device), labels.to(self.device)
                logits = self.model(features)
                loss = F.cross_entropy(logits, labels)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.losses.append(loss.item())


# This project


def toytrain(config: Config, fast: bool) -> Contender:
    """A Trainer without a test at each epoch's end, as the book's loop has none."""
    trainer = Trainer.from_config(config)
    trainer.test_loader = None
    trainer.fast = fast
    batches = len(trainer.train_loader)
    return timed(lambda epochs: trainer.advance(steps=epochs * batches))


def as_the_server_trains(config: Config) -> Contender:
    """Slices of 12 ms with a Snapshot after each, and the test at each epoch's end."""
    trainer = Trainer.from_config(config)

    def train(epochs: int) -> None:
        end = trainer.steps + epochs * len(trainer.train_loader)
        while trainer.steps < end:
            trainer.advance(steps=end - trainer.steps, seconds=SLICE)

    return timed(train)


# Others


def scikit_learn(config: Config, whole_epochs: bool) -> Contender:
    """MLPClassifier.partial_fit, called for each epoch (it cuts the batches itself) or each batch."""
    data = make_data(config).train
    X, y = data.features.numpy(), data.labels.numpy()
    network = MLPClassifier(
        config.hidden,
        solver=config.optimizer,
        alpha=0,
        batch_size=config.batch_size if whole_epochs else "auto",  # auto: all that it is given, here
        learning_rate_init=config.learning_rate,
        momentum=0,
        nesterovs_momentum=False,
    )
    network.partial_fit(X, y, classes=[0, 1])

    def train(epochs: int) -> None:
        for _ in range(epochs):
            if whole_epochs:
                network.partial_fit(X, y)
                continue
            for first in range(0, len(X), config.batch_size):
                network.partial_fit(
                    X[first : first + config.batch_size], y[first : first + config.batch_size]
                )

    return timed(train)


def skorch(config: Config) -> Contender:
    from skorch import NeuralNetClassifier

    data = make_data(config).train
    kind, arguments = optimizer_arguments(config)
    network = NeuralNetClassifier(
        NeuralNetwork(2, 2, config.hidden),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=kind,
        lr=arguments["lr"],
        batch_size=config.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks="disable",
        verbose=0,
    )
    network.initialize()
    return timed(lambda epochs: network.partial_fit(data.features, data.labels, epochs=epochs))


def lightning(config: Config) -> Contender:
    """Lightning without logger, checkpoints and bars; its start is not counted."""
    import lightning as L

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    data = make_data(config).train
    kind, arguments = optimizer_arguments(config)
    loader = DataLoader(TensorDataset(data.features, data.labels), batch_size=config.batch_size, shuffle=True)

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = NeuralNetwork(2, 2, config.hidden)

        def training_step(self, batch, _):
            features, labels = batch
            return F.cross_entropy(self.model(features), labels)

        def configure_optimizers(self):
            return kind(self.model.parameters(), **arguments)

        def on_train_start(self):
            self.start = time.perf_counter()

        def on_train_end(self):
            self.seconds = time.perf_counter() - self.start

    module = Module()

    def measure(epochs: int) -> float:
        trainer = L.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
        return module.seconds

    return measure


OPTIONAL = {"skorch": skorch, "lightning": lightning}


def contenders(config: Config) -> dict[str, Contender]:
    """All that are installed and know the device, by the name that is printed."""
    if config.device != "cpu":
        return {
            BOOK: timed(Book(config).train),
            "toytrain, fast step": toytrain(config, fast=True),
            "toytrain, as the server trains": as_the_server_trains(config),
            "toytrain, plain step": toytrain(config, fast=False),
        }
    found = {
        BOOK: timed(Book(config).train),
        "toytrain, fast step": toytrain(config, fast=True),
        "toytrain, as the server trains": as_the_server_trains(config),
        "toytrain, plain step": toytrain(config, fast=False),
        "scikit-learn, a call per epoch": scikit_learn(config, whole_epochs=True),
        "scikit-learn, a call per batch": scikit_learn(config, whole_epochs=False),
    }
    return found | {name: make(config) for name, make in OPTIONAL.items() if importlib.util.find_spec(name)}


def compare_bits(config: Config, epochs: int = 30) -> str:
    """Whether the losses of the book's loop and of a run with fast steps are equal, in words."""
    book = Book(config)
    book.train(epochs)
    trainer = Trainer.from_config(replace(config, epochs=epochs))
    equal = torch.equal(trainer.advance().losses, torch.tensor(book.losses))
    return f"{'equal' if equal else 'NOT EQUAL'} losses in {trainer.steps} steps, {trainer.fast_steps} fast"


def measure(config: Config, rounds: int, steps: int) -> dict[str, list[float]]:
    """Steps per second of each contender in each round; the first, uncounted round warms up."""
    batches = -(-len(make_data(config).train) // config.batch_size)
    epochs = -(-steps // batches)
    found = contenders(config)
    rates: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, contender in found.items():
            seconds = contender(epochs)
            if number:
                rates[name].append(epochs * batches / seconds)
    return rates


def report(rates: dict[str, list[float]]) -> None:
    print(f"  {'':32}{'steps/s':>9}{'middle half':>19}{'ratio':>8}")
    for name, found in rates.items():
        low, middle, high = statistics.quantiles(found, n=4)
        ratio = statistics.median(a / b for a, b in zip(found, rates[BOOK], strict=True))
        print(f"  {name:32}{middle:9,.0f}{f'{low:,.0f} to {high:,.0f}':>19}{ratio:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11, help="how often each contender is measured")
    parser.add_argument("--steps", type=int, default=600, help="steps per measurement, in whole epochs")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="cuda: beside the book's loop there")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("the spread needs at least 2 rounds")
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {options.rounds} rounds of {options.steps} steps")
    try:
        get_device(options.device)
    except ToytrainError as error:
        parser.exit(1, f"{error}\n")
    if options.device != "cpu" and (why := Trainer.from_config(Config(device=options.device)).why_plain):
        print(f"on {options.device} each step is a plain one: {why}")
    for name in OPTIONAL if options.device == "cpu" else ():
        if not importlib.util.find_spec(name):
            print(f"left out: {name} is not installed (pip install {name})")
    for name, config in WORKS.items():
        config = replace(config, device=options.device)
        print(f"\n{name} (beside the book's loop: {compare_bits(config)})")
        report(measure(config, options.rounds, options.steps))


if __name__ == "__main__":
    main()
