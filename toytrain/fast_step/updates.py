"""The arithmetic of PyTorch's optimizers as lines over flat tensors: the operations of
torch.optim's single-tensor functions (`_single_tensor_sgd`, `_single_tensor_adam`, ...) in their order.

In the lines `parameters` and `gradients` are the flat tensors, `learning_rate` and `number` (how many
steps the optimizer has taken, this one included) are numbers; the names of `state` are torch's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Update:
    """An optimizer's step as text. `state` names its flat tensors, `memory` those it fills anew each
    step; `counts` says whether torch keeps the number of steps with each parameter."""

    lines: tuple[str, ...]
    state: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    counts: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the lines use for themselves."""
        return (*self.state, *self.memory, "step_size")


def sgd(group: dict[str, Any]) -> Update:
    lines, memory, gradients = _decayed(group)
    if not group["momentum"]:
        return Update((*lines, f"parameters.add_({gradients}, alpha=-learning_rate)"), memory=memory)
    lines += [
        f"momentum_buffer.mul_({group['momentum']!r})",
        f"momentum_buffer.add_({gradients}, alpha={1 - group['dampening']!r})",
    ]
    direction = "momentum_buffer"
    if group["nesterov"]:
        direction, memory = "ahead", (*memory, "ahead")
        lines.append(f"torch.add({gradients}, momentum_buffer, alpha={group['momentum']!r}, out=ahead)")
    lines.append(f"parameters.add_({direction}, alpha=-learning_rate)")
    return Update(tuple(lines), ("momentum_buffer",), memory)


def adam(group: dict[str, Any]) -> Update:
    """Adam, and AdamW, whose weight decay does not pass through the gradient."""
    beta1, beta2 = group["betas"]
    decay = group["weight_decay"]
    if group["decoupled_weight_decay"]:
        lines, memory, gradients = _decayed({**group, "weight_decay": 0})
        lines += [f"parameters.mul_(1 - learning_rate * {decay!r})"] if decay else []
    else:
        lines, memory, gradients = _decayed(group)
    lines += [
        f"exp_avg.lerp_({gradients}, {1 - beta1!r})",
        f"exp_avg_sq.mul_({beta2!r})",
        f"exp_avg_sq.addcmul_({gradients}, {gradients}, value={1 - beta2!r})",
        f"step_size = learning_rate / (1 - {beta1!r} ** number)",
        "torch.sqrt(exp_avg_sq, out=denominator)",
        f"denominator.div_((1 - {beta2!r} ** number) ** 0.5)",
        f"denominator.add_({group['eps']!r})",
        "parameters.addcdiv_(exp_avg, denominator, value=-step_size)",
    ]
    return Update(tuple(lines), ("exp_avg", "exp_avg_sq"), (*memory, "denominator"), counts=True)


def rmsprop(group: dict[str, Any]) -> Update:
    lines, memory, gradients = _decayed(group)
    lines += [
        f"square_avg.mul_({group['alpha']!r})",
        f"square_avg.addcmul_({gradients}, {gradients}, value={1 - group['alpha']!r})",
        "torch.sqrt(square_avg, out=average)",
        f"average.add_({group['eps']!r})",
    ]
    memory = (*memory, "average")
    if not group["momentum"]:
        lines.append(f"parameters.addcdiv_({gradients}, average, value=-learning_rate)")
        return Update(tuple(lines), ("square_avg",), memory, counts=True)
    lines += [
        f"momentum_buffer.mul_({group['momentum']!r})",
        f"momentum_buffer.addcdiv_({gradients}, average)",
        "parameters.add_(momentum_buffer, alpha=-learning_rate)",
    ]
    return Update(tuple(lines), ("square_avg", "momentum_buffer"), memory, counts=True)


UPDATES: dict[type[torch.optim.Optimizer], Callable[[dict[str, Any]], Update]] = {
    torch.optim.SGD: sgd,
    torch.optim.Adam: adam,
    torch.optim.AdamW: adam,
    torch.optim.RMSprop: rmsprop,
}


def _decayed(group: dict[str, Any]) -> tuple[list[str], tuple[str, ...], str]:
    """Lines that add the weight decay, the memory they need, and what the gradients then are called."""
    if not group["weight_decay"]:
        return [], (), "gradients"
    line = f"torch.add(gradients, parameters, alpha={group['weight_decay']!r}, out=decayed)"
    return [line], ("decayed",), "decayed"
