"""Snapshot <-> .pth bytes. A file is either the book's bare state_dict (section A.8) or a full
checkpoint, from which a run resumes bit for bit.

A full checkpoint is a dict of plain values and tensors that `torch.load(weights_only=True)` opens:

    format, version        "toytrain", 1
    config                 dict of the Config's fields
    model_state_dict       the book's keys
    optimizer_state_dict   as the optimizer gives it
    steps, epoch, batch    position
    random_state           dict: device name -> generator state
    epoch_random_state     the same at the start of an unfinished epoch, else None
    losses, tests          float32 (steps,); float64 (epochs, 3)
    learning_rates         list of [step, rate]
    diverged               sentence, or ""

This first form is for the user's own files: it does not yet defend a server against hostile ones.
"""

import io
from array import array
from typing import Any

import torch

from .config import Config
from .data import make_data
from .errors import ToytrainError
from .model import NeuralNetwork
from .random_state import get_random_state
from .snapshot import Snapshot
from .task import TASKS

FORMAT = "toytrain"
VERSION = 1


def save_weights(snapshot: Snapshot) -> bytes:
    """model.pth as in the book: the bare state_dict."""
    return _saved(snapshot.weights)


def save(snapshot: Snapshot) -> bytes:
    """The full checkpoint of a Snapshot."""
    if snapshot.config is None:
        raise ToytrainError("A full checkpoint needs a Config; make the Trainer with from_config.")
    return _saved(
        {
            "format": FORMAT,
            "version": VERSION,
            "config": snapshot.config.to_dict(),
            "model_state_dict": snapshot.weights,
            "optimizer_state_dict": snapshot.optimizer_state,
            "steps": snapshot.steps,
            "epoch": snapshot.epoch,
            "batch": snapshot.batch,
            "random_state": snapshot.random_state,
            "epoch_random_state": snapshot.epoch_random_state,
            "losses": snapshot.losses,
            "tests": snapshot.tests,
            "learning_rates": [list(change) for change in snapshot.learning_rates.items()],
            "diverged": snapshot.diverged,
        }
    )


def load(data: bytes) -> Snapshot:
    """The Snapshot that a file holds; a ToytrainError says what is wrong with it.

    Of a bare state_dict with the book's keys the layers are read off the shapes; what it does not
    hold (optimizer, history, random state, data) is that of a new run.
    """
    try:
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises whatever its readers raise: the file is at fault
        raise ToytrainError("This file is not a checkpoint that PyTorch can open.") from error
    if not isinstance(state, dict):
        raise ToytrainError("This file holds no state_dict; save model.state_dict() with torch.save.")
    try:
        return _full(state) if state.get("format") == FORMAT else _bare(state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ToytrainError("This checkpoint is incomplete; save it again.") from error


def _full(state: dict[str, Any]) -> Snapshot:
    if state["version"] != VERSION:
        raise ToytrainError(
            f"This checkpoint is of version {state['version']!s:.20}, this toytrain reads {VERSION}; "
            "update toytrain."
        )
    config = Config.from_dict(state["config"])
    losses, tests = state["losses"], state["tests"]
    return _snapshot(
        config,
        state["model_state_dict"],
        optimizer_state=state["optimizer_state_dict"],
        random_state=state["random_state"],
        epoch_random_state=state["epoch_random_state"],
        steps=state["steps"],
        epoch=state["epoch"],
        batch=state["batch"],
        learning_rates=dict(state["learning_rates"]),
        loss_history=array("f", losses.tolist()),
        test_history=array("d", tests.flatten().tolist()),
        num_tests=len(tests),
        finished=0 < config.epochs <= state["epoch"],
        diverged=state["diverged"],
    )


def _bare(state: dict[str, Any]) -> Snapshot:
    weights = [tensor for key, tensor in state.items() if key.endswith(".weight")]
    config = Config(hidden=tuple(len(weight) for weight in weights[:-1]), classes=len(weights[-1]),
                    dataset="moons" if len(weights[-1]) == 2 else "blobs")  # fmt: skip
    return _snapshot(
        config,
        state,
        optimizer_state={},
        random_state=get_random_state(torch.device("cpu")),
        epoch_random_state=None,
        steps=0,
        epoch=0,
        batch=0,
        learning_rates={},
        loss_history=array("f"),
        test_history=array("d"),
        num_tests=0,
        finished=False,
        diverged="",
    )


def _snapshot(config: Config, weights: dict[str, torch.Tensor], **position: Any) -> Snapshot:
    """A Snapshot whose network and data are made from the Config, and into which the weights fit."""
    with torch.random.fork_rng(devices=[]):
        model = NeuralNetwork.from_config(config).eval()
    model.load_state_dict(weights)  # the keys and shapes must fit
    data = make_data(config)
    rates = position["learning_rates"]
    return Snapshot(
        config=config,
        data=data,
        task=TASKS[config.task],
        model=model,
        weights=dict(weights),
        batches=_num_batches(config, len(data.train)),
        learning_rate=rates[max(rates)] if rates else config.learning_rate,
        **position,
    )


def _num_batches(config: Config, rows: int) -> int:
    """How many batches an epoch has, as len(train_loader) says."""
    whole, rest = divmod(rows, config.batch_size)
    return whole + (rest > 0 and not config.drop_last)


def _saved(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
