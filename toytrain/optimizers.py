"""Optimizers by name (book, section A.7)."""

import inspect
from typing import Any

import torch

from .config import OPTIMIZERS, Config

CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimizer(config: Config, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a Config, which trains every parameter of the model."""
    kind, arguments = optimizer_arguments(config)
    return kind(model.parameters(), **arguments)


def optimizer_arguments(config: Config) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The optimizer's class, and the keyword arguments that differ from PyTorch's own defaults."""
    kind = CLASSES[config.optimizer]
    defaults = inspect.signature(kind).parameters
    arguments = {
        name: getattr(config, name)
        for name in OPTIMIZERS[config.optimizer]
        if getattr(config, name) != defaults[name].default
    }
    if config.device == "cuda" and "capturable" in defaults:
        arguments["capturable"] = True  # counts its steps on the GPU, so that a CUDA graph can hold one
    return kind, {"lr": config.learning_rate, **arguments}
