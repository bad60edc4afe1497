"""PyTorch's global generators as a value: a run's weights, order and dropout all come from them."""

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
