"""The engine: where runs live. Worker processes train; the page's process holds Run handles.

The page's side (`pool`, `run`, `frame`) never imports PyTorch.
"""

from pathlib import Path

from ..classroom import Classroom
from .lab_run import LabRun
from .pool import Pool
from .reader import Answer, Reader
from .run import Run
from .saved_runs import SavedRuns

__all__ = ["Answer", "LabRun", "Pool", "Reader", "Run", "SavedRuns", "pool", "start", "stop"]

_pool: Pool | None = None


def start(workers: int | None = None, classroom: Classroom | None = None) -> Pool:
    """Start the engine of this process; it serves every page until `stop`.

    `classroom` is by default what `classroom.toml` and the environment say.
    """
    global _pool
    if _pool is None:
        classroom = classroom or Classroom.read()
        folder = classroom.runs_folder
        saved_runs = SavedRuns(Path(folder), classroom.replica) if folder else None
        _pool = Pool(workers, saved_runs=saved_runs, classroom=classroom)
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
