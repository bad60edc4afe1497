"""The engine: where runs live. Worker processes train; the page's process holds Run handles.

The page's side (`pool`, `run`, `frame`) never imports PyTorch.
"""

import os
from pathlib import Path

from .lab_run import LabRun
from .pool import Pool
from .run import Run
from .saved_runs import SavedRuns

__all__ = ["LabRun", "Pool", "Run", "SavedRuns", "pool", "start", "stop"]

_pool: Pool | None = None


def start(workers: int | None = None) -> Pool:
    """Start the engine of this process; it serves every page until `stop`.

    Runs are saved in the folder that TOYTRAIN_RUNS names, by default `runs`; if it is empty, nowhere.
    """
    global _pool
    if _pool is None:
        folder = os.environ.get("TOYTRAIN_RUNS", "runs")
        _pool = Pool(workers, saved_runs=SavedRuns(Path(folder)) if folder else None)
    return _pool


def stop() -> None:
    """End the engine. No worker process is left."""
    global _pool
    if _pool is not None:
        _pool.stop()
        _pool = None


def pool() -> Pool:
    """The running engine."""
    if _pool is None:
        raise RuntimeError("the engine is not running: app.py starts it")
    return _pool
