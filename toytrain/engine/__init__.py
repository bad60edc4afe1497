"""The engine: where runs live. Worker processes train; the page's process holds Run handles.

The page's side (`pool`, `run`, `frame`) never imports PyTorch.
"""

from .pool import Pool
from .run import Run

__all__ = ["Pool", "Run"]
