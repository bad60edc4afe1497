"""The way of the fast step on a GPU, on the CPU: everything but the CUDA graph itself.

In place of a graph stands the step that it would hold, so that its copies, its batches, its losses and the
changes of its learning rate are compared with plain steps here. `test_cuda.py` does the rest where there is
a GPU.
"""

import dataclasses

import pytest
import torch
from conftest import same
from test_fast_step import (
    OPTIONS,
    Beside,
    by_hand,
    check_divergence,
    options,
    parts,
    plain,
    plainly,
    sgd,
    with_,
)

from toytrain import Config, Trainer
from toytrain.fast_step import captured, runner
from toytrain.optimizers import optimizer_arguments
from toytrain.script import write_script


@pytest.fixture(autouse=True)
def captures(monkeypatch):
    """Every run takes this way after its first step; the list gets an item for each capture."""
    made = []

    def capture(step):
        made.append(step)
        return step

    def warm_up(step):
        step()

    monkeypatch.setattr(runner, "WARM_UP", 1)
    monkeypatch.setitem(runner.WAYS, "cpu", captured.Captured)
    monkeypatch.setattr(captured, "capture", capture)
    monkeypatch.setattr(captured, "warm_up", warm_up)
    return made


@options
def test_500_steps_equal_500_plain_ones(config):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=500)
    assert trainer.why_plain == ""
    if config.schedule == "constant":
        assert trainer.fast_steps >= 499 - runner.TRIAL
    assert same(parts(trainer), parts(plain(config)))


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "dropout"])
def test_a_run_in_pieces_equals_one_of_plain_steps(name):
    trainer = Trainer.from_config(OPTIONS[name])
    for steps in (1, 8, 40, 3, 9, 100, 2, 60):
        trainer.advance(steps=steps)
        assert same(parts(trainer), parts(plain(OPTIONS[name], trainer.steps)))
    assert trainer.fast_steps


def test_a_graph_holds_one_learning_rate(captures):
    def slowed(train):
        trainer = train(Trainer.from_config(with_(batch_size=10)), 100)
        trainer.set_learning_rate(0.05)
        return train(trainer, 100)

    def counted(trainer, steps):
        trainer.advance(steps=steps)
        counts.append(len(captures))
        return trainer

    counts = []
    assert same(parts(slowed(counted)), parts(slowed(plainly)))
    assert counts == [1, 2]


def test_where_the_learning_rate_changes_at_each_step_the_plain_step_trains(captures):
    def made():
        trainer = Trainer.from_config(with_(batch_size=10))
        trainer.learning_rates = {step: 0.1 / (step + 1) for step in range(0, 400)}
        return trainer

    trainer = made()
    trainer.advance(steps=600)
    assert same(parts(trainer), parts(plainly(made(), 600)))
    assert len(captures) < 12
    assert trainer.fast_steps > 50  # after the changes


@pytest.mark.parametrize("name", ["sgd", "adam", "batch norm"])
@pytest.mark.parametrize("rate", [1e12, 3e38])
def test_a_run_diverges_at_the_step_and_with_the_weights_of_a_plain_one(name, rate):
    check_divergence(name, rate)


def test_a_step_with_other_bits_is_found_out_and_changes_nothing(monkeypatch):
    class Wrong(captured.Captured):
        def _step(self, is_full):
            gradients = super()._step(is_full)
            with torch.no_grad():
                next(self._model.parameters()).add_(1e-7)
            return gradients

    monkeypatch.setitem(runner.WAYS, "cpu", Wrong)
    trainer = Trainer.from_config(OPTIONS["sgd"])
    trainer.advance(steps=100)
    assert trainer.fast_steps == 0
    assert "does not give the bits" in trainer.why_plain
    assert same(parts(trainer), parts(plain(OPTIONS["sgd"], 100)))


@pytest.mark.parametrize(
    ("part", "reason"),
    [("capture", "The fast step failed"), ("warm_up", "The fast step could not be prepared")],
)
def test_what_fails_on_the_device_is_a_reason_and_changes_nothing(monkeypatch, part, reason):
    def failing(step):
        step()  # which moves the generator
        raise RuntimeError("no room here")

    monkeypatch.setattr(captured, part, failing)
    trainer = Trainer.from_config(OPTIONS["dropout"])
    trainer.advance(steps=100)
    assert trainer.fast_steps == 0
    assert trainer.why_plain == f"{reason} (RuntimeError: no room here)."
    assert same(parts(trainer), parts(plain(OPTIONS["dropout"], 100)))


def test_a_weight_without_a_part_in_the_loss_has_no_gradient():
    trainer = by_hand(sgd, Beside())
    trainer.advance(steps=100)
    assert trainer.fast_steps
    assert next(layer for layer in trainer.model if isinstance(layer, Beside)).beside.weight.grad is None
    assert same(parts(trainer), parts(plainly(by_hand(sgd, Beside()), 100)))


def test_data_changed_between_two_slices_is_seen():
    def changed(train):
        trainer = train(Trainer.from_config(OPTIONS["adam"]), 90)  # ten epochs
        trainer.train_loader.dataset.features += 1
        return train(trainer, 90)

    def advanced(trainer, steps):
        trainer.advance(steps=steps)
        assert trainer.fast_steps > 70
        return trainer

    assert same(parts(changed(advanced)), parts(changed(plainly)))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_only_a_run_on_cuda_counts_the_steps_of_its_optimizer_there(optimizer):
    for device in ("cpu", "cuda"):
        config = Config(optimizer=optimizer, device=device)
        _, arguments = optimizer_arguments(config)
        expected = device == "cuda" and optimizer != "sgd"
        assert arguments.get("capturable", False) == expected
        assert ("capturable=True" in write_script(config)) == expected


def test_a_run_goes_on_on_the_cpu_from_a_snapshot_of_a_gpu():
    config = Config(points=100, optimizer="adam")
    snapshot = Trainer.from_config(config).advance(steps=20)
    state = snapshot.optimizer_state
    groups = [{**group, "capturable": True} for group in state["param_groups"]]
    there = dataclasses.replace(snapshot, optimizer_state={**state, "param_groups": groups})
    trainer = Trainer.from_config(config)
    trainer.restore(there)
    trainer.advance(steps=100)
    assert same(parts(trainer), parts(plain(config, 120)))
