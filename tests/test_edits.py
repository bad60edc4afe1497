"""Weights set by hand: recorded, in the script, in the checkpoint, and there again after a worker's death."""

import dataclasses
import io
import os
import signal

import pytest
import torch
from conftest import same, wait_until
from test_fast_step import parts
from test_script import equals

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.distributed import Ranks
from toytrain.distributed.script import write_distributed_script
from toytrain.edits import LARGEST, MOST_EDITS
from toytrain.engine import Pool, SavedRuns
from toytrain.engine.worker import Worker
from toytrain.fast_step import runner
from toytrain.script import write_script

PLAIN = Config(points=100, batch_size=8)
KINDS = {
    "sgd": PLAIN,
    "adam": dataclasses.replace(PLAIN, optimizer="adam", learning_rate=0.01, dropout=0.2),
    "batch norm": dataclasses.replace(PLAIN, batch_norm=True, momentum=0.9),
    "regression": dataclasses.replace(PLAIN, dataset="plane", l1=0.001),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
WEIGHT, BIAS = ("layers.0.weight", (3, 1)), ("layers.0.bias", (0,))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every run is long enough for the fast step after one plain step."""
    monkeypatch.setattr(runner, "WARM_UP", 1)


def edited(config, fast=True):
    """A run with edits before the first batch, within an epoch, at its end, and after the last batch."""
    trainer = Trainer.from_config(config)
    trainer.fast = fast
    trainer.edit_weight(*WEIGHT, 0.5)
    trainer.advance(steps=13)
    trainer.edit_weight(*BIAS, -1)
    trainer.edit_weight(*WEIGHT, 1 / 3)
    trainer.advance(steps=7)
    trainer.edit_weight(*WEIGHT, 2)
    trainer.edit_weight(*WEIGHT, 0.25)
    trainer.advance(steps=15)
    trainer.edit_weight(*WEIGHT, -0.125)
    return trainer


def test_an_edit_is_there_at_once_and_nothing_else_changes():
    trainer = Trainer.from_config(PLAIN)
    before = trainer.advance(steps=5)
    trainer.edit_weight(*WEIGHT, 0.5)
    after = trainer.snapshot()
    assert after.weights["layers.0.weight"][3, 1] == 0.5
    after.weights["layers.0.weight"][3, 1] = before.weights["layers.0.weight"][3, 1]
    assert same(after.weights, before.weights)
    assert same(after.optimizer_state, before.optimizer_state)
    assert same(after.random_state, before.random_state)
    assert after.edits == {5: {WEIGHT: 0.5}}
    assert before.edits == {}


@kinds
def test_the_script_of_an_edited_run_equals_it(config, forked, tmp_path):
    trainer = edited(config)
    script = write_script(config, steps=trainer.steps, edits=trainer.edits)
    assert "            model.layers[0].weight[3, 1] = -0.125" in script
    assert "= 2.0" not in script  # the last of two numbers at one step counts
    assert equals(trainer.snapshot(), forked(script, tmp_path), tmp_path)


def test_an_edit_that_the_script_does_not_reach_is_not_in_it():
    assert "edit_weights" not in write_script(PLAIN, steps=3, edits={4: {WEIGHT: 0.5}})


@kinds
def test_the_fast_step_keeps_the_bits_of_an_edited_run(config):
    fast, plain = edited(config), edited(config, fast=False)
    assert fast.fast_steps > 10
    assert same(parts(fast), parts(plain))


@kinds
def test_an_edited_run_goes_on_bit_for_bit_from_its_checkpoint(config):
    trainer = edited(config)
    stored = checkpoint.load(checkpoint.save(trainer.snapshot()))
    assert stored.edits == trainer.edits
    trainer.advance(steps=30)
    again = Trainer.from_config(stored.config)
    again.restore(stored)
    again.advance(steps=30)
    assert same(parts(again), parts(trainer))


def test_an_edit_still_to_come_is_made_when_its_step_is_reached_and_never_twice():
    trainer = Trainer.from_config(PLAIN)
    trainer.advance(steps=10)
    early = trainer.snapshot()
    trainer.advance(steps=10)
    trainer.edit_weight(*WEIGHT, 0.5)
    trainer.advance(steps=25)
    again = Trainer.from_config(PLAIN)
    again.restore(early)
    again.add_edits(trainer.edits)
    assert same(again.snapshot().weights, early.weights)
    assert again.advance(steps=10).weights["layers.0.weight"][3, 1] == 0.5
    again.advance(steps=25)
    assert same(parts(again), parts(trainer))


def test_a_run_that_diverges_by_an_edit_keeps_its_last_weights_with_it():
    trainer = Trainer.from_config(dataclasses.replace(PLAIN, dataset="plane", learning_rate=100))
    trainer.advance(steps=1)
    trainer.edit_weight(*WEIGHT, LARGEST)
    snapshot = trainer.advance(steps=200)
    assert snapshot.diverged
    assert checkpoint.load(checkpoint.save(snapshot)).edits == trainer.edits


@pytest.mark.parametrize(
    ("key", "index", "value", "sentence"),
    [
        ("layers.9.weight", (0, 0), 1, "no such weight"),
        (3, (0, 0), 1, "no such weight"),
        ("layers.1.running_mean", (0,), 1, "no such weight"),
        ("layers.0.weight", (0,), 1, "2 whole numbers"),
        ("layers.0.weight", (0, 1.0), 1, "2 whole numbers"),
        ("layers.0.weight", (0, True), 1, "2 whole numbers"),
        ("layers.0.weight", 3, 1, "2 whole numbers"),
        ("layers.0.weight", (30, 0), 1, "30 x 2"),
        ("layers.0.weight", (0, -1), 1, "30 x 2"),
        *(("layers.0.weight", (0, 0), value, "a number from") for value in
          (float("nan"), float("inf"), 1e7, 10**400, "1", None, True)),
    ],
)  # fmt: skip
def test_an_edit_that_does_not_fit_is_refused_and_changes_nothing(key, index, value, sentence):
    trainer = Trainer.from_config(dataclasses.replace(PLAIN, batch_norm=True))
    before = trainer.snapshot().weights
    with pytest.raises(ToytrainError, match=sentence):
        trainer.edit_weight(key, index, value)
    assert same(trainer.snapshot().weights, before)
    assert trainer.edits == {}


def test_a_run_takes_so_many_edits_and_no_more():
    trainer = Trainer.from_config(PLAIN)
    trainer.edits = {0: {("layers.0.weight", (0, 0)): 0.0}, 1: dict.fromkeys(range(MOST_EDITS - 1), 0.0)}
    trainer.edit_weight("layers.0.weight", (0, 0), 1.0)  # in place of one that is there
    with pytest.raises(ToytrainError, match=r"1,000 weights"):
        trainer.edit_weight("layers.0.weight", (0, 1), 1.0)


# In the engine


def opened(**arguments):
    """A worker with one run, "a"."""
    worker = Worker()
    worker.handle("open", "a", {"config": PLAIN.to_dict(), **arguments})
    return worker


def test_an_edit_pauses_the_run_and_is_shown_saved_and_in_its_script():
    worker = opened()
    worker.handle("play", "a", {})
    worker.tick()
    worker.handle("want_frame", "a", {"views": ["figures"]})
    step = worker.handle("edit_weight", "a", {"key": WEIGHT[0], "index": list(WEIGHT[1]), "value": 0.5})
    (frame,) = (frame for _, frame in worker.tick())
    assert step == worker.runs["a"].trainer.steps == frame.header["step"] > 0
    assert frame.header["status"] == "paused"
    assert frame.views
    assert f"if step == {step}:" in worker.handle("script", "a", {})
    assert checkpoint.load(worker.handle("checkpoint", "a", {})).edits == {step: {WEIGHT: 0.5}}


def test_a_refused_edit_is_an_answer():
    with pytest.raises(ToytrainError, match="a number from"):
        opened().handle("edit_weight", "a", {"key": WEIGHT[0], "index": WEIGHT[1], "value": float("nan")})


@pytest.mark.parametrize("later", [0, 25], ids=["at the saved step", "later"])
def test_an_edit_after_the_last_save_is_made_again_when_the_run_is_brought_back(later):
    original = Trainer.from_config(PLAIN)
    saved = checkpoint.save(original.advance(steps=13))
    original.advance(steps=later)
    original.edit_weight(*WEIGHT, 0.5)
    original.advance(steps=40)
    worker = opened(saved=saved, edits=original.edits)
    for _ in range(later + 40):
        worker.handle("step_batch", "a", {})
    again = worker.runs["a"].trainer.snapshot()
    assert same(again.losses, original.snapshot().losses)
    assert same(again.weights, original.snapshot().weights)


@pytest.mark.slow
def test_a_killed_worker_costs_no_edit(tmp_path):
    pool = Pool(workers=1, saved_runs=SavedRuns(tmp_path))
    try:
        run = pool.open(PLAIN)
        assert run.wait_until_open(60)
        run.edit_weight(*WEIGHT, 0.5)
        run.step_batch()
        run.edit_weight(*WEIGHT, 0.75)
        run.edit_weight(*BIAS, 0.25)
        os.kill(pool.workers[0].pid, signal.SIGKILL)
        wait_until(lambda: "died" in run.note)
        wait_until(lambda: pool.warm)
        while run.steps < 3:
            run.step_batch()
            wait_until(lambda: run.steps > 0)
        model = run.model()
    finally:
        pool.stop()
    expected = Trainer.from_config(PLAIN)
    expected.edit_weight(*WEIGHT, 0.5)
    expected.advance(steps=1)
    expected.edit_weight(*WEIGHT, 0.75)
    expected.edit_weight(*BIAS, 0.25)
    assert same(checkpoint.load(model).weights, expected.advance(steps=2).weights)
    saved = checkpoint.load((tmp_path / f"{run.id}.pth").read_bytes())
    assert saved.edits == expected.edits


def test_the_distributed_script_edits_the_network_within_ddp():
    edits = {3: {WEIGHT: 0.5}}
    line = "model.module.layers[0].weight[3, 1] = 0.5  # NEW: within DDP"
    assert line in write_distributed_script(PLAIN, Ranks(), edits=edits)
    alone = write_distributed_script(PLAIN, Ranks(wrapped=False), edits=edits)
    assert " model.layers[0].weight[3, 1] = 0.5\n" in alone


# Files from anywhere


@pytest.mark.parametrize(
    "edits",
    [
        None,
        {},
        [1],
        [[1, "layers.0.weight", [0, 0]]],
        [[1, "layers.0.weight", [0, 0], float("nan")]],
        [[1, "layers.0.weight", [0, 0], torch.zeros(())]],
        [[1, "layers.0.weight", [99, 0], 0.5]],
        [[1, "layers.0.weight", [[0], 0], 0.5]],
        [[1, "layers.0.weight", "00", 0.5]],
        [[1, "layers.7.weight", [0, 0], 0.5]],
        [[1, {}, [0, 0], 0.5]],
        [[-1, "layers.0.weight", [0, 0], 0.5]],
        [[1.0, "layers.0.weight", [0, 0], 0.5]],
        [[2**40, "layers.0.weight", [0, 0], 0.5]],
        [[1, "layers.0.weight", [0, 0], 0.5]] * 2,
        [[step, "layers.0.weight", [0, 0], 0.5] for step in range(MOST_EDITS + 1)],
    ],
)
def test_a_files_edits_that_do_not_fit_are_refused(edits):
    with pytest.raises(ToytrainError) as refusal:
        checkpoint.load(stored(edits=edits))
    assert refusal.value.code == "settings"


def test_a_checkpoint_from_before_there_were_edits_loads():
    assert checkpoint.load(stored()).edits == {}


def stored(**changes):
    """A checkpoint as it was without edits, with these changes."""
    state = torch.load(io.BytesIO(checkpoint.save(Trainer.from_config(PLAIN).advance(steps=3))))
    del state["edits"]
    file = io.BytesIO()
    torch.save({**state, **changes}, file)
    return file.getvalue()
