"""Devices: what this machine can compute on (book, section A.9.1)."""

from dataclasses import dataclass

import torch

from .errors import ToytrainError


@dataclass(frozen=True)
class Device:
    """A device by PyTorch's name, and the reason where it cannot be used."""

    name: str
    available: bool
    reason: str = ""


def find_devices() -> list[Device]:
    """Every device a Config can name."""
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    return [
        Device("cpu", True),
        Device("cuda", cuda, "" if cuda else "PyTorch finds no NVIDIA GPU on this machine"),
        Device("mps", mps, "" if mps else "PyTorch finds no Apple GPU on this machine"),
    ]


def get_device(name: str) -> torch.device:
    """The device of that name, or a ToytrainError that says why it is not to be had."""
    for device in find_devices():
        if device.name == name and not device.available:
            raise ToytrainError(f"device = {name} is not there: {device.reason}; choose cpu.", "device")
    return torch.device(name)
