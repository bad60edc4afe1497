"""The Worker, in this process and by a clock of its own: whose turn it is, and what is told of it.

The clock stands still unless a batch is trained, which takes a millisecond of it, or unless there
is nothing to do. Losses and weights are compared with a Trainer that has the process to itself.
"""

import dataclasses
import itertools
import json
import random
from array import array
from types import SimpleNamespace

import pytest
import torch
from conftest import same

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.engine import worker as worker_module
from toytrain.engine.turns import SLICE
from toytrain.engine.views import VIEWS
from toytrain.engine.worker import FRAME_EVERY, RESOLUTION, SAVE_EVERY, Worker

# 80 training examples in batches of 8: ten batches an epoch.
PLAIN = Config(points=100, batch_size=8)
DROPOUT = dataclasses.replace(PLAIN, dropout=0.4, seed=7)
BATCH = 0.001  # seconds


class Clock:
    """Seconds that pass only where somebody says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The time of the worker and of its Trainers; a batch takes `clock.batch[seed]` of it."""
    clock = Clock()
    clock.batch = {}
    step = Trainer.step

    def timed(self):
        clock.now += clock.batch.get(self.config.seed, BATCH)
        return step(self)

    monkeypatch.setattr(Trainer, "step", timed)
    monkeypatch.setattr("toytrain.trainer.time", SimpleNamespace(perf_counter=clock))
    return clock


@pytest.fixture
def worker(clock):
    return Worker(clock)


def opened(worker, config=PLAIN, run_id="a", **arguments):
    """The Trainer of a run just opened."""
    worker.handle("open", run_id, {"config": config.to_dict(), **arguments})
    return worker.runs[run_id].trainer


def command(worker, name, run_id="a", **arguments):
    return worker.handle(name, run_id, arguments)


def want_boundary(worker, run_id="a"):
    command(worker, "want_frame", run_id, views=["boundary"])


def host(worker, clock, seconds=1.0):
    """Carry the worker for so long as its process does: tick, and sleep until something is due."""
    frames = []
    end = clock.now + seconds
    while clock.now < end:
        before = clock.now
        frames += worker.tick()
        due = worker.seconds_until_due()
        if due is None:
            break
        if due or clock.now == before:
            clock.now = min(end, clock.now + max(due, 1e-4))
    return frames


def still(worker, clock):
    """Whether a run left to itself for a second trains nothing."""
    before = [run.trainer.steps for run in worker.runs.values()]
    host(worker, clock)
    return before == [run.trainer.steps for run in worker.runs.values()]


def alone(config, steps):
    return Trainer.from_config(config).advance(steps=steps)


def told_losses(frames, run_id="a"):
    """The losses of a run put together from its frames, each told exactly once and in order."""
    losses = array("f")
    for told, frame in frames:
        if told == run_id:
            assert frame.losses_from == len(losses)
            losses.frombytes(frame.losses)
    return losses


def pictures(frames, run_id="a"):
    return [arrays["picture"] for told, frame in frames if told == run_id for arrays in frame.views.values()
            if "picture" in arrays]  # fmt: skip


def test_many_watched_runs_get_fewer_frames_and_are_told_so(worker, clock):
    few, many = "ab", "abcdefghijklmnopqrst"
    slowed = {}
    for runs in few, many:
        for run_id in runs:
            if run_id not in worker.runs:
                opened(worker, PLAIN, run_id)
            command(worker, "play", run_id)
        for _ in range(40):
            for run_id in runs:
                command(worker, "want_frame", run_id)
            frames = host(worker, clock, 0.05)
        slowed[len(runs)] = frames[-1][1].header["slowed_by"]
    assert slowed == {2: 0, 20: 20}


# Turns


def test_a_new_run_stands_still(worker, clock):
    trainer = opened(worker)
    assert still(worker, clock)
    assert trainer.steps == 0


def test_runs_that_play_take_turns_slice_by_slice(worker, clock):
    trainers = [opened(worker, PLAIN, run_id) for run_id in "abc"]
    for run_id in "abc":
        command(worker, "play", run_id)
    for _ in range(30):
        worker.tick()
    assert trainers[0].steps > 10
    assert len({trainer.steps for trainer in trainers}) == 1


def test_a_run_of_costly_batches_gets_no_more_time_than_another(worker, clock):
    clock.batch = {1: 4 * BATCH, 2: BATCH}
    costly, cheap = (opened(worker, dataclasses.replace(PLAIN, seed=seed), f"{seed}") for seed in (1, 2))
    command(worker, "play", "1")
    command(worker, "play", "2")
    for _ in range(100):
        worker.tick()
    assert costly.steps * 4 * BATCH == pytest.approx(cheap.steps * BATCH, rel=0.1)


def test_a_turn_ends_after_the_slice(worker, clock):
    trainer = opened(worker)
    command(worker, "play")
    started = clock.now
    worker.tick()
    assert SLICE <= clock.now - started < SLICE + 2 * BATCH
    assert trainer.steps > 1


def test_a_run_that_stands_still_takes_no_turn_from_another(worker, clock):
    playing = opened(worker, PLAIN, "playing")
    opened(worker, PLAIN, "paused")
    command(worker, "play", "playing")
    started = clock.now
    for _ in range(10):
        worker.tick()
    assert playing.steps * BATCH == pytest.approx(clock.now - started)


def test_a_paused_run_trains_no_more(worker, clock):
    trainer = opened(worker)
    command(worker, "play")
    host(worker, clock)
    assert command(worker, "pause") == trainer.steps > 0
    assert still(worker, clock)
    assert worker.runs["a"].status == "paused"


def test_a_paused_run_plays_on(worker, clock):
    trainer = opened(worker)
    command(worker, "play")
    host(worker, clock, 0.1)
    command(worker, "pause")
    paused_at = trainer.steps
    command(worker, "play")
    host(worker, clock, 0.1)
    assert trainer.steps > paused_at
    assert same(trainer.snapshot().losses, alone(PLAIN, trainer.steps).losses)


# Steps


@pytest.mark.parametrize("before", ["paused", "playing"])
def test_step_batch_trains_exactly_one(worker, clock, before):
    trainer = opened(worker)
    command(worker, "play")
    host(worker, clock, 0.1)
    if before == "paused":
        command(worker, "pause")
    steps = trainer.steps
    assert command(worker, "step_batch") == steps + 1
    assert still(worker, clock)
    assert trainer.steps == steps + 1
    assert same(trainer.snapshot().losses, alone(PLAIN, steps + 1).losses)


@pytest.mark.parametrize(("done", "end"), [(0, 10), (3, 10), (9, 10), (10, 20), (15, 20)])
def test_step_epoch_ends_at_the_end_of_the_epoch(worker, clock, done, end):
    trainer = opened(worker)
    for _ in range(done):
        command(worker, "step_batch")
    assert command(worker, "step_epoch") == end
    host(worker, clock)
    assert (trainer.steps, trainer.batch) == (end, 0)
    assert still(worker, clock)


def test_step_epoch_does_not_wait_for_the_epoch(worker):
    trainer = opened(worker)
    command(worker, "step_epoch")
    assert trainer.steps == 0
    assert worker.runs["a"].playing


def test_a_run_that_has_ended_is_not_trained_on(worker, clock):
    trainer = opened(worker, dataclasses.replace(PLAIN, epochs=2))
    command(worker, "play")
    host(worker, clock)
    for name in ("play", "step_batch", "step_epoch"):
        command(worker, name)
        host(worker, clock)
    assert trainer.steps == 20
    assert worker.runs["a"].status == "finished"


def test_a_run_that_diverges_stands_still_and_says_where(worker, clock):
    config = Config(dataset="gaussians", activation="linear", learning_rate=100, points=100, batch_size=8)
    opened(worker, config)
    command(worker, "play")
    frames = host(worker, clock)
    assert frames[-1][1].header["status"] == "diverged"
    assert frames[-1][1].header["message"] == Trainer.from_config(config).advance().diverged != ""
    assert worker.seconds_until_due() is None


# Speed


@pytest.mark.parametrize("speed", [1, 5, 20, 100, 500])
def test_a_run_trains_as_many_batches_per_second_as_its_speed_says(worker, clock, speed):
    trainer = opened(worker, speed=speed)
    command(worker, "play")
    host(worker, clock, 10)
    assert trainer.steps == pytest.approx(10 * speed, abs=2)


def test_a_slow_run_trains_its_first_batch_at_once(worker, clock):
    trainer = opened(worker, speed=1)
    command(worker, "play")
    worker.tick()
    assert trainer.steps == 1


def test_a_slow_run_leaves_its_time_to_others(worker, clock):
    slow, fast = opened(worker, PLAIN, "slow", speed=20), opened(worker, PLAIN, "fast")
    command(worker, "play", "slow")
    command(worker, "play", "fast")
    host(worker, clock, 5)
    assert slow.steps == pytest.approx(100, abs=2)
    assert (slow.steps + fast.steps) * BATCH == pytest.approx(5, rel=0.02)


def test_a_changed_speed_holds_from_now_on(worker, clock):
    trainer = opened(worker, speed=100)
    command(worker, "play")
    host(worker, clock, 2)
    command(worker, "set_speed", speed=5)
    before = trainer.steps
    host(worker, clock, 10)
    assert trainer.steps - before == pytest.approx(50, abs=2)


def test_time_in_which_a_run_stood_still_is_not_made_up_for(worker, clock):
    trainer = opened(worker, speed=10)
    command(worker, "play")
    host(worker, clock)
    command(worker, "pause")
    before = trainer.steps
    clock.now += 60
    command(worker, "play")
    host(worker, clock)
    assert trainer.steps - before == pytest.approx(10, abs=2)


def test_a_machine_that_was_too_slow_does_not_make_up_for_all_of_it(worker, clock):
    trainer = opened(worker, speed=100)
    clock.batch = {PLAIN.seed: 0.1}
    command(worker, "play")
    host(worker, clock, 5)
    before = trainer.steps
    clock.batch = {}
    host(worker, clock, 1)
    assert trainer.steps - before == pytest.approx(100, abs=52)


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), -1.0])
def test_a_speed_that_is_none_is_refused_and_changes_nothing(worker, clock, speed):
    trainer = opened(worker, speed=20)
    with pytest.raises(ToytrainError, match="batches per second"):
        command(worker, "set_speed", speed=speed)
    command(worker, "play")
    host(worker, clock, 1)
    assert trainer.steps == pytest.approx(20, abs=2)


# When there is something to do


def test_a_worker_without_runs_waits_for_a_command(worker):
    assert worker.tick() == []
    assert worker.seconds_until_due() is None


def test_a_worker_whose_runs_stand_still_waits_for_a_command(worker, clock):
    opened(worker)
    command(worker, "step_batch")
    host(worker, clock)
    assert worker.seconds_until_due() is None


def test_a_worker_with_a_run_that_plays_as_fast_as_it_goes_does_not_wait(worker):
    opened(worker)
    command(worker, "play")
    worker.tick()
    assert worker.seconds_until_due() == 0


def test_a_worker_waits_until_the_next_batch_of_a_slow_run_is_due(worker, clock):
    opened(worker, speed=1)
    command(worker, "play")
    worker.tick()
    assert worker.seconds_until_due() == pytest.approx(1, abs=2 * BATCH)
    clock.now += 0.25
    assert worker.seconds_until_due() == pytest.approx(0.75, abs=2 * BATCH)


# Frames


def test_a_frame_comes_only_when_somebody_wants_it(worker, clock):
    opened(worker)
    worker.tick()
    command(worker, "play")
    host(worker, clock, SAVE_EVERY / 2)
    assert host(worker, clock, 0.5) == []
    want_boundary(worker)
    assert len(pictures(host(worker, clock, 0.2))) == 1
    assert host(worker, clock, 0.2) == []


def test_a_frame_comes_only_to_who_wanted_it(worker, clock):
    for run_id in "ab":
        opened(worker, PLAIN, run_id)
        command(worker, "play", run_id)
    worker.tick()
    want_boundary(worker, "b")
    frames = host(worker, clock, 0.5)
    assert pictures(frames, "a") == []
    assert len(pictures(frames, "b")) == 1


def test_a_frame_comes_only_when_something_has_changed(worker, clock):
    opened(worker)
    want_boundary(worker)
    assert len(pictures(host(worker, clock))) == 1
    want_boundary(worker)
    assert host(worker, clock) == []
    command(worker, "step_batch")
    assert len(pictures(host(worker, clock))) == 1


def test_frames_of_a_run_that_is_watched_all_the_time_keep_their_distance(worker, clock):
    opened(worker)
    command(worker, "play")
    moments = []
    end = clock.now + 2
    while clock.now < end:
        want_boundary(worker)
        if pictures(worker.tick()):
            moments.append(clock.now)
    assert len(moments) > 20
    assert min(after - before for before, after in itertools.pairwise(moments)) >= FRAME_EVERY


def test_a_run_that_nobody_watches_makes_no_picture(worker, clock, monkeypatch):
    def look(*_):
        raise AssertionError("somebody looked")

    monkeypatch.setattr(worker_module, "Look", look)
    opened(worker)
    command(worker, "play")
    frames = host(worker, clock, 3 * SAVE_EVERY)
    command(worker, "pause")
    frames += worker.tick()
    assert len(frames) >= 3  # of status and to be saved
    assert pictures(frames) == []


def test_each_loss_is_told_exactly_once(worker, clock):
    trainer = opened(worker, dataclasses.replace(PLAIN, epochs=300))
    command(worker, "play")
    rng = random.Random(0)
    frames = []
    while worker.runs["a"].playing:
        if rng.random() < 0.2:
            command(worker, "want_frame")
        frames += host(worker, clock, rng.random() / 10)
    frames += host(worker, clock)
    assert len(frames) > 5
    assert told_losses(frames) == trainer.losses
    assert told_losses(frames).tolist() == alone(trainer.config, 3000).losses.tolist()


def test_each_row_of_test_figures_is_told_exactly_once(worker, clock):
    trainer = opened(worker, dataclasses.replace(PLAIN, epochs=30))
    command(worker, "play")
    frames = []
    while worker.runs["a"].playing:
        command(worker, "want_frame")
        frames += host(worker, clock, 0.05)
    frames += host(worker, clock)
    tests = array("d")
    for _, frame in frames:
        assert frame.tests_from == len(tests) // 3
        tests.frombytes(frame.tests)
    assert tests == trainer.tests
    assert len(tests) == 90


def test_every_change_of_status_is_told_without_being_asked_for(worker, clock):
    opened(worker, dataclasses.replace(PLAIN, epochs=20))
    told = [frame.header["status"] for _, frame in worker.tick()]
    for name in ("play", "pause", "play"):
        command(worker, name)
        told += [frame.header["status"] for _, frame in worker.frames()]
    told += [frame.header["status"] for _, frame in host(worker, clock)]
    assert told == ["paused", "playing", "paused", "playing", "finished"]


def test_a_frame_says_what_a_snapshot_says(worker, clock):
    config = dataclasses.replace(PLAIN, dataset="spirals", classes=3)
    opened(worker, config)
    for _ in range(13):
        command(worker, "step_batch")
    want_boundary(worker)
    ((_, frame),) = worker.frames()
    snapshot = alone(config, 13)
    said = {name: frame.header[name] for name in ("step", "epoch", "batch", "batches", "samples")}
    assert said == {"step": 13, "epoch": 1, "batch": 3, "batches": 10, "samples": 103}
    assert frame.header["learning_rate"] == config.learning_rate
    for name, dataset in (("train", snapshot.data.train), ("test", snapshot.data.test)):
        figures = frame.header[f"{name}_loss"], frame.header[f"{name}_score"]
        assert figures == snapshot.evaluate(dataset)
    shades = snapshot.task.shades(snapshot.grid_logits(RESOLUTION), 0, 1)
    assert frame.views["boundary"]["picture"] == ("u1", shades.numpy().tobytes())
    wrong = []
    for dataset in (snapshot.data.train, snapshot.data.test):
        wrong += (snapshot.predictions(dataset.features) != dataset.labels).tolist()
    assert any(wrong)
    _, bits = frame.views["boundary"]["wrong"]
    assert [bool(bits[n // 8] >> n % 8 & 1) for n in range(len(wrong))] == wrong


def test_a_frame_holds_the_views_that_are_wanted_and_no_others(worker, clock):
    opened(worker)
    command(worker, "want_frame")
    ((_, frame),) = worker.frames()
    assert frame.views == {"figures": {}}
    assert frame.header["test_loss"] > 0
    want_boundary(worker)  # wanted later, of a run that has stood still
    ((_, frame),) = host(worker, clock, 0.1)
    assert frame.views.keys() == {"boundary"}


def test_a_view_that_was_lost_is_made_again_although_nothing_has_changed(worker, clock):
    opened(worker)
    want_boundary(worker)
    assert len(pictures(host(worker, clock, 0.1))) == 1
    command(worker, "want_frame", views=["boundary"], missing=["boundary"])
    assert len(pictures(host(worker, clock, 0.1))) == 1


@pytest.mark.parametrize(
    "view", ["", "nothing", "boundary:1", "boundary:", "boundary:x", ":", "__class__", "VIEWS"]
)
def test_a_view_that_there_is_not_is_empty(worker, clock, view):
    opened(worker)
    command(worker, "want_frame", views=[view])
    ((_, frame),) = worker.frames()
    assert frame.views[view] == {}


def test_a_frame_of_figures_that_are_not_finite_can_still_be_read_by_a_browser(worker, clock):
    trainer = opened(worker, dataclasses.replace(PLAIN, dataset="gaussians"))
    with torch.no_grad():
        trainer.model.layers[0].weight.fill_(float("inf"))
    command(worker, "want_frame")
    ((_, frame),) = worker.frames()
    json.dumps(frame.header, allow_nan=False)
    assert frame.header["train_loss"] is None


# A run's bits are its own


@pytest.mark.parametrize("speed", [0, 100])
def test_two_runs_in_turn_have_the_bits_of_two_runs_alone(worker, clock, speed):
    configs = {"a": DROPOUT, "b": dataclasses.replace(DROPOUT, seed=8, optimizer="adam", learning_rate=0.01)}
    for run_id, config in configs.items():
        opened(worker, config, run_id, speed=speed)
        command(worker, "play", run_id)
    host(worker, clock, 3)
    for run_id, config in configs.items():
        snapshot = worker.runs[run_id].trainer.snapshot()
        assert snapshot.steps > 200
        expected = alone(config, snapshot.steps)
        assert same(snapshot.losses, expected.losses)
        assert same(snapshot.weights, expected.weights)
        assert same(snapshot.tests, expected.tests)


def test_looking_saving_and_opening_others_change_no_bit_of_a_run(worker, clock):
    trainer = opened(worker, DROPOUT)
    command(worker, "play")
    for number in range(20):
        host(worker, clock, 0.02)
        command(worker, "want_frame")
        for name in ("model", "checkpoint", "script"):
            command(worker, name)
        opened(worker, dataclasses.replace(DROPOUT, dataset="spirals"), f"other {number}")
        command(worker, "step_batch", f"other {number}")
        torch.rand(3)  # whatever else this process draws
    expected = alone(DROPOUT, trainer.steps)
    assert trainer.steps > 100
    assert same(trainer.snapshot().losses, expected.losses)
    assert same(trainer.snapshot().weights, expected.weights)


def test_a_changed_learning_rate_holds_from_the_next_batch_on(worker, clock):
    trainer = opened(worker, DROPOUT)
    command(worker, "play")
    host(worker, clock, 0.1)
    changed_at = command(worker, "set_learning_rate", learning_rate=0.5)
    host(worker, clock, 0.1)
    expected = Trainer.from_config(DROPOUT)
    expected.advance(steps=changed_at)
    expected.set_learning_rate(0.5)
    expected.advance(steps=trainer.steps - changed_at)
    assert 0 < changed_at < trainer.steps
    assert same(trainer.snapshot().losses, expected.snapshot().losses)


def test_what_is_taken_along_is_what_the_run_alone_would_give(worker, clock):
    trainer = opened(worker, DROPOUT)
    command(worker, "play")
    host(worker, clock, 0.5)
    command(worker, "pause")
    expected = alone(DROPOUT, trainer.steps)
    assert command(worker, "model") == checkpoint.save_weights(expected)
    assert command(worker, "checkpoint") == checkpoint.save(expected)


@pytest.mark.parametrize("config", [DROPOUT, dataclasses.replace(PLAIN, optimizer="adam", batch_norm=True)])
def test_a_run_brought_back_from_what_was_told_goes_on_bit_for_bit(worker, clock, config):
    opened(worker, config)
    command(worker, "play")
    frames = worker.frames() + host(worker, clock, 1.5 * SAVE_EVERY)
    changed_at = command(worker, "set_learning_rate", learning_rate=0.03)
    frames += host(worker, clock, 0.5)
    *_, saved = (frame for _, frame in frames if frame.checkpoint is not None)
    steps = saved.header["step"]
    assert 0 < steps < changed_at
    tests = array("d", b"".join(frame.tests for _, frame in frames))
    known = 3 * sum(step <= steps for step in tests[::3])
    other = Worker(clock)
    again = opened(
        other,
        config,
        saved=saved.checkpoint,
        history=(told_losses(frames)[:steps].tobytes(), tests[:known].tobytes()),
        learning_rates={changed_at: 0.03},
        until=changed_at + 200,
    )
    told = host(other, clock, 5)
    expected = Trainer.from_config(config)
    expected.advance(steps=changed_at)
    expected.set_learning_rate(0.03)
    snapshot = expected.advance(steps=200)
    assert same(again.snapshot().losses, snapshot.losses)
    assert same(again.snapshot().tests, snapshot.tests)
    assert same(again.snapshot().weights, snapshot.weights)
    assert told[0][1].losses_from == steps  # what the page held before is not told again


# What is refused, and what goes wrong


def test_a_config_out_of_range_is_refused_with_its_field(worker):
    with pytest.raises(ToytrainError, match="batch_size = 0") as refusal:
        command(worker, "open", config={**PLAIN.to_dict(), "batch_size": 0})
    assert refusal.value.field == "batch_size"
    assert worker.runs == {}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (dataclasses.replace(PLAIN, batch_size=81, drop_last=True), "batch_size"),
        (dataclasses.replace(PLAIN, batch_norm=True, batch_size=79), "batch_norm"),
    ],
)
def test_a_config_that_does_not_fit_its_data_is_refused_with_its_field(worker, clock, config, field):
    with pytest.raises(ToytrainError) as refusal:
        command(worker, "open", config=config.to_dict())
    assert refusal.value.field == field
    assert worker.runs == {}
    assert worker.tick() == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("play", {}),
        ("pause", {}),
        ("step_batch", {}),
        ("step_epoch", {}),
        ("set_learning_rate", {"learning_rate": 0.5}),
        ("half_step", {}),
        ("begun_step", {}),
        ("find_learning_rate", {"begin": True}),
        ("edit_weight", {"key": "layers.0.bias", "index": (0,), "value": 0.5}),
        ("set_speed", {"speed": 5}),
        ("want_frame", {}),
        ("tensors", {}),
        ("model", {}),
        ("initial_model", {}),
        ("safetensors", {}),
        ("checkpoint", {}),
        ("script", {}),
        ("fast_step", {}),
        ("look", {"probe": "gradient"}),
        ("scripts", {}),
        ("deal_epoch", {}),
        ("trace", {"x1": 0.0, "x2": 0.0}),
        ("evaluation", {"part": "test"}),
    ],
)
def test_a_command_to_a_closed_run_is_refused(worker, clock, name, arguments):
    opened(worker)
    command(worker, "play")
    command(worker, "close")
    with pytest.raises(ToytrainError, match="closed"):
        command(worker, name, **arguments)
    assert worker.tick() == []


@pytest.mark.parametrize(("limit", "most"), [("MOST_STEPS", 25), ("MOST_EPOCHS", 3)])
def test_a_run_ends_at_the_most_that_it_may_train_and_says_so(worker, clock, monkeypatch, limit, most):
    monkeypatch.setattr(worker_module, limit, most)
    trainer = opened(worker)
    command(worker, "play")
    frames = host(worker, clock)
    longest = most if limit == "MOST_STEPS" else most * len(trainer.train_loader)
    assert trainer.steps == longest
    assert frames[-1][1].header["status"] == "finished"
    assert f"{most} " in frames[-1][1].header["message"]
    command(worker, "step_batch")
    command(worker, "play")
    assert still(worker, clock)
    saved = command(worker, "checkpoint")
    again = opened(worker, run_id="b", saved=saved)
    command(worker, "play", "b")
    assert still(worker, clock)
    assert again.steps == longest


def test_a_run_from_a_files_weights_starts_from_them_and_keeps_them(worker, clock):
    weights = checkpoint.save_weights(alone(DROPOUT, 12))
    trainer = opened(worker, PLAIN, weights=weights)
    assert same(list(trainer.model.state_dict().values()), list(checkpoint.load(weights).weights.values()))
    command(worker, "step_batch")
    assert checkpoint.load(command(worker, "initial_model")).weights.keys() == trainer.initial_weights.keys()
    again = opened(worker, PLAIN, "b", saved=command(worker, "checkpoint"))
    assert same(again.initial_weights, trainer.initial_weights)
    assert same(again.model.state_dict(), trainer.model.state_dict())


def test_weights_of_another_network_are_refused_and_no_run_is_made(worker):
    weights = checkpoint.save_weights(alone(dataclasses.replace(PLAIN, hidden=(9,)), 0))
    with pytest.raises(ToytrainError, match=r"layers\.0\.weight is 9 x 2 in them and 30 x 2") as refusal:
        opened(worker, PLAIN, weights=weights)
    assert refusal.value.code == "unfit"
    assert worker.runs == {}


def test_a_checkpoint_without_its_losses_makes_no_run_as_that_could_not_be_saved(worker, clock):
    without = dataclasses.replace(alone(PLAIN, 3), loss_history=array("f"))
    with pytest.raises(ToytrainError, match="without its losses") as refusal:
        opened(worker, PLAIN, saved=checkpoint.save(without))
    assert refusal.value.code == "settings"
    assert worker.runs == {}


def test_the_fast_step_of_a_run_can_be_read_and_changes_nothing():
    worker = Worker()
    opened(worker, DROPOUT)
    reason, source = command(worker, "fast_step")
    assert reason == ""
    assert "def step(features, labels, learning_rate, number):" in source
    for _ in range(3):
        command(worker, "step_batch")
    assert worker.runs["a"].trainer.losses.tolist() == alone(DROPOUT, 3).losses.tolist()


def test_a_run_whose_weights_the_seed_drew_has_no_initial_file(worker):
    opened(worker)
    with pytest.raises(ToytrainError, match="its seed drew"):
        command(worker, "initial_model")


def test_the_refusals_above_are_those_of_every_command():
    (mark,) = test_a_command_to_a_closed_run_is_refused.pytestmark
    tried = {name for name, _ in mark.args[1]}
    assert tried == set(worker_module.COMMANDS) - worker_module.WITHOUT_A_RUN


def test_closing_a_run_twice_is_no_error(worker):
    opened(worker)
    command(worker, "close")
    command(worker, "close")


def test_closing_a_run_leaves_the_others_their_turns(worker, clock):
    trainers = {run_id: opened(worker, PLAIN, run_id) for run_id in "abc"}
    for run_id in "abc":
        command(worker, "play", run_id)
    host(worker, clock, 0.1)
    command(worker, "close", "b")
    host(worker, clock, 0.1)
    assert trainers["a"].steps > trainers["b"].steps
    assert trainers["c"].steps > trainers["b"].steps


def test_a_run_whose_training_raises_does_not_end_the_others(worker, clock, monkeypatch):
    good, bad = opened(worker, DROPOUT, "good"), opened(worker, PLAIN, "bad")

    def broken():
        if bad.steps == 30:
            raise ZeroDivisionError("a bug")
        return Trainer.step(bad)

    monkeypatch.setattr(bad, "step", broken)
    command(worker, "play", "good")
    command(worker, "play", "bad")
    frames = host(worker, clock)
    assert [frame.header["status"] for told, frame in frames if told == "bad"][-1] == "failed"
    assert "ZeroDivisionError" in worker.runs["bad"].failed
    assert bad.steps == 30
    assert good.steps > 500
    assert same(good.snapshot().losses, alone(DROPOUT, good.steps).losses)


def test_a_batch_that_raises_when_stepped_says_so_and_trains_no_more(worker, clock, monkeypatch):
    trainer = opened(worker)
    monkeypatch.setattr(trainer, "next_batch", lambda: 1 / 0)
    command(worker, "step_batch")
    command(worker, "play")
    assert worker.frames()[-1][1].header["message"] == worker.runs["a"].failed != ""
    assert still(worker, clock)


def test_a_view_with_a_mistake_ends_nobodys_run(worker, monkeypatch):
    def broken(look):
        raise ZeroDivisionError

    monkeypatch.setitem(VIEWS, "boundary", broken)
    worker.open("one", Config().to_dict())
    worker.want_frame("one", ("boundary",))
    ((_, frame),) = worker.tick()
    assert frame.views["boundary"] == {}
    assert frame.header["status"] == "paused"
