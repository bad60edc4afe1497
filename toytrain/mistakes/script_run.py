"""ScriptRun: an exported script, run one batch at a time.

What runs is the text that can be downloaded, line by line; its loop only stops for a moment where the
script prints a batch. So a mistake does in the lab exactly what it does in the script, errors included.
"""

import ast
import traceback
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .probes import PROBES

FILE = "toytrain_run.py"  # what the script is called as a download, and in its errors
MOST_READINGS = 20_000


class ScriptRun:
    """A script of `write_scripts`, and how far it has come.

    `losses` holds each batch loss (float32), `scores` a row per epoch: batches so far, loss and accuracy of
    the training data, loss and accuracy of the test data. `readings` maps a probe to its rows: batches so
    far, then a number per curve. `error` is the sentence with which the script has broken off, `line` the
    number of the line at which it did. The run has a random generator of its own: nothing else moves it, and
    no probe draws from it.
    """

    def __init__(self, source: str, probes: tuple[str, ...] = tuple(PROBES)):
        self.source = source
        self.names: dict[str, Any] = {"__name__": "toytrain_run", "print": self._print}
        self.steps = self.epoch = self.batch = 0
        self.losses = array("f")
        self.scores: list[tuple[float, ...]] = []
        self.readings: dict[str, list[tuple[float, ...]]] = {}
        self.ended = False
        self.error = ""
        self.line = 0
        self._probes: dict[str, Callable[[], tuple[float, ...]]] = {}
        self._printed = ""
        setup, train = _taken_apart(source)
        with torch.random.fork_rng(devices=[]):
            self._attempt(lambda: exec(setup, self.names))
            if not self.error:
                exec(train, self.names)
                for name in probes:
                    read = PROBES[name].attach(self)
                    if read is not None:
                        self._probes[name], self.readings[name] = read, []
            self._random_state = torch.get_rng_state()
        self._batches: Iterator[None] = iter(()) if self.error else self.names["train"]()

    def step(self) -> None:
        """Train one batch, and where it ends an epoch, evaluate. Nothing happens once the script is over."""
        if self.ended:
            return
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._random_state)
            self._attempt(lambda: next(self._batches))
            self._random_state = torch.get_rng_state()
            if not self.ended:
                self._note()

    @property
    def batches(self) -> int:
        """How many batches an epoch has; 0 where the script broke off before it had a DataLoader."""
        return len(self.names["train_loader"]) if "train_loader" in self.names else 0

    @property
    def local(self) -> dict[str, Any]:
        """The names within the training loop: features, labels, logits and loss of the batch."""
        frame = getattr(self._batches, "gi_frame", None)
        return frame.f_locals if frame else {}

    @property
    def diverged(self) -> str:
        """What the script printed when its loss was not finite any more."""
        return self._printed if self._printed.startswith("Diverged") else ""

    def _note(self) -> None:
        self.losses.append(self.names["losses"][-1])
        self.steps += 1
        self.batch += 1
        ends_epoch = self.batch == self.batches
        if ends_epoch:
            self.epoch, self.batch = self.epoch + 1, 0
            self.scores.append((self.steps, *map(_number, self.names["scores"][-1])))
        for name, read in self._probes.items():
            if ends_epoch or PROBES[name].each_batch:
                rows = self.readings[name]
                rows.append((self.steps, *read()))
                del rows[: len(rows) - MOST_READINGS]
        if ends_epoch and self.epoch == self.names["num_epochs"]:
            self.ended = True

    def _attempt(self, run: Callable[[], Any]) -> None:
        """Run a part of the script. Whatever it raises is its own end, and part of the lesson."""
        try:
            run()
        except StopIteration:
            self.ended = True
        except Exception as error:
            self.ended = True
            self.error = f"{type(error).__name__}: {error}"
            lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == FILE]
            self.line = lines[-1] or 0 if lines else 0

    def _print(self, *values: Any) -> None:
        self._printed = " ".join(map(str, values))


def _number(score: Any) -> float:
    return score.item() if isinstance(score, torch.Tensor) else score


def _taken_apart(source: str) -> tuple[Any, Any]:
    """The code before training, and `train` as a generator that stops after each batch.

    Where a batch ends an epoch, it stops after the epoch has been evaluated. Every line keeps its number.
    """
    module = ast.parse(source, FILE)
    at = next(
        number
        for number, node in enumerate(module.body)
        if isinstance(node, ast.FunctionDef) and node.name == "train"
    )
    train = module.body[at]
    epochs = next(node for node in ast.walk(train) if isinstance(node, ast.For))
    batches = next(node for node in epochs.body if isinstance(node, ast.For))
    inside = ast.parse("if batch_idx + 1 < len(train_loader):\n    yield").body
    batches.body[_position_of_print(batches.body) + 1 : 0] = inside
    epochs.body.extend(ast.parse("yield").body)
    for node in (*inside, epochs.body[-1]):
        for part in ast.walk(node):
            if isinstance(part, ast.stmt | ast.expr):
                part.lineno = part.end_lineno = batches.lineno
    setup = ast.Module(module.body[:at], type_ignores=[])
    loop = ast.Module([train], type_ignores=[])
    return compile(setup, FILE, "exec"), compile(loop, FILE, "exec")


def _position_of_print(body: list[ast.stmt]) -> int:
    return max(
        number
        for number, node in enumerate(body)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "print"
    )
