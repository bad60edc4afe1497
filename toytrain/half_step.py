"""A step cut into its parts: what a begun step has found so far, and which lines of the source they are.

`Trainer.half_step` does the parts; here is what they leave behind for somebody to look at.
"""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .snapshot import Snapshot

# Each part with the first and the last of its lines in Trainer.step, as they begin.
PARTS = {
    "forward": ("features, labels = self.next_batch()", "logits = self.model(features)"),
    "loss": ("loss = self.loss(logits, labels)", "loss = self.loss(logits, labels)"),
    "backward": ("self.optimizer.zero_grad()", "self.clip_gradients()"),
    "optimizer step": ("self.optimizer.step()", "return self.record(loss)"),
}


@dataclass
class BegunStep:
    """What the parts done so far have found. `done` counts them, `before` is the run before the first.

    `features` (B, inputs), `labels` (B,) or (B, 1), `logits` (B, outputs), `loss` (); the gradients and
    the weights are in the model.
    """

    before: Snapshot
    done: int = 0
    features: Any = None
    labels: Any = None
    logits: Any = None
    loss: Any = None

    @property
    def part(self) -> str:
        """The part done last: a key of PARTS."""
        return list(PARTS)[self.done - 1]

    def tensors(self, model: torch.nn.Module) -> dict[str, torch.Tensor]:
        """What the part done last has made or changed, by name, copied to the CPU.

        forward: features, labels, logits; loss: logits, labels, loss; backward: each parameter's gradient,
        as `layers.0.weight.grad`; optimizer step: each parameter, as `layers.0.weight`.
        """
        found = {
            "forward": {"features": self.features, "labels": self.labels, "logits": self.logits},
            "loss": {"logits": self.logits, "labels": self.labels, "loss": self.loss},
            "backward": {f"{key}.grad": tensor.grad for key, tensor in model.named_parameters()},
            "optimizer step": dict(model.named_parameters()),
        }[self.part]
        return {
            name: tensor.detach().to("cpu", copy=True) for name, tensor in found.items() if tensor is not None
        }


def source_and_lines(step: Callable[..., float], part: str) -> tuple[str, int, int]:
    """The source of Trainer.step, and a part's lines in it: from, and up to but without, counted from 0."""
    source = textwrap.dedent(inspect.getsource(step))
    lines = [line.strip() for line in source.splitlines()]
    first, last = PARTS[part]
    return source, lines.index(first), lines.index(last) + 1
