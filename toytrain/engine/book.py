"""The worker's commands for the book: one experiment of a section at a time, each a few milliseconds.

Experiments that start processes themselves do not come here: no run may wait for them.
"""

from typing import TYPE_CHECKING, Any

from ..book import SECTIONS, Settings
from ..book.run import run, sources

if TYPE_CHECKING:
    from .worker import Worker


def book(
    worker: "Worker", run_id: str, section: str, experiment: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """What an experiment computes (see `toytrain.book.run.run`). Hosted runs and their random state stay."""
    checked = Settings(**settings)
    if SECTIONS[section].starts_processes(experiment, checked):
        raise ValueError(f"{experiment} would hold up every run of this worker")
    return run(section, experiment, checked)


def book_sources(worker: "Worker", run_id: str) -> dict[str, str]:
    """The code of each section."""
    return sources()
