"""Snapshot <-> .pth bytes. A file is either the book's bare state_dict (section A.8) or a full
checkpoint, from which a run resumes bit for bit.

A full checkpoint is a dict of plain values and tensors that `torch.load(weights_only=True)` opens:

    format, version        "toytrain", 1
    config                 dict of the Config's fields
    model_state_dict       the book's keys
    optimizer_state_dict   as the optimizer gives it
    scheduler_state_dict   as the schedule gives it, {} without one; absent in older files
    steps, epoch, batch    position
    random_state           dict: device name -> generator state
    epoch_random_state     the same at the start of an unfinished epoch, else None
    losses, tests          float32 (steps,); float64 (epochs, 3)
    learning_rates         list of [step, rate]
    edits                  list of [step, key, index, value]: the weights set by hand; absent in older files
    diverged               sentence, or ""
    initial_state_dict     what the run started from, None where the seed drew the weights

What is loaded may come from a stranger. `untrusted` turns the bytes into plain values and judges
their parts; here these become a Snapshot. torch.load is used nowhere.
"""

import io
import logging
from array import array
from dataclasses import replace
from typing import Any

import safetensors.torch
import sklearn.datasets  # noqa: F401  (here, so that the first file need not wait for it)
import torch

from . import untrusted
from .config import Config
from .data import Data, make_data, make_loaders
from .errors import ToytrainError
from .model import NeuralNetwork
from .random_state import get_random_state
from .snapshot import Snapshot
from .stopping import Stopping
from .task import TASKS
from .untrusted import MAX_BYTES, Cause, whole
from .untrusted.network import read_network
from .untrusted.optimizer import read_optimizer_state, read_schedule_state

FORMAT = "toytrain"
VERSION = whole.VERSION
NO_OPTIMIZER = "This checkpoint holds no optimizer state: the run cannot go on from it, a new one can start."

log = logging.getLogger(__name__)


def save_weights(snapshot: Snapshot) -> bytes:
    """model.pth as in the book: the bare state_dict."""
    return save_state_dict(snapshot.weights)


def save_state_dict(state: dict[str, torch.Tensor]) -> bytes:
    """The file that torch.save makes of a state_dict."""
    return _saved(state)


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
            "scheduler_state_dict": snapshot.schedule_state,
            "steps": snapshot.steps,
            "epoch": snapshot.epoch,
            "batch": snapshot.batch,
            "random_state": snapshot.random_state,
            "epoch_random_state": snapshot.epoch_random_state,
            "losses": snapshot.losses,
            "tests": snapshot.tests,
            "learning_rates": [list(change) for change in snapshot.learning_rates.items()],
            "edits": [
                [step, key, list(index), value]
                for step, places in snapshot.edits.items()
                for (key, index), value in places.items()
            ],
            "diverged": snapshot.diverged,
            "initial_state_dict": snapshot.initial_weights,
        }
    )


def save_safetensors(snapshot: Snapshot) -> bytes:
    """The weights without any pickle, with the Config in JSON as the metadata "config"."""
    if snapshot.config is None:
        raise ToytrainError("A safetensors file needs a Config; make the Trainer with from_config.")
    metadata = {"format": "pt", "config": snapshot.config.to_json()}
    return safetensors.torch.save(snapshot.weights, metadata=metadata)


def load(data: bytes, most_bytes: int = MAX_BYTES) -> Snapshot:
    """The Snapshot that a file holds, whatever the bytes; `notes` say what had to be assumed.

    A full checkpoint resumes bit for bit. Of a bare state_dict (also within the usual wrappers and
    prefixes) the network is read off the shapes; what it does not hold (settings, history, random
    state) is that of a new run, and the optimizer's state is empty.

    Raises a ToytrainError and nothing else; its `code` is a value of `untrusted.Cause`. `most_bytes`
    may be raised for the app's own files, whose history grows with the run.
    """
    try:
        value = untrusted.read(data, most_bytes)
        if type(value) is dict and value.get("format") == FORMAT:
            return _full(value)
        return _bare(value)
    except ToytrainError:
        raise
    except Exception as error:
        # A bug of the reader, shown by the log. It must not become a stranger's way to break a page.
        log.exception("a file was refused because reading it failed")
        raise untrusted.refusal(Cause.DAMAGED) from error


def _full(state: dict) -> Snapshot:
    """The Snapshot of a full checkpoint, each part judged before the ones that depend on it."""
    whole.check_parts(state)
    config = whole.read_config(state["config"])
    model = _make_model(config)
    weights = whole.read_state_dict(state["model_state_dict"], model)
    initial = state["initial_state_dict"]
    initial_weights = None if initial is None else whole.read_state_dict(initial, model)
    data, batches = _make_data(config)
    steps, epoch, batch = whole.read_position(state, batches)
    rates = whole.read_learning_rates(state["learning_rates"])
    diverged = whole.read_diverged(state["diverged"])
    optimizer_state = read_optimizer_state(
        state["optimizer_state_dict"], config, list(model.parameters()), steps, bool(diverged), rates
    )
    schedule_state = read_schedule_state(state.get("scheduler_state_dict", {}), config, epoch)
    if optimizer_state and bool(schedule_state) != (config.schedule != "constant"):
        raise untrusted.refusal(Cause.OPTIMIZER)
    tests = whole.read_tests(state["tests"], epoch, batches)
    stopped = Stopping.of(config).again(tests).reason
    return Snapshot(
        config=config,
        data=data,
        task=TASKS[config.task],
        model=model,
        weights=weights,
        optimizer_state=optimizer_state,
        schedule_state=schedule_state,
        random_state=whole.read_random_state(state["random_state"], config.device),
        epoch_random_state=whole.read_epoch_random_state(state["epoch_random_state"], config.device, batch),
        steps=steps,
        epoch=epoch,
        batch=batch,
        batches=batches,
        learning_rate=rates.get(steps, _rate_in_use(optimizer_state, config)),
        learning_rates=rates,
        edits=whole.read_edits(state.get("edits", []), model),
        loss_history=whole.read_losses(state["losses"], steps),
        test_history=tests,
        num_tests=len(tests) // 3,
        finished=0 < config.epochs <= epoch or bool(stopped),
        stopped=stopped,
        diverged=diverged,
        initial_weights=initial_weights,
        notes=() if optimizer_state else (NO_OPTIMIZER,),
        keys_in_file=tuple(weights),
    )


def _bare(value: object) -> Snapshot:
    """The Snapshot of a run that nobody has trained yet, with a file's weights."""
    network = read_network(value)
    config = network.config
    data, batches = _make_data(config)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)  # of the CPU alone: fork_rng brings back no other
        model = NeuralNetwork.from_config(config).eval()
        random_state = get_random_state(torch.device("cpu"))
    return Snapshot(
        config=config,
        data=data,
        task=TASKS[config.task],
        model=model,
        weights=dict(zip(model.state_dict(), network.tensors, strict=True)),
        optimizer_state={},
        random_state=random_state,
        epoch_random_state=None,
        steps=0,
        epoch=0,
        batch=0,
        batches=batches,
        learning_rate=config.learning_rate,
        learning_rates={},
        loss_history=array("f"),
        test_history=array("d"),
        num_tests=0,
        finished=False,
        diverged="",
        notes=network.notes,
        keys_in_file=network.keys,
    )


def _make_model(config: Config) -> NeuralNetwork:
    """The network of a Config in eval mode; PyTorch's global generator stays where it is."""
    with torch.random.fork_rng(devices=[]):
        return NeuralNetwork.from_config(config).eval()


def _make_data(config: Config) -> tuple[Data, int]:
    """The data of a Config and how many batches an epoch has."""
    try:
        data = make_data(config)
        # Settings that cannot train are refused here; processes that load batches change no figure.
        train_loader, _ = make_loaders(replace(config, num_workers=0), data)
    except ToytrainError as error:
        raise whole.settings_refusal(error) from error
    return data, len(train_loader)


def _rate_in_use(optimizer_state: dict[str, Any], config: Config) -> float:
    return optimizer_state["param_groups"][0]["lr"] if optimizer_state else config.learning_rate


def _saved(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()
