"""Runs an experiment of a section, and gives the source of what runs. PyTorch begins here."""

import importlib
import inspect
import textwrap
from types import ModuleType
from typing import Any

import torch

from .sections import SECTIONS
from .settings import Settings


def run(section: str, experiment: str, settings: Settings) -> dict[str, Any]:
    """What one experiment computes: values by the keys of figures, and more that its page shows.

    One that gives a list only is the figure of its own name. PyTorch's generators are afterwards as they
    were before.
    """
    if experiment not in SECTIONS[section].experiments:
        raise ValueError(f"{experiment} is no experiment of section {section}")
    with torch.random.fork_rng():
        computed = getattr(_module(section), experiment)(settings)
    return computed if isinstance(computed, dict) else {experiment: computed}


def sources() -> dict[str, str]:
    """The code of each section, by its key: what its module lists as SHOWN."""
    return {key: "\n\n\n".join(map(_source, _module(key).SHOWN)) for key in SECTIONS}


def _source(part: Any) -> str:
    return textwrap.dedent(inspect.getsource(part)).rstrip()


def _module(section: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.steps.{section}")
