"""Half-steps: four of them are one step bit for bit, and whatever happens between them loses nothing."""

import dataclasses
import inspect
import textwrap

import pytest
import torch
import torch.nn.functional as F
from conftest import same
from test_fast_step import parts
from test_script import equals

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.engine.worker import Worker
from toytrain.fast_step import runner
from toytrain.half_step import PARTS, source_and_lines
from toytrain.script import write_script

# 80 training examples in batches of 9: nine batches make an epoch.
PLAIN = Config(points=100, batch_size=9)
KINDS = {
    "plain": PLAIN,
    "dropout, batch norm": dataclasses.replace(PLAIN, dropout=0.3, batch_norm=True),
    "adam, clipping, l1": dataclasses.replace(PLAIN, optimizer="adam", clip_norm=0.1, l1=0.001),
    "schedule, momentum": dataclasses.replace(PLAIN, schedule="step", step_size=1, momentum=0.9),
    "regression": dataclasses.replace(PLAIN, dataset="plane"),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every run is long enough for the fast step after one plain step."""
    monkeypatch.setattr(runner, "WARM_UP", 1)


def begun(config, half_steps, steps=13):
    """A run with so many steps and half-steps done."""
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    for _ in range(half_steps):
        trainer.half_step()
    return trainer


@kinds
def test_four_half_steps_are_a_step_bit_for_bit(config):
    halved = begun(config, 4 * 20, steps=0)
    whole = Trainer.from_config(config)
    for _ in range(20):
        whole.step()
    assert same(parts(halved), parts(whole))


@kinds
@pytest.mark.parametrize("half_steps", [1, 2, 3])
def test_playing_on_finishes_the_step_that_is_begun(config, half_steps):
    trainer, whole = begun(config, half_steps), None
    trainer.advance(steps=1)
    assert trainer.steps == 14
    trainer.advance(steps=30)
    whole = Trainer.from_config(config)
    whole.advance(steps=44)
    assert same(parts(trainer), parts(whole))


@kinds
@pytest.mark.parametrize("half_steps", [1, 3])
def test_what_is_saved_within_a_step_is_the_run_before_it(config, half_steps):
    expected = begun(config, 0).snapshot()
    trainer = begun(config, half_steps)
    stored = checkpoint.load(checkpoint.save(trainer.snapshot()))
    trainer.advance(steps=20)
    again = Trainer.from_config(config)
    again.restore(stored)
    assert same(again.snapshot().weights, expected.weights)
    again.advance(steps=20)
    assert same(parts(again), parts(trainer))


def test_a_restored_run_is_within_no_step():
    trainer = begun(PLAIN, 0)
    snapshot = trainer.snapshot()
    trainer.half_step()
    trainer.restore(snapshot)
    assert trainer.begun_step is None


def test_a_change_within_a_step_finishes_it_so_that_the_script_can_say_when(forked, tmp_path):
    trainer = begun(PLAIN, 2)
    trainer.set_learning_rate(0.5)
    assert trainer.steps == 14
    trainer.half_step()
    trainer.edit_weight("layers.0.weight", (0, 0), 0.25)
    assert trainer.steps == 15
    snapshot = trainer.advance(steps=10)
    script = write_script(PLAIN, snapshot.learning_rates, snapshot.steps, edits=snapshot.edits)
    assert equals(snapshot, forked(script, tmp_path), tmp_path)


def test_looking_within_a_step_changes_nothing():
    trainer = begun(KINDS["dropout, batch norm"], 2)
    assert "half-steps" in trainer.why_plain
    assert trainer.fast_step_source == ""
    trainer.evaluate(trainer.data.test)
    trainer.advance(steps=20)
    assert same(parts(trainer), parts(begun(KINDS["dropout, batch norm"], 0, 33)))


def test_a_step_cannot_be_taken_over_a_begun_one():
    with pytest.raises(RuntimeError, match="begun"):
        begun(PLAIN, 1).step()


def test_a_run_that_diverges_in_half_steps_ends_as_in_steps():
    config = Config(dataset="gaussians", activation="linear", learning_rate=100, points=100)
    whole = Trainer.from_config(config)
    whole.advance()
    halved = begun(config, 0, whole.steps)
    for _ in range(4):
        halved.half_step()
    assert halved.diverged == whole.diverged != ""
    assert same(halved.snapshot().weights, whole.snapshot().weights)
    with pytest.raises(ToytrainError, match="Diverged"):
        halved.half_step()


# What is shown


def test_the_parts_are_all_the_lines_of_a_step_in_their_order():
    source = textwrap.dedent(inspect.getsource(Trainer.step))
    body = source.splitlines()[2:]
    shown = []
    for part in PARTS:
        text, start, end = source_and_lines(Trainer.step, part)
        assert text == source
        shown += text.splitlines()[start:end]
    assert shown == body


def test_the_tensors_are_those_that_pytorch_computes():
    trainer = begun(PLAIN, 0)
    weights = trainer.snapshot().weights
    first = trainer.half_step().tensors(trainer.model)
    assert [first[name].shape for name in ("features", "labels", "logits")] == [(9, 2), (9,), (9, 2)]
    values = {key: tensor.clone().requires_grad_() for key, tensor in weights.items()}
    logits = torch.func.functional_call(trainer.model, values, (first["features"],))
    loss = F.cross_entropy(logits, first["labels"])
    loss.backward()
    assert torch.equal(first["logits"], logits)
    assert torch.equal(trainer.half_step().tensors(trainer.model)["loss"], loss)
    gradients = trainer.half_step().tensors(trainer.model)
    assert same(gradients, {f"{key}.grad": tensor.grad for key, tensor in values.items()})
    after = trainer.half_step().tensors(trainer.model)
    assert list(after) == list(weights)
    assert same(after, {key: weights[key].add(values[key].grad, alpha=-0.1) for key in weights})


# In the engine


def opened(config=PLAIN):
    worker = Worker()
    worker.handle("open", "a", {"config": config.to_dict()})
    return worker


def test_a_half_step_pauses_the_run_and_tells_lines_shapes_and_values():
    worker = opened()
    worker.handle("play", "a", {})
    worker.tick()
    steps = worker.runs["a"].trainer.steps
    told = [worker.handle("half_step", "a", {}) for _ in range(4)]
    assert not worker.runs["a"].playing
    assert [answer["part"] for answer in told] == list(PARTS)
    assert [answer["number"] for answer in told] == [0, 1, 2, 3]
    assert [answer["lines"] for answer in told] == [[2, 4], [4, 5], [5, 8], [8, 10]]
    assert {answer["step"] for answer in told} == {steps}
    assert worker.runs["a"].trainer.steps == steps + 1
    features = told[0]["tensors"][0]
    assert (features["name"], features["shape"], features["before"]) == ("features", [9, 2], None)
    assert len(features["values"]) == 9
    loss = told[1]["tensors"][-1]
    assert loss["shape"] == []
    assert loss["values"] == worker.runs["a"].trainer.losses[-1]
    weight = told[3]["tensors"][0]
    assert weight["name"] == "layers.0.weight"
    assert weight["values"] != weight["before"]


def test_of_a_large_batch_only_a_corner_is_told():
    told = opened(Config(points=1000, batch_size=500)).handle("half_step", "a", {})["tensors"][0]
    assert told["shape"] == [500, 2]
    assert len(told["values"]) == 64


def test_a_page_that_comes_back_finds_the_begun_step_again():
    worker = opened()
    assert worker.handle("begun_step", "a", {}) is None
    answer = worker.handle("half_step", "a", {})
    assert worker.handle("begun_step", "a", {}) == answer
    worker.handle("step_batch", "a", {})
    assert worker.handle("begun_step", "a", {}) is None
    assert worker.runs["a"].trainer.steps == 1


def test_half_steps_change_no_other_run_and_no_other_run_changes_them():
    config = KINDS["dropout, batch norm"]
    worker = opened(config)
    worker.handle("open", "b", {"config": config.to_dict()})
    for _ in range(8):
        worker.handle("half_step", "a", {})
        worker.handle("step_batch", "b", {})
    expected = Trainer.from_config(config)
    expected.advance(steps=8)
    assert worker.runs["b"].trainer.losses == expected.losses
    assert worker.runs["a"].trainer.losses == expected.losses[:2]


def test_a_run_that_has_ended_has_no_half_step():
    worker = opened(dataclasses.replace(PLAIN, epochs=1))
    worker.handle("play", "a", {})
    while worker.runs["a"].playing:
        worker.tick()
    with pytest.raises(ToytrainError, match="no step"):
        worker.handle("half_step", "a", {})
