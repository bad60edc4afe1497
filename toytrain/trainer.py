"""Trainer: the training loop of the book (section A.7), cut so that it can stop after any batch.

It is handed a model, an optimizer, a loss and loaders, and knows no dataset, no screen and no
process. It draws from PyTorch's global generator exactly as the plain loop does, and evaluates on
whole tensors, because a second DataLoader would move that generator.
"""

import copy
import math
import time
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from .config import Config
from .data import Data, make_data, make_loaders
from .devices import get_device
from .edits import MOST_EDITS, Edits, check_edit, count, merge
from .errors import ToytrainError
from .fast_step import FastStep, loss_key, traceable
from .half_step import PARTS, BegunStep
from .history import History
from .model import NeuralNetwork
from .optimizers import make_optimizer
from .random_state import RandomState, get_random_state, set_random_state
from .schedules import make_schedule
from .snapshot import Snapshot
from .stopping import Stopping
from .task import CLASSIFICATION, TASKS, Task


class Trainer:
    """Model, optimizer, loss and loaders, and how far they have come.

    `schedule` changes the learning rate at the end of each epoch, `clip_norm` bounds the norm of the
    gradients (0: it does not), `stopping` ends the run after an epoch.

    `steps` counts the batches trained so far, `epoch` the completed epochs, `batch` the batches
    done in the current one. `losses` holds each batch loss, `tests` three numbers per epoch: the
    step at its end, test loss, test score. `learning_rates` maps a step to the rate set before it,
    `edits` a step to the weights set by hand there.
    `initial_weights` is the state_dict that the run started from, None where the seed drew the weights.

    Two Trainers that take turns in one process share PyTorch's global generator and so change each
    other's batches; `engine.worker` shows how to give each its own.

    Where it gives equal bits, `advance` trains with the fast step in place of `step`; `fast` = False
    keeps to the plain one, `why_plain` says why the fast one is not taken, `fast_step_source` shows it.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        loss,
        train_loader: DataLoader,
        test_loader: DataLoader | None = None,
        *,
        task: Task = CLASSIFICATION,
        epochs: int = 0,
        config: Config | None = None,
        data: Data | None = None,
        initial_weights: dict[str, torch.Tensor] | None = None,
        schedule: LRScheduler | None = None,
        clip_norm: float = 0.0,
        stopping: Stopping | None = None,
    ):
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.train_loader = train_loader
        self.test_loader = test_loader
        self.task = task
        self.epochs = epochs
        self.config = config
        self.data = data
        self.initial_weights = initial_weights
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.stopping = stopping or Stopping()
        self.device = next(model.parameters()).device
        self.steps = self.epoch = self.batch = 0
        self.losses = History("f")
        self.tests = History("d")
        self.learning_rates: dict[int, float] = {}
        self.edits: Edits = {}
        self.diverged = ""
        self.fast = True
        self._fast_step = FastStep()
        self._begun: BegunStep | None = None
        self._batches: Iterator | None = None
        self._epoch_random_state: RandomState | None = None
        self._structure = copy.deepcopy(model).cpu().eval()
        self._parameters = dict(model.named_parameters())
        self._last_finite = _LastFinite(model)

    @classmethod
    def from_config(cls, config: Config, initial_weights: dict[str, torch.Tensor] | None = None) -> "Trainer":
        """Everything a Config describes, made in the order of the exported script.

        `initial_weights` is a state_dict to start from in place of the weights that the seed draws.
        """
        device = get_device(config.device)
        data = make_data(config)
        train_loader, test_loader = make_loaders(config, data)
        torch.manual_seed(config.seed)
        model = NeuralNetwork.from_config(config).to(device)
        if initial_weights is not None:
            initial_weights = _under_keys_of(model, initial_weights)
            model.load_state_dict(initial_weights)
        return cls(
            model,
            train_loader=train_loader,
            test_loader=test_loader,
            data=data,
            initial_weights=initial_weights,
            stopping=Stopping.of(config),
            **made_of(config, model),
        )

    def step(self) -> float:
        """Train on one batch and return its loss."""
        features, labels = self.next_batch()
        logits = self.model(features)
        loss = self.loss(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.clip_gradients()
        self.optimizer.step()
        return self.record(loss)

    def half_step(self) -> BegunStep:
        """Do the next part of a step: forward, loss, backward, and then what changes the weights.

        The four of them are `step`, bit for bit. Until the last is done, a Snapshot shows the run as it was
        before the first, so that only whole steps are saved. Whatever else trains or changes the run finishes
        the step first.
        """
        begun = self._begun or BegunStep(self.snapshot())
        if begun.done == 0:
            begun.features, begun.labels = self.next_batch()
            begun.logits = self.model(begun.features)
        elif begun.done == 1:
            begun.loss = self.loss(begun.logits, begun.labels)
        elif begun.done == 2:
            self.optimizer.zero_grad()
            begun.loss.backward()
            self.clip_gradients()
        else:
            self.optimizer.step()
            self._begun = None
            self.record(begun.loss)
        begun.done += 1
        self._begun = begun if begun.done < len(PARTS) else None
        return begun

    def finish_step(self) -> None:
        """Do what is left of a step that half-steps have begun."""
        while self._begun is not None:
            self.half_step()

    @property
    def begun_step(self) -> BegunStep | None:
        """The step that half-steps have begun, None between two steps."""
        return self._begun

    def advance(self, steps: int | None = None, seconds: float | None = None) -> Snapshot:
        """Train for so many batches or so many seconds, whichever ends first; then a Snapshot.

        However few the seconds, one batch is trained: a busy machine slows a run and never stops it.
        """
        last = math.inf if steps is None else self.steps + steps
        deadline = math.inf if seconds is None else time.perf_counter() + seconds
        if self.steps < last:
            self.finish_step()
        plain = bool(self._why_plain())
        while not self.ended and self.steps < last:
            if plain or not self._fast_step.train(self, self._before_edits(last), deadline):
                self.step()
            if time.perf_counter() >= deadline:
                break
        return self.snapshot()

    @property
    def why_plain(self) -> str:
        """Why `advance` takes plain steps only; "" if a run of some length gets the fast ones."""
        return self._why_plain() or self._fast_step.reason(self)

    @property
    def fast_steps(self) -> int:
        """How many batches the fast step has trained here."""
        return self._fast_step.steps

    @property
    def fast_step_source(self) -> str:
        """The fast step as readable source, what `loss.backward()` really does included; or ""."""
        return "" if self._why_plain() else self._fast_step.source(self)

    def _why_plain(self) -> str:
        if not self.fast:
            return "The fast step is switched off."
        if self._begun is not None:
            return "A step is begun by half-steps; the fast ones come after it."
        for name in PARTS_OF_A_STEP:
            if name in vars(self) or getattr(type(self), name) is not PARTS_OF_A_STEP[name]:
                return f"This Trainer has a {name} of its own."
        return ""

    @property
    def finished(self) -> bool:
        """Whether the epochs asked for are done, or a stop condition has ended the run before."""
        return 0 < self.epochs <= self.epoch or bool(self.stopping.reason)

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to train: finished or diverged."""
        return self.finished or bool(self.diverged)

    @property
    def why_ended(self) -> str:
        """The sentence of a run that diverged or that a stop condition ended; "" otherwise."""
        return self.diverged or self.stopping.reason

    @property
    def learning_rate(self) -> float:
        """The rate that the next step takes."""
        return self.learning_rates.get(self.steps, self.optimizer.param_groups[0]["lr"])

    def set_learning_rate(self, learning_rate: float) -> None:
        """Let the next step and those after it take this rate. The change is recorded.

        A schedule goes on from it at the end of the epoch.
        """
        self.finish_step()
        self.learning_rates[self.steps] = Config(learning_rate=learning_rate).learning_rate  # in range

    def edit_weight(self, key: str, index: tuple[int, ...], value: float) -> None:
        """Set one number of the parameter with this key, now. The edit is recorded: the script sets it too.

        `index` counts from 0. The optimizer's state stays as it is. A ToytrainError says what does not fit.
        """
        self.finish_step()
        shapes = {name: tuple(parameter.shape) for name, parameter in self._parameters.items()}
        place, value = check_edit(shapes, key, index, value)
        edited = merge(self.edits, {self.steps: {place: value}})
        if count(edited) > MOST_EDITS:
            raise ToytrainError(
                f"A run takes {MOST_EDITS:,} weights set by hand and no more; start a new run from its "
                "model.pth.",
                code="edit",
            )
        self.add_edits(edited)

    def add_edits(self, edits: Edits) -> None:
        """Take over what was recorded elsewhere; what belongs to a step still to come is done there."""
        self.edits = merge(self.edits, edits)
        self._do_edits()

    def _do_edits(self) -> None:
        """Set the weights that were set by hand after so many batches."""
        if self.steps in self.edits:
            with torch.no_grad():
                for (key, index), value in self.edits[self.steps].items():
                    self._parameters[key][index] = value
            self._last_finite.amend()

    def _before_edits(self, last: float) -> float:
        """How far steps lead to no edit: the step that does is a plain one, whose `record` sets it."""
        return min([last, *(step - 1 for step in self.edits if step > self.steps)])

    def next_batch(self):
        """The next features and labels, on the device; opens the epoch where one begins."""
        if self.diverged:
            raise ToytrainError(self.diverged)
        if self._begun is not None:
            raise RuntimeError("a step is begun: finish_step comes first")
        if self.steps in self.learning_rates:
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rates[self.steps]
        if self._batches is None:
            self._epoch_random_state = get_random_state(self.device)
            self._batches = iter(self.train_loader)
            self.model.train()
        features, labels = next(self._batches)
        return features.to(self.device), labels.to(self.device)

    def clip_gradients(self) -> None:
        """Scale the gradients down to the norm `clip_norm`, if one is set and theirs is larger."""
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)

    def record(self, loss: torch.Tensor) -> float:
        """Note the batch's loss and close the epoch where it ends; a loss that is not finite ends the run."""
        value = loss.item()
        if not math.isfinite(value):
            self._last_finite.put_back()
            self.diverged = (
                f"Diverged at epoch {self.epoch + 1}, batch {self.batch + 1}: the loss is not "
                "finite any more; lower the learning rate and reset."
            )
            return value
        self._last_finite.keep()
        self.losses.append(value)
        self.steps += 1
        self.batch += 1
        if self.batch == len(self.train_loader):
            self.epoch += 1
            self.batch = 0
            # The plain loop asks for a batch too many; a generator of the loader's own moves then.
            if self._batches is not None:
                next(self._batches, None)
            self._batches = None
            if self.test_loader is not None:
                found = self.evaluate(self.test_loader.dataset)
                self.tests.extend((self.steps, *found))
                self.stopping.look(*found)
            if self.schedule is not None:
                self.schedule.step()
        self._do_edits()
        return value

    def evaluate(self, dataset) -> tuple[float, float]:
        """Loss and score of a whole ToyDataset in eval mode, without any random number."""
        self.model.eval()
        with torch.no_grad():
            logits = self.model(dataset.features.to(self.device))
            labels = dataset.labels.to(self.device)
            found = self.task.loss(logits, labels).item(), self.task.score(logits, labels)
        self.model.train()
        return found

    def snapshot(self) -> Snapshot:
        """The run as it stands, copied to the CPU; within a step, as it stood before."""
        if self._begun is not None:
            return self._begun.before
        state = self.optimizer.state_dict()
        return Snapshot(
            config=self.config,
            data=self.data,
            task=self.task,
            model=self._structure,
            weights=_copied(self.model.state_dict()),
            initial_weights=self.initial_weights,
            optimizer_state=_copied(state),
            schedule_state=_copied(self.schedule.state_dict()) if self.schedule else {},
            random_state=get_random_state(self.device),
            epoch_random_state=self._epoch_random_state if self.batch else None,
            steps=self.steps,
            epoch=self.epoch,
            batch=self.batch,
            batches=len(self.train_loader),
            learning_rate=self.learning_rate,
            learning_rates=dict(self.learning_rates),
            edits=merge(self.edits, {}),
            loss_history=self.losses,
            test_history=self.tests,
            num_tests=len(self.tests) // 3,
            finished=self.finished,
            stopped=self.stopping.reason,
            diverged=self.diverged,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a Snapshot of the same Config, bit for bit as if it had never stopped.

        In the middle of an epoch the order of the batches is dealt again from the generator's state
        at the epoch's start, and the batches already done are passed over.
        """
        if not snapshot.optimizer_state:
            raise ToytrainError(
                "A bare state_dict holds weights only, from which no run can go on; take a full checkpoint."
            )
        self._begun = None
        self.model.load_state_dict(snapshot.weights)
        self.initial_weights = snapshot.initial_weights
        state = copy.deepcopy(snapshot.optimizer_state)
        for group, own in zip(state["param_groups"], self.optimizer.param_groups, strict=True):
            if "capturable" in own:  # which belongs to the device, and the device may be another one now
                group["capturable"] = own["capturable"]
        self.optimizer.load_state_dict(state)
        if self.schedule is not None:
            self.schedule.load_state_dict(copy.deepcopy(snapshot.schedule_state))
        self.steps, self.epoch, self.batch = snapshot.steps, snapshot.epoch, snapshot.batch
        # New arrays: Snapshots taken before share the old ones, of which they know a length.
        self.losses = History("f", snapshot.loss_history[: snapshot.steps])
        self.tests = History("d", snapshot.test_history[: 3 * snapshot.num_tests])
        self.stopping = self.stopping.again(self.tests[:])
        self.learning_rates = dict(snapshot.learning_rates)
        self.diverged = snapshot.diverged
        self._last_finite = _LastFinite(self.model)
        self.edits = {}
        self.add_edits(snapshot.edits)
        self._batches = None
        self._epoch_random_state = snapshot.epoch_random_state
        if snapshot.epoch_random_state is not None:
            set_random_state(snapshot.epoch_random_state, self.device)
            self._batches = iter(self.train_loader)
            for _ in range(self.batch):
                next(self._batches)
            self.model.train()
        set_random_state(snapshot.random_state, self.device)


def made_of(config: Config, model: torch.nn.Module) -> dict[str, Any]:
    """The arguments of a Trainer for this model that a Config decides alone, whatever the loaders are."""
    task = TASKS[config.task]
    optimizer = make_optimizer(config, model)
    return {
        "optimizer": optimizer,
        "loss": WithL1(task.loss, model, config.l1) if config.l1 else task.loss,
        "task": task,
        "epochs": config.epochs,
        "config": config,
        "schedule": make_schedule(config, optimizer),
        "clip_norm": config.clip_norm,
    }


def _under_keys_of(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a state_dict, in their order, by the model's keys: the numbers in those depend on
    dropout, the order does not. A ToytrainError names the first tensor that does not fit."""
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    given = [tuple(tensor.shape) for tensor in weights.values()]
    for key, there in zip_longest(expected, given):
        here = expected.get(key)
        if here != there:
            raise ToytrainError(
                f"These weights are of another network: {key or 'a tensor'} is {_size(there)} in them and "
                f"{_size(here)} in the network of these settings; change hidden or features.",
                code="unfit",
            )
    return dict(zip(expected, weights.values(), strict=True))


def _size(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else " x ".join(map(str, shape)) or "one number"


class WithL1:
    """A loss plus `strength` times the sum of the absolute weights (not biases) of Linear layers.

    Copied together with the model, it is a loss of the copy.
    """

    def __init__(self, loss, model: torch.nn.Module, strength: float):
        self.loss = loss
        self.strength = strength
        self.weights = [layer.weight for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
        if loss_key(loss) is not None:
            traceable(self, loss, strength)

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        penalty = self.strength * sum(weight.abs().sum() for weight in self.weights)
        return self.loss(logits, labels) + penalty


# What the fast step does in another way: a Trainer with another of these keeps to the plain step.
PARTS_OF_A_STEP = {
    name: vars(Trainer)[name] for name in ("step", "next_batch", "clip_gradients", "record", "evaluate")
}


class _LastFinite:
    """The weights after the last two steps, kept because a loss tells of bad weights a step late."""

    def __init__(self, model: torch.nn.Module):
        self._live = list(model.state_dict().values())
        self._newer = [tensor.clone() for tensor in self._live]
        self._older = [tensor.clone() for tensor in self._live]

    def keep(self) -> None:
        self._newer, self._older = self._older, self._newer
        for kept, live in zip(self._newer, self._live, strict=True):
            kept.copy_(live)

    def amend(self) -> None:
        """Note a change of the weights that no step has made."""
        for kept, live in zip(self._newer, self._live, strict=True):
            kept.copy_(live)

    def put_back(self) -> None:
        finite = all(tensor.isfinite().all() for tensor in self._newer)
        for kept, live in zip(self._newer if finite else self._older, self._live, strict=True):
            live.copy_(kept)


def _copied(value):
    """A deep copy with every tensor on the CPU, so that training on cannot change it."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
