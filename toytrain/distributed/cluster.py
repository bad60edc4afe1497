"""Cluster: what a server holds of distributed training. It opens runs and ends what it started.

No PyTorch here: what needs it is asked of the host process.
"""

import threading
from dataclasses import replace
from functools import lru_cache

from ..classroom import Classroom
from ..config import Config
from ..errors import ToytrainError
from .processes import IMPORT_WITHIN, HostProcess, Places, RankProcesses, Replicas
from .ranks import Plan, Ranks
from .run import DistributedRun, new_id

MOST_RUNS = 200
TIMEOUT = 30.0  # seconds that ranks wait for each other
UNSEEN_FOR = 120.0  # seconds after which a run that nobody looks at ends or pauses


class Cluster:
    """Replays and real runs of one server.

    `maximum` is how many rank processes there may be at once; a real run that finds no room waits in a
    queue, and a larger one has the server for itself.
    """

    def __init__(self, maximum: int = Classroom().ranks, unseen_for: float = UNSEEN_FOR):
        self.places = Places(maximum)
        self.host = HostProcess()
        self.runs: dict[str, DistributedRun] = {}
        self.unseen_for = unseen_for
        self._lock = threading.Lock()
        self._plans = lru_cache(maxsize=32)(self._ask_plan)

    def warm(self) -> None:
        """Let the host process import PyTorch meanwhile; returns at once."""
        self.host.warm()

    def plan(self, config: Config, ranks: Ranks, epochs: int = 3) -> Plan:
        """The data, and the shards of the first epochs as DistributedSampler deals them.

        A ToytrainError, with the field at fault, where these ranks cannot train this Config. What has
        been asked before is answered at once, a first question in some ms, or in seconds by a cold host.
        """
        ranks.check_fit_for_one_machine()
        # Only these change the plan: an equal question need not be asked again.
        config = replace(config, learning_rate=0.1, seed=0, epochs=0, num_workers=0)
        return self._plans(config, replace(ranks, wrapped=True, seeded=True, loader_shuffle=False), epochs)

    def open(
        self,
        config: Config,
        ranks: Ranks,
        kind: str = "replay",
        *,
        timeout: float = TIMEOUT,
        port: int = 0,
        meet_at: str = "",
        compare: bool = True,
    ) -> DistributedRun:
        """A new run, paused once it is up; `kind` is "real" (processes) or "replay".

        Returns at once; refusals come as the run's `message`, and from its first command. `timeout`
        is how many seconds ranks wait for each other, `port` where they meet (0: a free one),
        `meet_at` ("host:port") a rendezvous served elsewhere. `compare` trains a single process beside.
        """
        ranks.check_fit_for_one_machine()
        if kind not in ("real", "replay"):
            raise ToytrainError(f"kind = {kind!s:.60} is not permitted; permitted is real or replay.", "kind")
        run_id = new_id()
        if kind == "real":
            work: RankProcesses | Replicas = RankProcesses(config, ranks, timeout, port, meet_at)
        else:
            work = Replicas(self.host, run_id, config, ranks)
        with self._lock:
            self._make_room()
            run = self.runs[run_id] = DistributedRun(
                run_id, kind, config, ranks, work, self, compare=compare, unseen_for=self.unseen_for
            )
        run.begin()
        return run

    def get(self, run_id: str) -> DistributedRun | None:
        """The run of that id."""
        return self.runs.get(run_id)

    def close(self, run: DistributedRun) -> None:
        """End a run and forget it."""
        self.runs.pop(run.id, None)
        run.stop()

    def stop(self) -> None:
        """End every run and every process. None is left when this returns."""
        runs = list(self.runs.values())
        for run in runs:
            run.cancel()
        for run in runs:
            run.stop()
        self.host.stop()

    def _ask_plan(self, config: Config, ranks: Ranks, epochs: int) -> Plan:
        return self.host.ask("plan", IMPORT_WITHIN, config=config, ranks=ranks, epochs=epochs)

    def _make_room(self) -> None:
        if len(self.runs) < MOST_RUNS:
            return
        over = [run for run in self.runs.values() if not run.playing]
        if not over:
            raise ToytrainError(
                f"This server carries {MOST_RUNS} distributed runs and no more; stop one you do not need."
            )
        oldest = min(over, key=lambda run: run.seen_at)
        self.runs.pop(oldest.id)
        oldest.cancel()
