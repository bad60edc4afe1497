"""toytrain: what training a neural network is, on real PyTorch.

The vocabulary. PyTorch is imported when a name that needs it is first used, so that a page can
speak of Configs and errors without waiting for it.
"""

import importlib

_HOME = {
    "ToytrainError": "errors",
    "Config": "config",
    "ToyDataset": "data",
    "make_data": "data",
    "NeuralNetwork": "model",
    "Trainer": "trainer",
    "Snapshot": "snapshot",
    "compute_accuracy": "task",
}
__all__ = list(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
