"""Optimizers by name, with the settings each of them takes (book, section A.7)."""

import inspect
from typing import Any

import torch

from .config import Config

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], tuple[str, ...]]] = {
    "sgd": (torch.optim.SGD, ("momentum", "nesterov", "weight_decay")),
    "adam": (torch.optim.Adam, ("weight_decay",)),
    "adamw": (torch.optim.AdamW, ("weight_decay",)),
    "rmsprop": (torch.optim.RMSprop, ("momentum", "weight_decay")),
}


def optimizer_arguments(config: Config) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The optimizer's class, and the keyword arguments that differ from PyTorch's own defaults."""
    kind, names = OPTIMIZERS[config.optimizer]
    defaults = inspect.signature(kind).parameters
    arguments = {
        name: getattr(config, name) for name in names if getattr(config, name) != defaults[name].default
    }
    return kind, {"lr": config.learning_rate, **arguments}
