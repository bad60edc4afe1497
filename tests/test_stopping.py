"""Stop conditions: when they end a run, that it says why, and that nothing brings it back to life.

That the script ends where the run does is in test_script.
"""

import dataclasses
from array import array

import pytest
from test_fast_step import parts
from test_script import equals

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.__main__ import main
from toytrain.distributed import Ranks
from toytrain.distributed.replay import Replay
from toytrain.distributed.script import write_distributed_script
from toytrain.engine.worker import Worker
from toytrain.script import write_script
from toytrain.stopping import Stopping

PLAIN = Config(points=100, batch_size=8)
ENDS = {
    "target_loss": dataclasses.replace(PLAIN, target_loss=0.3),
    "target_accuracy": dataclasses.replace(PLAIN, target_accuracy=0.85),
    "patience": dataclasses.replace(PLAIN, patience=2, learning_rate=1, dropout=0.5),
    "regression": dataclasses.replace(PLAIN, dataset="plane", target_accuracy=0.9, learning_rate=0.01),
}
ends = pytest.mark.parametrize("config", ENDS.values(), ids=ENDS)


def looked(losses, scores=None, **conditions):
    """The Stopping after epochs with these test losses and scores."""
    stopping = Stopping(**conditions)
    for loss, score in zip(losses, scores or [0.5] * len(losses), strict=True):
        stopping.look(loss, score)
    return stopping


@pytest.mark.parametrize(
    ("losses", "ended"),
    [
        ([3, 2, 1], 0),
        ([3, 2, 2], 0),
        ([3, 2, 2, 2], 4),
        ([1, 2, 0.5, 2, 3], 5),
        ([float("nan")] * 2, 2),
        ([1, float("inf"), float("nan")], 3),
    ],
)
def test_patience_ends_a_run_after_so_many_epochs_without_a_new_low(losses, ended):
    assert looked(losses, patience=2).ended == ended


def test_a_target_that_is_just_reached_ends_the_run():
    assert looked([0.6, 0.5], target_loss=0.5).ended == 2
    assert looked([1, 1], [0.8, 0.9], target_accuracy=0.9).ended == 2
    assert looked([float("nan")], [float("nan")], target_loss=0.5, target_accuracy=0.5).ended == 0


def test_without_conditions_a_run_goes_on():
    assert not looked([0, 0, 0], [1, 1, 1]).reason


def test_what_was_said_first_stays():
    conditions = {"target_loss": 0.5, "target_accuracy": 0.9, "patience": 1}
    stopping = looked([0.6, 0.4, 0.1, 0.7], [0.5, 0.9, 1, 1], **conditions)
    assert stopping.reason == "The test loss is 0.4 after epoch 2, and the target was 0.5."
    rows = array("d", [10, 0.6, 0.5, 20, 0.4, 0.9, 30, 0.1, 1, 40, 0.7, 1])
    assert stopping.again(rows) == stopping


@ends
def test_the_run_ends_by_itself_and_says_why(config, forked, tmp_path):
    trainer = Trainer.from_config(config)
    snapshot = trainer.advance(steps=20_000)
    assert snapshot.finished
    assert not snapshot.diverged
    assert snapshot.steps == snapshot.epoch * 10 < 20_000
    assert f"epoch {snapshot.epoch}" in snapshot.stopped
    assert trainer.advance(steps=5).steps == snapshot.steps
    output = forked(write_script(config), tmp_path)  # the whole Config's, without a number of steps
    assert equals(snapshot, output, tmp_path)
    assert f"Ended after epoch {snapshot.epoch}: " in output


@ends
def test_a_checkpoint_knows_that_the_run_has_ended_and_how_far_it_was(config):
    trainer = Trainer.from_config(config)
    half = checkpoint.load(checkpoint.save(trainer.advance(steps=15)))
    trainer.advance(steps=20_000)
    whole = checkpoint.load(checkpoint.save(trainer.snapshot()))
    assert whole.finished
    assert whole.stopped == trainer.stopping.reason
    again = Trainer.from_config(config)
    again.restore(half)
    again.advance(steps=20_000)
    assert parts(again)[6:7] == parts(trainer)[6:7]
    assert again.stopping == trainer.stopping


def test_a_run_of_the_engine_is_finished_and_tells_why():
    worker = Worker()
    config = ENDS["target_loss"].to_dict()
    worker.handle("open", "a", {"config": config})
    worker.handle("play", "a", {})
    frames = []
    while worker.runs["a"].playing:
        frames += worker.tick()
    header = (frames + worker.tick())[-1][1].header
    assert header["status"] == "finished"
    assert header["message"] == worker.runs["a"].trainer.stopping.reason
    saved = worker.handle("checkpoint", "a", {})
    worker.handle("open", "b", {"config": config, "saved": saved})
    worker.handle("play", "b", {})
    assert not worker.runs["b"].playing
    assert worker.runs["b"].status == "finished"


def test_a_run_that_was_ended_goes_on_from_its_file_under_other_conditions(tmp_path, capsys):
    full = tmp_path / "full.pth"
    options = ["--points", "100", "--batch-size", "8"]
    assert main([*options, "--target-loss", "0.3", "--checkpoint", str(full)]) == 0
    ended = checkpoint.load(full.read_bytes())
    assert ended.stopped in capsys.readouterr().err
    assert main(["--resume", str(full), "--target-loss", "0.2", "--checkpoint", str(full)]) == 0
    assert checkpoint.load(full.read_bytes()).steps > ended.steps
    assert main(["--resume", str(full), "--target-loss", "0.4"]) == 2
    assert "would not have come as far" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["target_loss", "target_accuracy", "patience"])
def test_several_processes_are_ended_by_their_epochs_only(name):
    for make in (Replay, write_distributed_script):
        with pytest.raises(ToytrainError, match=f"Set {name} to 0") as refusal:
            make(ENDS[name], Ranks())
        assert refusal.value.field == name
