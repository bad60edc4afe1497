"""Schedules of the learning rate by name: torch's own, stepped at the end of every epoch, as PyTorch's
documentation does (`scheduler.step()` after the loop over the batches).

torch's schedules make the next rate out of the present one. So a rate set by hand holds for the rest of
its epoch, and from there the schedule goes on with it.
"""

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
