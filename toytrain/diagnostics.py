"""Diagnostics: what a teacher looks at while a network learns: its weights, gradients and dead neurons.

All of it is computed from a Snapshot when somebody looks, in eval mode, without a random number and without
touching the run: no `.grad` is filled, and a run that nobody looks at pays nothing.
"""

import math

import torch
from torch.func import functional_call

from .config import Config
from .schedules import make_schedule
from .snapshot import Snapshot

BINS = 41  # of a histogram: odd, so that one of them is around 0
ROWS = 256  # training rows of which a gradient is taken: enough to be steady, few enough to be cheap
ACTIVE_ROWS = 1000  # training rows on which a neuron may show that it is alive
EPOCHS_AT_ONCE = 2000  # that a RateHistory follows at the most


def layer_names(snapshot: Snapshot) -> list[str]:
    """The state_dict keys of the weight matrices, from first to last."""
    return [name for name, _ in snapshot.model.named_parameters() if snapshot.weights[name].ndim == 2]


def compute_gradients(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    """The gradient of the loss on the first ROWS training rows, by name of the parameter (book, A.4).

    In eval mode and without the penalties of L1 and weight decay: what the data ask for.
    """
    data = snapshot.data
    if data is None:
        return {}
    features, labels = data.train.features[:ROWS], data.train.labels[:ROWS]
    with torch.enable_grad():
        parameters = {
            name: snapshot.weights[name].detach().clone().requires_grad_()
            for name, _ in snapshot.model.named_parameters()
        }
        logits = functional_call(snapshot.model, {**snapshot.weights, **parameters}, (features,))
        found = torch.autograd.grad(snapshot.task.loss(logits, labels), list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def layer_norms(snapshot: Snapshot, gradients: dict[str, torch.Tensor]) -> list[float]:
    """The Euclidean norm of the gradient of each Linear layer, weight and bias together."""
    norms = []
    for name in layer_names(snapshot):
        layer = name.rpartition(".")[0]
        parts = [gradients[key].norm() for key in (name, f"{layer}.bias")]
        norms.append(torch.stack(parts).norm().item())
    return norms


def histogram(values: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Counts (BINS,) over -reach to reach, and the reach: the greatest size, rounded up (see round_up).

    Numbers that are not finite are left out.
    """
    values = values.flatten()
    values = values[values.isfinite()]
    reach = round_up(values.abs().max().item()) if len(values) else 1.0
    return torch.histc(values, BINS, -reach, reach), reach


def round_up(size: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten, so that an axis does not move all the time."""
    if not 0 < size < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    return next((factor * power for factor in (1, 1.5, 2, 3, 5, 7.5) if size <= factor * power), 10 * power)


def compute_activity(snapshot: Snapshot) -> list[torch.Tensor]:
    """Per hidden layer the share (width,) of the first ACTIVE_ROWS training rows with each neuron above 0.

    A ReLU at 0 on every row is dead: no gradient reaches it, so it stays at 0.
    """
    if snapshot.data is None:
        return []
    hidden = snapshot.activations(snapshot.data.train.features[:ACTIVE_ROWS])[:-1]
    return [(values > 0).float().mean(dim=0) for values in hidden]


class RateHistory:
    """At which steps a run's learning rate changed, worked out again with torch's own schedule.

    Nothing has to be kept while nobody looks; who looks for the first time follows a long run in pieces.
    """

    def __init__(self, config: Config, batches: int):
        self._optimizer = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
        self._schedule = make_schedule(config, self._optimizer)
        self._optimizer.step()  # which a schedule wants to have seen; without a gradient it does nothing
        self._batches = batches
        self._epoch = 0
        self._changes = [(0, self._rate)]

    @property
    def _rate(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def follow(self, steps: int, by_hand: dict[int, float]) -> list[tuple[int, float]]:
        """Each (step, the rate from this step on) until `steps`; `by_hand` maps steps to rates set there."""
        if self._schedule is None:
            set_here = [(step, rate) for step, rate in sorted(by_hand.items()) if step <= steps]
            return [*self._changes, *set_here]
        last = min(steps // self._batches, self._epoch + EPOCHS_AT_ONCE)
        while self._epoch < last:
            self._changes += self._set_by_hand(by_hand)
            self._schedule.step()
            self._epoch += 1
            if self._rate != self._changes[-1][1]:
                self._changes.append((self._epoch * self._batches, self._rate))
        before = self._rate
        under_way = [change for change in self._set_by_hand(by_hand) if change[0] <= steps]
        self._optimizer.param_groups[0]["lr"] = before  # the epoch is not over: another rate may still be set
        return [*self._changes, *under_way]

    def lags(self, steps: int) -> bool:
        """Whether the run has ended epochs by step `steps` that were not followed yet."""
        return self._schedule is not None and self._epoch < steps // self._batches

    def _set_by_hand(self, by_hand: dict[int, float]) -> list[tuple[int, float]]:
        """Take the rates that were set in the epoch that begins now."""
        first = self._epoch * self._batches
        if not by_hand:
            return []
        found = sorted(
            (step, rate) for step, rate in by_hand.items() if first <= step < first + self._batches
        )
        for _, rate in found:
            self._optimizer.param_groups[0]["lr"] = rate
        return found
