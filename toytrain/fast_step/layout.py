"""Where each parameter lies in the flat tensor of all, and the names of a model's tensors in the source."""

import keyword
from dataclasses import dataclass

import torch

from .batches import ALIGNMENT, round_up


@dataclass(frozen=True)
class Place:
    """A parameter's key in the state_dict, its shape, and its first entry in the flat tensor."""

    key: str
    shape: tuple[int, ...]
    start: int

    @property
    def end(self) -> int:
        return self.start + torch.Size(self.shape).numel()

    def view(self, flat: torch.Tensor) -> torch.Tensor:
        """The part of a flat tensor that belongs to this parameter, in its shape."""
        return flat[self.start : self.end].view(self.shape)


def places(model: torch.nn.Module) -> list[Place]:
    """A Place for each parameter, one after the other, each beginning as a new tensor would."""
    found = []
    start = 0
    for key, parameter in model.named_parameters():
        found.append(Place(key, tuple(parameter.shape), start))
        start = round_up(found[-1].end, ALIGNMENT // parameter.element_size())
    return found


def length(found: list[Place]) -> int:
    """How many entries the flat tensor has."""
    return found[-1].end


class Names:
    """Python names, each given once: `layers.0.weight` becomes `layers_0_weight`."""

    def __init__(self, *taken: str):
        self._taken = set(taken)

    def give(self, wish: str) -> str:
        """The wish as a Python name, with a number after it if something else has it already."""
        base = wish.strip("_").replace(".", "_") or "value"
        if not base.isidentifier() or keyword.iskeyword(base):
            base = f"layer_{base}"
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
