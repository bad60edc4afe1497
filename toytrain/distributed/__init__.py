"""Distributed training (book, section A.9.3): one Config trained by several processes, the ranks.

The page's side never imports PyTorch: `ranks` (the values), `cluster` and `run` (what a page holds),
`processes` (the child processes seen from outside). `child` is such a process from inside, `torchrun`
one that torchrun started; they carry `rank` (one rank), `replay` (all ranks in one process), `plan`
(the shards) and `script` (the exported script), which are PyTorch.
"""

import threading

from ..classroom import Classroom
from .cluster import Cluster
from .ranks import MOST_RANKS, Card, Plan, Ranks, Step, View
from .run import DistributedRun

__all__ = [
    "MOST_RANKS", "Card", "Cluster", "DistributedRun", "Plan", "Ranks", "Step", "View", "cluster", "stop",
]  # fmt: skip

_cluster: Cluster | None = None
_lock = threading.Lock()


def cluster() -> Cluster:
    """The one Cluster of this process; the first call makes it."""
    global _cluster
    with _lock:
        if _cluster is None:
            _cluster = Cluster(Classroom.read().ranks)
        return _cluster


def stop() -> None:
    """End every run and every process. The next `cluster()` begins anew."""
    global _cluster
    with _lock:
        if _cluster is not None:
            _cluster.stop()
            _cluster = None
