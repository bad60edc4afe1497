"""Turns: which of a worker's runs trains next, so that each gets the same share of the processor.

A run is charged for the seconds that it takes, training and drawing alike, and the one that has had least
is next. A batch of the largest network may last longer than a turn: its run then waits longer for the next.
"""

from collections.abc import Callable

SLICE = 0.012  # seconds of training per turn: commands wait no longer than this for an answer
LAG = 0.12  # seconds that a run which stood still may claim at once: its click is answered, nobody is starved


class Turns:
    """The runs of one worker by id, and how many seconds each has had."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}  # in the order of their last turns
        self._now = 0.0  # what the run had had whose turn it was last

    def add(self, run_id: str) -> None:
        self._used[run_id] = self._now

    def remove(self, run_id: str) -> None:
        self._used.pop(run_id, None)

    def charge(self, run_id: str, seconds: float) -> None:
        if run_id in self._used:
            self._used[run_id] += seconds

    def next(self, may: Callable[[str], bool]) -> str | None:
        """The run, among those that may train, that has had least; of equal ones the first in turn."""
        waiting = [run_id for run_id in self._used if may(run_id)]
        if not waiting:
            return None
        chosen = min(waiting, key=self._had)
        self._now = had = self._had(chosen)
        del self._used[chosen]
        self._used[chosen] = had
        return chosen

    def _had(self, run_id: str) -> float:
        return max(self._used[run_id], self._now - LAG)
