"""The mistake lab in a worker: commands that make an experiment and look at it.

An experiment is a run beside the others, with turns as fair as theirs: play, pause, step and close are
the commands of every run. It has no checkpoint: it is made again from its seed.
"""

from typing import TYPE_CHECKING, Any, cast

from ..config import Config
from ..mistakes.experiment import Experiment
from ..mistakes.script_run import ScriptRun
from ..trainer import Trainer

if TYPE_CHECKING:
    from .worker import Worker


def open_lab(
    worker: "Worker", run_id: str, mistake: str, config: dict[str, Any], speed: float, until: float
) -> dict[str, Any]:
    """Make the right script and the wrong one of a mistake, and host them as one run."""
    from .worker import Hosted  # it lists these commands

    experiment = Experiment(mistake, Config.from_dict(config))
    # To its host an experiment is a Trainer: it has all of it that a host asks for.
    run = Hosted(cast(Trainer, experiment), experiment.config, worker.clock(), kept=False)
    run.speed = speed
    worker.host(run_id, run, until)
    return {"has_initial_weights": False}


def look(worker: "Worker", run_id: str, probe: str) -> dict[str, Any]:
    """How both sides stand, with the readings of one probe."""
    run = worker.runs[run_id]
    experiment = _experiment(worker, run_id)
    return {
        "status": run.status,
        "message": run.message,
        "sides": {name: _side(side, probe) for name, side in experiment.sides.items()},
    }


def scripts(worker: "Worker", run_id: str) -> dict[str, str]:
    """The scripts that run, "right" and "wrong"."""
    return {name: side.source for name, side in _experiment(worker, run_id).sides.items()}


def _experiment(worker: "Worker", run_id: str) -> Experiment:
    return cast(Experiment, worker.runs[run_id].trainer)


def _side(side: ScriptRun, probe: str) -> dict[str, Any]:
    return {
        "steps": side.steps,
        "epoch": side.epoch,
        "batches": side.batches,
        "losses": side.losses.tolist(),
        "scores": list(side.scores),
        "readings": list(side.readings.get(probe, ())),
        "error": side.error or side.diverged,
        "line": side.line,
    }
