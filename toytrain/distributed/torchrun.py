"""A process as the command line sees it: alone, or one of those that torchrun started.

torchrun numbers its processes in the environment (RANK, WORLD_SIZE, LOCAL_RANK) and says there where
they meet (MASTER_ADDR, MASTER_PORT). PyTorch is imported when it is needed.
"""

import contextlib
import os
import sys
from dataclasses import replace
from typing import Any, NoReturn

from ..config import Config
from ..errors import ToytrainError
from .ranks import Ranks

TIMEOUT = 300.0  # seconds that the processes wait for each other; machines do not start at once


def is_under_torchrun() -> bool:
    """Whether torchrun, or somebody who sets the same variables, started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def leave(status: int) -> NoReturn:
    """End this process; one in a process group at once.

    A thread of gloo that drops a tensor while Python ends would end the process with SIGABRT, and so
    torchrun the others (PyTorch's issue 190489).
    """
    if is_under_torchrun():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def tells(error: Exception) -> bool:
    """Whether this process should say the error: all ranks refuse the same things, and one says it."""
    return os.environ.get("RANK", "0") == "0" or getattr(error, "code", "") == "group"


class Alone:
    """The only process of a run."""

    label = ""
    writes = True
    ranks = Ranks()  # for which it writes a distributed script

    def joined(self, device: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def make_trainer(self, config: Config) -> Any:
        from ..trainer import Trainer

        return Trainer.from_config(config)

    def any(self, mark: bool) -> bool:
        """Whether any process says so."""
        return mark

    def last_line(self) -> str:
        """What is printed at the end besides the scores."""
        return ""


class Member:
    """One of the processes that torchrun started."""

    def __init__(self, ranks: Ranks, timeout: float):
        self.rank = _whole_number("RANK")
        self.ranks = replace(ranks, world_size=_whole_number("WORLD_SIZE"))
        self.timeout = timeout
        self.label = f"[Rank {self.rank}] "
        self.writes = self.rank == 0
        self._trainer: Any = None
        # What goes wrong between processes is said in a sentence, not in PyTorch's log as well.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")

    def joined(self, device: str) -> contextlib.AbstractContextManager[None]:
        """Be in torchrun's process group within the block."""
        from .rank import joined, take_gpu

        if device == "cuda":
            take_gpu(_whole_number("LOCAL_RANK"))
        try:
            address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        except KeyError as error:
            raise ToytrainError(
                f"RANK is set but {error.args[0]} is not; let torchrun start the processes, or unset RANK."
            ) from error
        return joined(self.rank, self.ranks.world_size, device, address, self.timeout)

    def make_trainer(self, config: Config) -> Any:
        from .rank import RankTrainer

        self._trainer = RankTrainer.in_group(config, self.ranks)
        return self._trainer

    def any(self, mark: bool) -> bool:
        """Whether any process says so; every one must ask."""
        from .rank import any_rank

        return any_rank(mark, self._trainer.device)

    def last_line(self) -> str:
        """How far the ranks' weights differ; every one must ask, rank 0 gets the line."""
        from .rank import spread_in_group

        spread = spread_in_group(self._trainer.network)
        return f"Largest weight difference between {self.ranks.world_size} ranks: {spread:g}" * self.writes


def _whole_number(name: str) -> int:
    try:
        return int(os.environ[name])
    except (KeyError, ValueError) as error:
        raise ToytrainError(
            f"{name} = {os.environ.get(name, '')} in the environment is no number; leave it to torchrun."
        ) from error
