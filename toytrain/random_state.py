"""PyTorch's global generators as a value: a run's weights, order and dropout all come from them."""

import contextlib
from collections.abc import Iterator

import torch

RandomState = dict[str, torch.Tensor]


def get_random_state(device: torch.device) -> RandomState:
    """The state of the CPU's generator and, where the run is elsewhere, of the device's."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Put the generators where they were. A state without the device's part leaves that part."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


class OwnRandomState:
    """A generator state that is in force within `with own():` and kept outside.

    It begins as `state`, or else as what is in force when it is first entered.
    """

    def __init__(self, device: torch.device, state: RandomState | None = None):
        self.device = device
        self.state = state

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        before = get_random_state(self.device)
        if self.state is not None:
            set_random_state(self.state, self.device)
        try:
            yield
        finally:
            self.state = get_random_state(self.device)
            set_random_state(before, self.device)
