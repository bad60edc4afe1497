"""Compiled: the functions of a traced step, and the flat tensors that they work on."""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType
from typing import Any

import torch

from ..data import ToyDataset
from .batches import ResidentBatches
from .layout import length, places
from .reasons import loss_key
from .run import Run, Slice
from .source import write_evaluation, write_step
from .updates import UPDATES, Update

MOST_SOURCES = 256
# PyTorch counts an optimizer's steps in float32, which stands still here.
LAST_NUMBER = 2.0**24
ONE = torch.ones(())

_sources: dict[Hashable, tuple[str, CodeType]] = {}


def structure(run: Run) -> Hashable:
    """All of a run that its Compiled depends on: everything but the numbers in its tensors."""
    loaders = [loader for loader in (run.train_loader, run.test_loader) if loader is not None]
    return (
        _parts(run.model),
        loss_key(run.loss),
        _update(run.optimizer),
        run.clip_norm,
        tuple((loader.batch_size, loader.drop_last, *_forms(loader.dataset)) for loader in loaders),
    )


@dataclass(eq=False)
class Compiled:
    """A step per batch of an epoch, an evaluation, and the tensors that both work on.

    `load` copies a run into the tensors, `store` copies it back; between them a run may be trained,
    compared or dropped.
    """

    update: Update
    views: list[torch.Tensor]  # of the flat parameters, in the order of model.parameters()
    gradients: list[torch.Tensor]
    state: dict[str, list[torch.Tensor]]
    buffers: dict[str, torch.Tensor]
    namespace: dict[str, Any]
    steps: list[Callable[..., float]] = field(default_factory=list)  # one per batch of an epoch
    evaluate: Callable[[torch.Tensor], torch.Tensor] = field(init=False)  # set where there is test data
    source: str = ""

    @classmethod
    def of(cls, run: Run) -> "Compiled":
        """Trace and compile what a run needs. Nothing of the run changes, its random state included."""
        compiled = cls._empty(run.model, _update(run.optimizer))
        rows, size = len(run.train_loader.dataset), run.train_loader.batch_size or 1  # type: ignore[arg-type]
        if whole := rows // size:
            compiled.steps = [compiled._compile_step(run, size)] * whole
        if rows % size and not run.train_loader.drop_last:
            compiled.steps.append(compiled._compile_step(run, rows % size))
        if run.test_loader is not None:
            dataset: Any = run.test_loader.dataset
            key = (_parts(run.model), *_forms(dataset))
            _, code = _cached(key, lambda: write_evaluation(run.model, dataset.features))
            compiled.evaluate = compiled._run(code)["evaluate"]
        return compiled

    def _compile_step(self, run: Run, size: int) -> Callable[..., float]:
        """The step for batches of this size; the source is that of the first one asked for."""
        dataset: Any = run.train_loader.dataset
        batch = ToyDataset(dataset.features[:size], dataset.labels[:size])
        key = (_parts(run.model), *_forms(batch), loss_key(run.loss), self.update, run.clip_norm)
        text, code = _cached(
            key,
            lambda: write_step(run.model, run.loss, self.update, batch.features, batch.labels, run.clip_norm),
        )
        self.source = self.source or text
        return self._run(code)["step"]

    @classmethod
    def _empty(cls, model: torch.nn.Module, update: Update) -> "Compiled":
        found = places(model)
        dtype = next(model.parameters()).dtype
        flat = {
            name: torch.zeros(length(found), dtype=dtype)
            for name in ("parameters", "gradients", *update.state)
        }
        views = {name: [place.view(tensor) for place in found] for name, tensor in flat.items()}
        buffers = {key: buffer.clone() for key, buffer in model.named_buffers()}
        return cls(
            update,
            views["parameters"],
            views["gradients"],
            {name: views[name] for name in update.state},
            buffers,
            {"torch": torch, "buffers": buffers, **flat},
        )

    def _run(self, code: CodeType) -> dict[str, Any]:
        """The names that a source defines, on these tensors."""
        namespace = dict(self.namespace)
        exec(code, namespace)
        return namespace

    def load(self, run: Run) -> float | None:
        """Copy a run in; how many steps its optimizer has taken, or None where it must take one first."""
        number = self._number(run)
        if number is None:
            return None
        with torch.no_grad():
            for index, parameter in enumerate(run.model.parameters()):
                self.views[index].copy_(parameter)
                for name, views in self.state.items():
                    views[index].copy_(run.optimizer.state[parameter][name])
            for key, buffer in run.model.named_buffers():
                self.buffers[key].copy_(buffer)
        return number

    def _number(self, run: Run) -> float | None:
        states = [run.optimizer.state.get(parameter, {}) for parameter in run.model.parameters()]
        for state, view in zip(states, self.views, strict=True):
            if not all(_fits(state.get(name), view) for name in self.state):
                return None
        if not self.update.counts:
            return 0.0
        if not all(_fits(state.get("step"), ONE) for state in states):
            return None
        numbers = {state["step"].item() for state in states}
        return numbers.pop() if len(numbers) == 1 else None

    def train(
        self, done: Slice, batches: ResidentBatches, rates: dict[int, float], last: float, deadline: float
    ) -> None:
        """Train the next batches of an epoch: until its end, `last` steps, the deadline or a bad loss."""
        # The loop that everything else is for; what it touches is local.
        number, steps, rate = done.number, done.steps, done.learning_rate
        clock, isfinite = time.perf_counter, math.isfinite
        left = None if math.isinf(last) else int(last) - steps
        epoch = zip(self.steps, batches.features, batches.labels, strict=True)
        with torch.inference_mode():
            for step, features, labels in islice(
                epoch, done.batch, None if left is None else done.batch + left
            ):
                rate = rates.get(steps, rate)
                number = min(number + 1, LAST_NUMBER)
                loss = step(features, labels, rate, number)
                steps += 1
                if not isfinite(loss):
                    done.finite = False
                    break
                done.losses.append(loss)
                if clock() >= deadline:
                    done.late = True
                    break
        done.batch += steps - done.steps
        done.number, done.steps, done.learning_rate = number, steps, rate

    def store(self, run: Run, number: float) -> None:
        """Copy the run back, as the plain step would have left it, the last gradients included."""
        with torch.no_grad():
            for index, parameter in enumerate(run.model.parameters()):
                parameter.copy_(self.views[index])
                parameter.grad = self.gradients[index].clone()
                for name, views in self.state.items():
                    run.optimizer.state[parameter][name].copy_(views[index])
                if self.update.counts:
                    run.optimizer.state[parameter]["step"].fill_(number)
            for key, buffer in run.model.named_buffers():
                buffer.copy_(self.buffers[key])

    def equals(self, run: Run) -> bool:
        """Whether a run stands bit for bit where these tensors stand."""
        return (
            all(map(torch.equal, self.views, run.model.parameters()))
            and all(torch.equal(tensor, run.model.get_buffer(key)) for key, tensor in self.buffers.items())
            and all(
                torch.equal(view, run.optimizer.state[parameter][name])
                for name, views in self.state.items()
                for view, parameter in zip(views, run.model.parameters(), strict=True)
            )
        )

    def is_finite(self) -> bool:
        """Whether every weight and every buffer is a finite number."""
        # The flat tensor first, because it is one; what lies between its parts means nothing.
        weights = [self.namespace["parameters"]]
        if not weights[0].isfinite().all():
            weights = self.views
        return all(bool(tensor.isfinite().all()) for tensor in (*weights, *self.buffers.values()))


def _cached(key: Hashable, write: Callable[[], str]) -> tuple[str, CodeType]:
    """A source and its code object, which runs of equal parts share; the oldest are forgotten."""
    if key not in _sources:
        if len(_sources) >= MOST_SOURCES:
            del _sources[next(iter(_sources))]
        text = write()
        _sources[key] = text, compile(text, "<fast step>", "exec")
    return _sources[key]


def _parts(model: torch.nn.Module) -> Hashable:
    """What a trace of a model depends on."""
    return (
        tuple((key, type(m), type(m).forward, m.extra_repr()) for key, m in model.named_modules()),
        tuple((key, parameter.dtype) for key, parameter in model.named_parameters()),
        torch.get_default_dtype(),
    )


def _update(optimizer: torch.optim.Optimizer) -> Update:
    return UPDATES[type(optimizer)](optimizer.param_groups[0])


def _forms(dataset: Any) -> list[tuple[torch.Size, torch.dtype]]:
    return [(tensor.shape, tensor.dtype) for tensor in (dataset.features, dataset.labels)]


def _fits(value: Any, view: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == view.shape and value.dtype == view.dtype
