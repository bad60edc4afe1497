"""The engine: where runs live. Worker processes train; the page's process holds Run handles.

The page's side (`pool`, `run`, `frame`) never imports PyTorch.
"""

from .pool import Pool
from .run import Run

__all__ = ["Pool", "Run", "pool", "start", "stop"]

_pool: Pool | None = None


def start(workers: int | None = None) -> Pool:
    """Start the engine of this process; it serves every page until `stop`."""
    global _pool
    if _pool is None:
        _pool = Pool(workers)
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
