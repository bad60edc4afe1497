"""Schedules of the learning rate by name: torch's own, stepped at the end of every epoch, as PyTorch's
documentation does (`scheduler.step()` after the loop over the batches).

torch's schedules make the next rate out of the present one. So a rate set by hand holds for the rest of
its epoch, and from there the schedule goes on with it.
"""

from array import array
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import lr_scheduler

from .config import Config

# The class of each schedule, and which setting is which argument of it.
CLASSES: dict[str, tuple[type[lr_scheduler.LRScheduler], dict[str, str]]] = {
    "step": (lr_scheduler.StepLR, {"step_size": "step_size", "gamma": "gamma"}),
    "cosine": (lr_scheduler.CosineAnnealingLR, {"T_max": "t_max"}),
    "warmup": (lr_scheduler.LinearLR, {"total_iters": "warmup_epochs"}),
}


def schedule_arguments(config: Config) -> tuple[type[lr_scheduler.LRScheduler], dict[str, Any]] | None:
    """The schedule's class and its arguments beside the optimizer; None where the rate is constant."""
    if config.schedule not in CLASSES:
        return None
    kind, settings = CLASSES[config.schedule]
    return kind, {argument: getattr(config, name) for argument, name in settings.items()}


def make_schedule(config: Config, optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler | None:
    """The schedule of a Config, None where the rate is constant. Warm-up lowers the rate at once."""
    found = schedule_arguments(config)
    return found[0](optimizer, **found[1]) if found else None


def schedule_state(config: Config, epoch: int, rate: float) -> dict[str, Any]:
    """The state_dict that the schedule of a Config has at the start of this epoch, after it set this rate."""
    schedule = make_schedule(config, torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate))
    if schedule is None:
        return {}
    return at_epoch(schedule.state_dict(), epoch) | {"_last_lr": [rate]}


def at_epoch(state: dict[str, Any], epoch: int) -> dict[str, Any]:
    """The state of a schedule, moved to the start of another epoch."""
    return {**state, "last_epoch": epoch, "_step_count": epoch + 1} if state else {}


class RateHistory:
    """Which learning rate each batch took: `rates[i]` from batch `steps[i]` on, counted from 0.

    It is computed from the Config and the changes by hand, by torch's own schedule beside the run, and goes
    on from where it was; so it may be asked often.
    """

    def __init__(self, config: Config, batches: int):
        """`batches` make an epoch."""
        self.steps = array("d")
        self.rates = array("d")
        self._batches = batches
        self._at = 0  # the batch before which something may happen next
        self._optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
        self._schedule = make_schedule(config, self._optimizer)
        self._optimizer.step()  # else torch would warn that the schedule comes before it

    def extend(self, steps: int, learning_rates: Mapping[int, float]) -> None:
        """Go on to the batches before `steps`; `learning_rates` maps a step to the rate set by hand there."""
        group = self._optimizer.param_groups[0]
        while self._at < steps:
            if self._schedule is not None and self._at and self._at % self._batches == 0:
                self._schedule.step()
            group["lr"] = learning_rates.get(self._at, group["lr"])
            if not self.rates or self.rates[-1] != group["lr"]:
                self.steps.append(self._at)
                self.rates.append(group["lr"])
            epoch_end = (self._at // self._batches + 1) * self._batches
            by_hand = (step for step in learning_rates if step > self._at)
            self._at = min(epoch_end, steps, *by_hand)
