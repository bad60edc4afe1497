"""Captured: on an NVIDIA GPU, the lines of Trainer.step as CUDA graphs.

There a step's time goes into starting some thirty kernels one by one. A CUDA graph is those starts, noted
once and repeated by a single call ("CUDA Graphs" in PyTorch's notes on CUDA semantics). Model, loss, autograd
and torch.optim are captured as they are, so the kernels are those of the plain step and nothing has to be
written anew. A graph holds fixed addresses and fixed numbers: so it trains copies, which stay where they
are, and another learning rate needs another graph.
"""

import copy
import math
import time
from collections.abc import Callable
from functools import partial

import torch

from ..random_state import get_random_state, set_random_state
from .batches import ResidentBatches
from .run import Run, Slice

MOST_AT_ONCE = 64  # steps between two looks at the losses, each of which waits for the GPU
WORTH = 50  # steps that a capture must be repeated for, to take less time than plain ones

# Of each parameter in turn; None where the loss does not depend on it.
Gradients = list[torch.Tensor | None]
Step = Callable[[], Gradients]  # trains on one batch


def warm_up(step: Step) -> None:
    """Run a step aside a few times, as PyTorch asks for before a capture."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)


def capture(step: Step) -> Step:
    """A step that starts all kernels of this one at once, without running Python's part of it again."""
    graph = torch.cuda.CUDAGraph()
    # The outer context gives the stream back where a capture fails.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
        gradients = step()

    def replay() -> Gradients:
        graph.replay()
        return gradients

    return replay


class Captured:
    """Copies of a run's model, loss and optimizer, and a graph per batch size that trains them.

    `load` copies a run in, `store` copies it back; between them it may be trained, compared or dropped.
    """

    source = ""  # the lines of Trainer.step are all there is to read

    def __init__(self, run: Run):
        before = get_random_state(run.device)
        # Together, because optimizer and loss may hold the model's weights.
        copies = copy.deepcopy((run.model, run.loss, run.optimizer))
        self._model, self._loss, self._optimizer = copies
        self._model.train()
        self._clip_norm = run.clip_norm
        self._device = run.device
        dataset = run.train_loader.dataset
        rows, size = len(dataset), run.train_loader.batch_size or 1  # type: ignore[arg-type]
        short = 0 if run.train_loader.drop_last else rows % size
        self._whole = rows // size  # full batches in an epoch
        # The batches of an epoch, and of the losses those that are done.
        self._batches = [self._places(tensor, self._whole, size) for tensor in _tensors(dataset)]
        self._short_batch = [self._places(tensor, 1, short) for tensor in _tensors(dataset)]
        self._losses = torch.zeros(
            self._whole + 1, dtype=next(self._model.parameters()).dtype, device=self._device
        )
        self._position = torch.zeros(1, dtype=torch.int64, device=self._device)
        self._brought: ResidentBatches | None = None
        self._gradients: Gradients = []
        self._captured: dict[bool, Step] = {}  # by whether the batch is a full one
        self._rate = math.nan  # the learning rate in these graphs
        self._repeated = WORTH  # steps since the last capture
        try:
            for is_full in [True] * bool(self._whole) + [False] * bool(short):
                warm_up(partial(self._first_step, is_full))
        finally:  # a failure too leaves the generator to the plain step
            set_random_state(before, run.device)

    def load(self, run: Run) -> float | None:
        """Copy a run in; None where its optimizer must take a step first. The number means nothing here."""
        theirs, mine = _state(run.model, run.optimizer), _state(self._model, self._optimizer)
        if [_form(tensor) for tensor in theirs] != [_form(tensor) for tensor in mine]:
            return None
        with torch.no_grad():
            torch._foreach_copy_(mine, theirs)
        return 0.0

    def store(self, run: Run, number: float) -> None:
        """Copy the run back, as the plain step would have left it, the last gradients included."""
        with torch.no_grad():
            torch._foreach_copy_(_state(run.model, run.optimizer), _state(self._model, self._optimizer))
        for parameter, gradient in zip(run.model.parameters(), self._gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()

    def equals(self, run: Run) -> bool:
        """Whether a run stands bit for bit where these copies stand."""
        pairs = zip(_state(self._model, self._optimizer), _state(run.model, run.optimizer), strict=True)
        return all(torch.equal(mine, theirs) for mine, theirs in pairs)

    def is_finite(self) -> bool:
        """Whether every weight and every buffer is a finite number."""
        tensors = [*self._model.parameters(), *self._model.buffers()]
        return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())

    def evaluate(self, features: torch.Tensor) -> torch.Tensor:
        """Logits in eval mode, on the device."""
        self._model.eval()
        logits = self._model(features.to(self._device))
        self._model.train()
        return logits

    def train(
        self, done: Slice, batches: ResidentBatches, rates: dict[int, float], last: float, deadline: float
    ) -> None:
        """Train the next batches of an epoch: until its end, `last` steps, the deadline or a bad loss.

        A learning rate that changes too often for captures ends the Slice, and the plain step takes over.
        """
        if batches is not self._brought:
            self._bring(batches)
        self._position.fill_(done.batch)
        while done.batch < len(batches) and done.steps < last and not done.late:
            is_full = done.batch < self._whole
            rate = rates.get(done.steps, done.learning_rate)
            step = self._captured_step(is_full, rate)
            if step is None:
                done.declined = done.late = True
                return
            count = self._whole - done.batch if is_full else 1
            count = int(min(count, MOST_AT_ONCE, last - done.steps))
            count = min([count, *(changed - done.steps for changed in rates if changed > done.steps)])
            for _ in range(count):
                self._gradients = step()
            losses = self._losses[done.batch : done.batch + count].tolist()
            if not all(map(math.isfinite, losses)):
                done.finite = False
                return
            done.losses.extend(losses)
            done.batch += count
            done.steps += count
            done.learning_rate = rate
            self._repeated += count
            done.late = time.perf_counter() >= deadline

    def _captured_step(self, is_full: bool, rate: float) -> Step | None:
        """The graph for such a batch at this learning rate; None where a new one is not worth it."""
        if rate != self._rate:
            if self._repeated < WORTH:
                self._repeated = WORTH  # after the plain steps that come now, it may be worth one again
                return None
            self._captured.clear()
            self._rate, self._repeated = rate, 0
            for group in self._optimizer.param_groups:
                group["lr"] = rate
        if is_full not in self._captured:
            before = get_random_state(self._device)
            self._captured[is_full] = capture(partial(self._step, is_full))
            set_random_state(before, self._device)
        return self._captured[is_full]

    def _first_step(self, is_full: bool) -> Gradients:
        self._position.zero_()
        return self._step(is_full)

    def _step(self, is_full: bool) -> Gradients:
        """Trainer.step on the batch at `position`, with nothing in it that waits for the GPU."""
        if is_full:
            features, labels = (places.index_select(0, self._position)[0] for places in self._batches)
        else:
            features, labels = (places[0].clone() for places in self._short_batch)
        logits = self._model(features)
        loss = self._loss(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()
        if self._clip_norm:
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        self._optimizer.step()
        self._losses.index_copy_(0, self._position, loss.detach().view(1))
        self._position.add_(1)
        return [parameter.grad for parameter in self._model.parameters()]

    def _bring(self, batches: ResidentBatches) -> None:
        """Copy an epoch's batches to the device, all at once."""
        for places, short, found in zip(
            self._batches, self._short_batch, (batches.features, batches.labels), strict=True
        ):
            if self._whole:
                places.copy_(torch.stack(found[: self._whole]))
            if len(found) > self._whole:
                short[0].copy_(found[-1])
        self._brought = batches

    def _places(self, tensor: torch.Tensor, count: int, size: int) -> torch.Tensor:
        """Room on the device for so many batches of a Dataset's tensor (n, ...)."""
        return torch.zeros(count, size, *tensor.shape[1:], dtype=tensor.dtype, device=self._device)


def _tensors(dataset) -> tuple[torch.Tensor, torch.Tensor]:
    return dataset.features, dataset.labels


def _state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """All tensors that a step changes: parameters, buffers, and what the optimizer remembers."""
    remembered = [
        value
        for parameter in model.parameters()
        for _, value in sorted(optimizer.state.get(parameter, {}).items())
        if isinstance(value, torch.Tensor)
    ]
    return [*model.parameters(), *model.buffers(), *remembered]


def _form(tensor: torch.Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return tensor.shape, tensor.dtype, tensor.device
