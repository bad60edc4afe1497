"""Distributed training: seconds to the first step and steps per second, with 1, 2 and 4 ranks.

`python benchmarks/distributed.py` lets each run play five times and prints the median: real (a
process per rank, gloo over loopback), the replay (copies in one process), and beside them what a
user would take instead, the plain Trainer in one process at the same global batch. "compared" is the
same run with the single process trained beside it, as the page shows it. No bar: on one machine
the processes are a lesson and no speed-up.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from toytrain import Config
from toytrain.distributed import Cluster, DistributedRun, Ranks

ROUNDS = 5
PER_RANK = 32  # examples in a rank's batch
ROW = "{:12} {:>6} {:>15} {:>9} {:>9} {:>17}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a run plays in each round")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    config = Config(points=500, batch_size=PER_RANK)
    cluster = Cluster(maximum=max(options.ranks))
    began = time.perf_counter()
    cluster.plan(config, Ranks(1))
    print(f"400 training points, 2-30-20-2, batch {PER_RANK} per rank, SGD")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"the process of all replays is up after {time.perf_counter() - began:.1f} s, once per server\n")
    print(ROW.format("", "ranks", "first step, s", "steps/s", "ms/step", "compared, steps/s"))
    try:
        for kind in ("real", "replay"):
            for ranks in options.ranks:
                first, rate = measure(cluster, config, ranks, kind, options.seconds, compare=False)
                _, compared = measure(cluster, config, ranks, kind, options.seconds, compare=True)
                show(kind, ranks, f"{first:.2f}", rate, f"{compared:.0f}")
    finally:
        cluster.stop()
    for ranks in options.ranks:
        show("one process", ranks, "", measure_alone(config, ranks, options.seconds), "")


def show(name: str, ranks: int, first: str, rate: float, compared: str) -> None:
    print(ROW.format(name, ranks, first, f"{rate:.0f}", f"{1000 / rate:.2f}", compared), flush=True)


def measure(
    cluster: Cluster, config: Config, ranks: int, kind: str, seconds: float, compare: bool
) -> tuple[float, float]:
    """Seconds from opening a run to its first step, and the median of its steps per second."""
    began = time.perf_counter()
    run = cluster.open(config, Ranks(ranks), kind, compare=compare)
    run.wait_until_up()
    run.step()
    first = time.perf_counter() - began
    rates = [played(run, seconds) for _ in range(ROUNDS)]
    cluster.close(run)
    return first, statistics.median(rates)


def played(run: DistributedRun, seconds: float) -> float:
    """Steps per second while the run plays."""
    steps, began = run.steps, time.perf_counter()
    run.play()
    time.sleep(seconds)
    run.pause()
    return (run.steps - steps) / (time.perf_counter() - began)


def measure_alone(config: Config, ranks: int, seconds: float) -> float:
    """Steps per second of the plain Trainer at the global batch of so many ranks."""
    from dataclasses import replace

    import torch

    from toytrain import Trainer

    torch.set_num_threads(1)
    trainer = Trainer.from_config(replace(config, batch_size=ranks * config.batch_size))
    trainer.advance(steps=10)
    rates = []
    for _ in range(ROUNDS):
        steps, began = trainer.steps, time.perf_counter()
        trainer.advance(seconds=seconds)
        rates.append((trainer.steps - steps) / (time.perf_counter() - began))
    return statistics.median(rates)


if __name__ == "__main__":
    main()
