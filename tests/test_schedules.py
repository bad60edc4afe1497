"""Schedules and clipping: torch's own, over pause, checkpoint, a rate set by hand, and files from anywhere.

That a run with a schedule is its script, and the fast step's bits, are in test_script and test_fast_step.
"""

import dataclasses
import io

import pytest
import torch
from conftest import same
from test_fast_step import parts
from test_script import equals

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.distributed import Ranks
from toytrain.distributed.replay import Replay
from toytrain.distributed.script import write_distributed_script
from toytrain.engine.frame import Frame
from toytrain.engine.run import Run
from toytrain.engine.worker import Worker
from toytrain.fast_step import runner
from toytrain.script import write_script

# 80 training examples in batches of 8: ten batches make an epoch.
PLAIN = Config(points=100, batch_size=8, momentum=0.5)
KINDS = {
    name: dataclasses.replace(PLAIN, schedule=name, step_size=2, gamma=0.5, t_max=3, warmup_epochs=4)
    for name in ("step", "cosine", "warmup")
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Every run is long enough for the fast step after one plain step."""
    monkeypatch.setattr(runner, "WARM_UP", 1)


def rates(config, epochs):
    """The learning rate in each epoch."""
    trainer = Trainer.from_config(config)
    found = []
    for _ in range(epochs):
        found.append(trainer.advance(steps=5).learning_rate)
        trainer.advance(steps=5)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step", [0.1, 0.1, 0.05, 0.05, 0.025]),
        ("cosine", [0.1, 0.075, 0.025, 0, 0.025, 0.075, 0.1]),
        ("warmup", [0.1 / 3, 0.05, 0.2 / 3, 0.25 / 3, 0.1, 0.1]),
    ],
)
def test_the_rate_changes_at_the_end_of_each_epoch(name, expected):
    assert rates(KINDS[name], len(expected)) == pytest.approx(expected)


def with_a_rate_by_hand(config):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=13)
    trainer.set_learning_rate(0.4)
    trainer.advance(steps=32)
    return trainer


@kinds
def test_a_schedule_goes_on_from_a_rate_set_by_hand_and_so_does_the_script(config, forked, tmp_path):
    trainer = with_a_rate_by_hand(config)
    assert trainer.fast_steps > 20
    script = write_script(config, trainer.learning_rates, trainer.steps)
    assert "\n        scheduler.step()\n" in script
    assert equals(trainer.snapshot(), forked(script, tmp_path), tmp_path)


def test_after_a_rate_set_by_hand_the_next_one_is_made_out_of_it():
    assert with_a_rate_by_hand(KINDS["step"]).snapshot().learning_rate == 0.4 * 0.5 * 0.5


@kinds
@pytest.mark.parametrize("steps", [0, 10, 35, 40])
def test_a_scheduled_run_goes_on_bit_for_bit_from_its_checkpoint(config, steps):
    trainer = Trainer.from_config(config)
    stored = checkpoint.load(checkpoint.save(trainer.advance(steps=steps)))
    trainer.advance(steps=27)
    again = Trainer.from_config(stored.config)
    again.restore(stored)
    again.advance(steps=27)
    assert same(parts(again), parts(trainer))


def test_the_schedule_s_state_in_the_file_is_torch_s_own():
    trainer = Trainer.from_config(KINDS["cosine"])
    state = torch.load(io.BytesIO(checkpoint.save(trainer.advance(steps=25))), weights_only=True)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
    schedule.load_state_dict(state["scheduler_state_dict"])
    assert schedule.get_last_lr() == [trainer.learning_rate]


@kinds
def test_a_run_thrown_back_keeps_the_rate_set_by_hand_and_the_schedule(config):
    trainer = Trainer.from_config(config)
    saved = checkpoint.save(trainer.advance(steps=8))
    trainer.advance(steps=5)
    trainer.set_learning_rate(0.4)
    trainer.advance(steps=32)
    worker = Worker()
    changes = {"saved": saved, "learning_rates": trainer.learning_rates}
    worker.handle("open", "a", {"config": config.to_dict(), **changes})
    for _ in range(37):
        worker.handle("step_batch", "a", {})
    assert same(parts(worker.runs["a"].trainer)[:4], parts(trainer)[:4])


@pytest.mark.parametrize("clip_norm", [1e-3, 0.1, 1000])
def test_clipping_bounds_the_norm_of_the_gradients(clip_norm):
    trainer = Trainer.from_config(dataclasses.replace(PLAIN, clip_norm=clip_norm))
    plain = Trainer.from_config(PLAIN)
    for run in (plain, trainer):
        torch.manual_seed(1)
        run.step()
    norms = [
        torch.nn.utils.get_total_norm([parameter.grad for parameter in run.model.parameters()]).item()
        for run in (plain, trainer)
    ]
    assert norms[1] == pytest.approx(min(norms[0], clip_norm), rel=1e-3)


def test_a_page_that_comes_back_shows_the_rate_that_was_chosen_not_where_the_schedule_has_led():
    run = Run(KINDS["cosine"], None)
    run.frame = Frame({"step": 30, "status": "paused", "learning_rate": 0.0})
    assert (run.learning_rate, run.chosen_learning_rate) == (0.0, 0.1)
    run.learning_rates[20] = 0.3
    assert (run.learning_rate, run.chosen_learning_rate) == (0.0, 0.3)
    run.learning_rates[30] = 0.2  # no frame tells of it yet
    assert run.learning_rate == 0.2


# Several processes


@pytest.mark.parametrize("wrapped", [True, False])
def test_ranks_take_schedule_and_clipping_too(wrapped):
    config = dataclasses.replace(KINDS["step"], clip_norm=0.1)
    replay = Replay(config, Ranks(wrapped=wrapped))
    replay.train(11)  # an epoch of a rank is five batches
    assert [replica.trainer.learning_rate for replica in replay.replicas] == [0.05, 0.05]
    stored = checkpoint.load(replay.files()[1])
    assert stored.schedule_state["last_epoch"] == stored.epoch == 1
    script = write_distributed_script(config, Ranks(wrapped=wrapped))
    assert "clip_grad_norm_(model.parameters(), max_norm=0.1)" in script
    assert "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)" in script


# Files from anywhere


def stored(config, **changes):
    state = torch.load(io.BytesIO(checkpoint.save(Trainer.from_config(config).advance(steps=25))))
    schedule = state["scheduler_state_dict"]
    for name, value in changes.items():
        schedule[name] = value
    return state


def file_of(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"last_epoch": 3},
        {"last_epoch": True},
        {"_step_count": 1},
        {"step_size": 3},
        {"gamma": float("nan")},
        {"base_lrs": [0.2]},
        {"_last_lr": [float("nan")]},
        {"_last_lr": [-0.1]},
        {"_last_lr": ["0.1"]},
        {"_last_lr": []},
        {"optimizer": 1},
        {"get_lr": "x"},
    ],
    ids=str,
)
def test_a_schedule_s_state_that_is_not_of_its_settings_is_refused(changes):
    with pytest.raises(ToytrainError) as refusal:
        checkpoint.load(file_of(stored(KINDS["step"], **changes)))
    assert refusal.value.code == "optimizer"


@pytest.mark.parametrize("state", [None, [], {}, {1: 2}])
def test_a_file_of_a_scheduled_run_needs_the_schedule_s_state(state):
    with pytest.raises(ToytrainError) as refusal:
        checkpoint.load(file_of({**stored(KINDS["step"]), "scheduler_state_dict": state}))
    assert refusal.value.code == "optimizer"


def test_a_schedule_s_state_where_the_rate_is_constant_is_refused():
    state = {**stored(PLAIN), "scheduler_state_dict": stored(KINDS["step"])["scheduler_state_dict"]}
    with pytest.raises(ToytrainError) as refusal:
        checkpoint.load(file_of(state))
    assert refusal.value.code == "optimizer"


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, "0.1", None])
def test_a_rate_to_which_no_schedule_leads_is_refused(rate):
    state = stored(KINDS["cosine"])
    state["optimizer_state_dict"]["param_groups"][0]["lr"] = rate
    with pytest.raises(ToytrainError) as refusal:
        checkpoint.load(file_of(state))
    assert refusal.value.code == "optimizer"


def test_a_checkpoint_from_before_there_were_schedules_loads():
    state = stored(PLAIN)
    del state["scheduler_state_dict"]
    for name in ("schedule", "step_size", "gamma", "t_max", "warmup_epochs", "clip_norm", "patience"):
        del state["config"][name]
    assert checkpoint.load(file_of(state)).config == PLAIN
