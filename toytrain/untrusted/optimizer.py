"""Whether an optimizer's state belongs to a network and to the settings of its run.

PyTorch loads a state of wrong shapes without a word and fails at the next step. Here the state is
put together anew from what the Config says; of the file only the tensors and the learning rate
are taken, and everything else in it must be what the Config says.
"""

import inspect
import math
from typing import Any

import torch

from ..config import Config
from ..optimizers import optimizer_arguments
from ..schedules import schedule_state
from .refusals import Cause, refusal
from .tensors import StoredTensor
from .whole import is_learning_rate

SHAPELESS = "step"  # how many steps a parameter has taken: a single number
SQUARES = ("exp_avg_sq", "square_avg")  # of which a root is taken
EXACT_STEPS = 2**24  # float32 counts no further


def read_optimizer_state(
    value: object,
    config: Config,
    parameters: list[torch.Tensor],
    steps: int,
    diverged: bool,
    rates: dict[int, float],
) -> dict:
    """The optimizer's state_dict; {} if the checkpoint was made of weights alone.

    `rates` are the run's changes of the learning rate. A run that diverged may hold nan and has tried
    one step more than it counts.
    """
    if type(value) is not dict:
        raise refusal(Cause.OPTIMIZER)
    if not value and not steps:
        return {}
    if value.keys() != {"state", "param_groups"}:
        raise refusal(Cause.OPTIMIZER)
    rate = _read_rate(value["param_groups"], _permitted_rates(config, steps, diverged, rates))
    group = _read_group(value["param_groups"][0], config, len(parameters), rate)
    state = _read_state(value["state"], config, parameters, steps, diverged)
    return {"state": state, "param_groups": [group]}


def read_schedule_state(value: object, config: Config, epoch: int) -> dict:
    """The schedule's state_dict, which Config and epoch decide but for the rate; {} where there is none."""
    if type(value) is not dict:
        raise refusal(Cause.OPTIMIZER)
    if not value:
        return {}
    last = value.get("_last_lr")
    if type(last) is not list or len(last) != 1 or not _is_scheduled_rate(last[0]):
        raise refusal(Cause.OPTIMIZER)
    expected = schedule_state(config, epoch, last[0])
    if value.keys() != expected.keys():
        raise refusal(Cause.OPTIMIZER)
    for name, setting in expected.items():
        if type(value[name]) is not type(setting) or value[name] != setting:
            raise refusal(Cause.OPTIMIZER)
    return expected


def _is_scheduled_rate(value: object) -> bool:
    """Whether a schedule may have led to this rate: it may go down to 0, and with a cosine far up."""
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def _permitted_rates(
    config: Config, steps: int, diverged: bool, rates: dict[int, float]
) -> set[float] | None:
    """The rate of the last step taken; where one step more was tried, that step's too. None: a schedule
    has led to it, which only the run itself can tell."""
    if config.schedule != "constant":
        return None
    before = [step for step in rates if step < steps]
    permitted = {rates[max(before)] if before else config.learning_rate}
    if diverged and steps in rates:
        permitted.add(rates[steps])
    return permitted


def _read_rate(groups: object, permitted: set[float] | None) -> float:
    if type(groups) is not list or len(groups) != 1 or type(groups[0]) is not dict:
        raise refusal(Cause.OPTIMIZER)
    rate: Any = groups[0].get("lr")
    fits = _is_scheduled_rate(rate) if permitted is None else is_learning_rate(rate) and rate in permitted
    if not fits:
        raise refusal(
            Cause.OPTIMIZER,
            "This checkpoint's optimizer has another learning rate than its settings; save it again.",
        )
    return float(rate)


def _read_group(group: dict, config: Config, count: int, rate: float) -> dict:
    """The settings of the one parameter group: the optimizer's own, with the Config's put in."""
    kind, arguments = optimizer_arguments(config)
    signature = inspect.signature(kind).parameters
    own = {name: parameter.default for name, parameter in signature.items() if name != "params"}
    # Adam and AdamW are one class inside, told apart by this since PyTorch 2.6.
    own |= {"decoupled_weight_decay": kind is torch.optim.AdamW} | arguments | {"lr": rate}
    if config.schedule != "constant":
        own["initial_lr"] = config.learning_rate  # which torch's schedules note here
    own["params"] = list(range(count))
    for name, setting in group.items():
        is_older = name == "capturable" and setting is False  # so runs on a GPU had it at first
        if name not in own or (setting != own[name] and not is_older):
            raise refusal(Cause.OPTIMIZER)
    if "params" not in group:
        raise refusal(Cause.OPTIMIZER)
    missing = {name: own[name] for name in signature if name not in group and name != "params"}
    return {name: own[name] for name in group} | missing


def _read_state(
    value: object, config: Config, parameters: list[torch.Tensor], steps: int, diverged: bool
) -> dict[int, dict[str, torch.Tensor]]:
    """What the optimizer remembers of each parameter, once it has taken a step."""
    names = _remembered(config)
    if type(value) is not dict:
        raise refusal(Cause.OPTIMIZER)
    if not names or not steps:
        # An untrained run remembers nothing, unless its very first step diverged.
        if not value:
            return {}
        if not names or not diverged:
            raise refusal(Cause.OPTIMIZER)
    if value.keys() != set(range(len(parameters))):
        raise refusal(Cause.OPTIMIZER)
    state = {}
    for number, parameter in enumerate(parameters):
        kept = value[number]
        if type(kept) is not dict or kept.keys() != set(names):
            raise refusal(Cause.OPTIMIZER)
        state[number] = {name: _read_tensor(kept[name], name, parameter, steps, diverged) for name in kept}
    return state


def _remembered(config: Config) -> tuple[str, ...]:
    if config.optimizer in ("adam", "adamw"):
        return "step", "exp_avg", "exp_avg_sq"
    momentum = ("momentum_buffer",) if config.momentum else ()
    return ("step", "square_avg", *momentum) if config.optimizer == "rmsprop" else momentum


def _read_tensor(
    value: object, name: str, parameter: torch.Tensor, steps: int, diverged: bool
) -> torch.Tensor:
    shape = () if name == SHAPELESS else tuple(parameter.shape)
    if type(value) is not StoredTensor or value.dtype != torch.float32 or value.shape != shape:
        raise refusal(Cause.OPTIMIZER)
    tensor = value.read()
    if name == SHAPELESS:
        _check_steps(tensor.item(), steps, diverged)
    elif not diverged:
        # Squares overflow long before the weights do: such a run hardly moves any more, and goes on.
        if tensor.isnan().any() or (name not in SQUARES and tensor.isinf().any()):
            raise refusal(
                Cause.NONFINITE, "This checkpoint's optimizer state is not finite; take an earlier one."
            )
        if name in SQUARES and (tensor < 0).any():
            raise refusal(Cause.OPTIMIZER)
    return tensor


def _check_steps(taken: float, steps: int, diverged: bool) -> None:
    """The optimizer has taken the run's steps. (At -1 the next step would divide by zero.)"""
    if taken not in {float(min(count, EXACT_STEPS)) for count in (steps, steps + diverged)}:
        raise refusal(Cause.OPTIMIZER)
