"""Distributed training: the book's figures from real processes and from the replay, what goes wrong
and what one sees of it, torchrun, and that no process is left behind.

The figures were measured with plain PyTorch 2.13.0 and gloo on a CPU, without this project's code.
Whatever starts rank processes takes seconds for their imports, and is marked slow.
"""

import ast
import contextlib
import dataclasses
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
import torch.nn.functional as F
from conftest import ENVIRONMENT, same
from torch.utils.data.distributed import DistributedSampler

from toytrain import Config, NeuralNetwork, ToytrainError, Trainer, checkpoint, distributed, make_data
from toytrain.distributed import Cluster, Ranks
from toytrain.distributed.processes import Cancelled, Places
from toytrain.distributed.rank import joined, open_store
from toytrain.distributed.script import write_distributed_script
from toytrain.script import write_script

BOOK = Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
FIGURES = {
    "1 process": (Ranks(1), 1e-5, [[0.663586, 0.325696, 0.101208, 0.073985, 0.040572, 0.013294]]),
    "2 processes": (Ranks(2), 1e-5, [[0.663780, 0.227321, 0.134252], [0.668005, 0.445244, 0.105021]]),
    "not wrapped": (
        Ranks(2, wrapped=False),
        1e-5,
        [[0.663780, 0.244380, 0.317653], [0.668005, 0.466799, 0.182783]],
    ),
    "no set_epoch": (Ranks(2, set_epoch=False), 0.5e-2, [[0.66, 0.32, 0.11], [0.67, 0.33, 0.13]]),
}
KINDS = ["replay", pytest.param("real", marks=pytest.mark.slow)]
slow = pytest.mark.slow
kinds = pytest.mark.parametrize("kind", KINDS)


def ended(run, seconds=60):
    """The run's last view, when it has ended."""
    with run.changed:
        assert run.changed.wait_for(lambda: run.ended, seconds)
    return run.view()


def gone(pids, seconds=5):
    """Whether none of the processes lives after so many seconds at the most."""
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not [pid for pid in pids if psutil.pid_exists(pid)]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.stop()
    assert gone(cluster.host.pids)


@pytest.fixture
def opened(cluster):
    """Opens a run and closes it after the test."""
    runs = []

    def open_run(config, ranks, kind="replay", **arguments):
        runs.append(cluster.open(config, ranks, kind, **arguments))
        return runs[-1]

    yield open_run
    for run in runs:
        pids = run.pids if run.kind == "real" else ()
        cluster.close(run)
        assert gone(pids, 0)


@pytest.fixture(scope="module")
def book(cluster):
    """The book's training, by kind and figure: trained step by step once, then kept."""
    kept = {}

    def train(kind, name):
        if (kind, name) not in kept:
            run = cluster.open(BOOK, FIGURES[name][0], kind)
            run.play()
            ended(run)
            kept[kind, name] = run
        return kept[kind, name]

    return train


# The book's figures


@kinds
@pytest.mark.parametrize("name", FIGURES)
def test_the_losses_are_the_measured_ones(kind, name, book):
    _, within, figures = FIGURES[name]
    view = book(kind, name).view()
    assert view.status == "finished"
    assert torch.allclose(torch.tensor(view.losses), torch.tensor(figures), rtol=0, atol=within)


@kinds
@pytest.mark.parametrize("name", FIGURES)
def test_accuracy_is_that_of_the_whole_sets_on_every_rank(kind, name, book):
    view = book(kind, name).view()
    assert view.scores == ((1.0, 1.0),) * len(view.losses)


@slow
@pytest.mark.parametrize("name", FIGURES)
def test_the_replay_reports_what_the_processes_report(name, book):
    real, replay = book("real", name), book("replay", name)
    assert real.steps == replay.steps
    for number in range(1, real.steps + 1):
        one, other = real.step_at(number), replay.step_at(number)
        assert dataclasses.replace(one, losses=(), gradients=(), averages=()) == dataclasses.replace(
            other, losses=(), gradients=(), averages=()
        )
        for name in ("losses", "gradients", "averages"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-6)


@slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_replay_equals_the_processes_with_every_kind_of_layer(optimizer, opened):
    config = Config(
        points=97, batch_size=8, dropout=0.3, batch_norm=True, l1=0.001, optimizer=optimizer,
        weight_decay=0.01, features=("x1", "x1*x2"), learning_rate=0.01, epochs=3,
    )  # fmt: skip
    views = []
    for kind in ("real", "replay"):
        run = opened(config, Ranks(3), kind)
        run.play()
        views.append(ended(run))
        weights = checkpoint.load(run.checkpoint()).weights
        views.append(torch.cat([tensor.flatten().float() for tensor in weights.values()]))
    real, real_weights, replay, replay_weights = views
    assert real.steps == replay.steps == 3 * 4
    assert torch.allclose(torch.tensor(real.losses), torch.tensor(replay.losses), rtol=0, atol=1e-6)
    assert torch.allclose(real_weights, replay_weights, rtol=0, atol=1e-5)


# What each switch shows


@kinds
def test_wrapped_replicas_have_equal_weights_after_every_step(kind, book):
    run = book(kind, "2 processes")
    assert all(run.step_at(number).equal for number in (1, 2, 3))
    assert run.view().spread == 0


@kinds
def test_the_average_is_that_of_the_ranks_gradients(kind, book):
    run = book(kind, "2 processes")
    for number in (1, 2, 3):
        step = run.step_at(number)
        assert step.gradients[0] != step.gradients[1]
        assert step.averages == pytest.approx([sum(step.gradients) / 2] * 2, abs=1e-7)


@kinds
def test_replicas_that_are_not_wrapped_drift_apart(kind, book):
    run = book(kind, "not wrapped")
    assert not any(run.step_at(number).equal for number in (1, 2, 3))
    assert run.step_at(3).averages == run.step_at(3).gradients
    assert run.view().spread > 0.01


def test_without_set_epoch_every_epoch_has_the_same_shards(cluster):
    plan = cluster.plan(BOOK, Ranks(2, set_epoch=False))
    assert plan.epochs[0] == plan.epochs[1] == plan.epochs[2]


@kinds
def test_unseeded_ranks_train_to_other_losses_each_time(kind, opened):
    losses = []
    for _ in range(2):
        run = opened(BOOK, Ranks(2, seeded=False), kind)
        run.play()
        losses.append(ended(run).losses)
    assert losses[0] != losses[1]


def test_unseeded_ranks_begin_with_the_weights_of_rank_0_only_if_they_are_wrapped(opened):
    for wrapped in (True, False):
        run = opened(BOOK, Ranks(2, seeded=False, wrapped=wrapped))
        run.wait_until_up()
        assert (run.view().spread == 0) is wrapped


@kinds
def test_a_loader_that_shuffles_beside_the_sampler_is_refused_in_pytorch_s_own_words(kind, opened):
    run = opened(BOOK, Ranks(2, loader_shuffle=True), kind)
    with pytest.raises(ToytrainError, match="sampler option is mutually exclusive with shuffle") as refused:
        run.wait_until_up()
    assert refused.value.field == "loader_shuffle"
    assert run.status == "failed"


@kinds
def test_more_ranks_than_batches_are_refused_before_there_is_a_process(kind, opened):
    run = opened(BOOK, Ranks(8), kind)
    with pytest.raises(ToytrainError, match="world_size = 8: no rank has a full batch"):
        run.step()
    assert run.view().message.startswith("world_size = 8: no rank has a full batch")
    assert run.kind == "replay" or run.pids == ()


def test_more_ranks_than_batches_train_if_the_last_batch_need_not_be_full(opened):
    run = opened(dataclasses.replace(BOOK, drop_last=False), Ranks(8))
    run.step()
    assert [len(rows) for rows in run.view().last.rows] == [1] * 8


@pytest.mark.parametrize("world_size", [0, -1, 2.0, True, "2", None])
def test_a_world_size_that_is_no_count_is_refused(world_size):
    with pytest.raises(ToytrainError, match="world_size = ") as refused:
        Ranks(world_size)
    assert refused.value.field == "world_size"


def test_more_ranks_than_one_machine_should_carry_are_refused(cluster):
    with pytest.raises(ToytrainError, match="world_size = 9 is too many"):
        cluster.open(BOOK, Ranks(9))


def test_a_last_batch_of_one_is_refused_beside_batch_norm(cluster):
    config = Config(points=50, test_fraction=0.2, batch_size=19, batch_norm=True)
    cluster.plan(config, Ranks(1))
    with pytest.raises(ToytrainError, match="batch_norm = True cannot work on a last batch of 1: 20 "):
        cluster.plan(config, Ranks(2))


# The shards


@pytest.mark.parametrize(
    ("world_size", "rank", "rows"),
    [
        (1, 0, [[4, 0, 1, 3, 2], [0, 4, 2, 3, 1], [3, 4, 1, 0, 2]]),
        (2, 0, [[4, 1, 2], [0, 2, 1], [3, 1, 2]]),
        (2, 1, [[0, 3, 4], [4, 3, 0], [4, 0, 3]]),
    ],
)
def test_the_shards_are_the_measured_ones(world_size, rank, rows, cluster):
    plan = cluster.plan(BOOK, Ranks(world_size))
    assert [plan.rows(epoch, rank) for epoch in range(3)] == rows


def test_repeated_and_dropped_rows_are_marked(cluster):
    shards = cluster.plan(BOOK, Ranks(2)).epochs[0]
    assert [[card.padding for card in shard] for shard in shards] == [[False] * 3, [False, False, True]]
    assert [[card.batch for card in shard] for shard in shards] == [[0, 0, None]] * 2
    assert [[card.dropped for card in shard] for shard in shards] == [[False, False, True]] * 2


@pytest.mark.parametrize("world_size", range(1, 9))
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_shards_are_those_of_distributed_sampler(world_size, shuffle, cluster):
    config = Config(points=39, batch_size=3, shuffle=shuffle)
    train = make_data(config).train
    plan = cluster.plan(config, Ranks(world_size))
    for epoch, shards in enumerate(plan.epochs):
        for rank, shard in enumerate(shards):
            sampler = DistributedSampler(train, world_size, rank, shuffle=shuffle)
            sampler.set_epoch(epoch)
            assert [card.row for card in shard] == list(sampler)
        cards = [card for shard in shards for card in shard]
        assert sorted(card.row for card in cards if not card.padding) == list(range(len(train)))


def test_the_batches_are_those_of_the_cards(cluster, opened):
    config = Config(points=39, batch_size=3, epochs=2)
    run = opened(config, Ranks(4))
    run.play()
    ended(run)
    plan = cluster.plan(config, Ranks(4))
    assert run.steps == 2 * plan.batches
    for number in range(1, run.steps + 1):
        step = run.step_at(number)
        for rank, rows in enumerate(step.rows):
            shard = plan.epochs[step.epoch][rank]
            assert list(rows) == [card.row for card in shard if card.batch == step.batch]


def test_the_plan_holds_the_points_and_parameters_of_the_config(cluster):
    plan = cluster.plan(BOOK, Ranks(2))
    data = make_data(BOOK)
    assert torch.equal(torch.tensor(plan.points), data.train_points)
    assert list(plan.labels) == data.train.labels.tolist()
    assert plan.extent == data.extent
    named = NeuralNetwork(2, 2).named_parameters()
    assert plan.parameters == tuple((name, tuple(parameter.shape)) for name, parameter in named)


# The single process at the same global batch


def plain_losses(config, world_size, steps):
    """Losses of a plain loop whose batches are the union of what DistributedSampler deals the ranks."""
    train = make_data(config).train
    torch.manual_seed(config.seed)
    model = NeuralNetwork(2, 2)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[config.optimizer]
    optimizer = kind(model.parameters(), lr=config.learning_rate)
    samplers = [DistributedSampler(train, world_size, rank) for rank in range(world_size)]
    losses, epoch = [], 0
    while len(losses) < steps:
        shards = []
        for sampler in samplers:
            sampler.set_epoch(epoch)
            shards.append(list(sampler))
        for start in range(0, len(shards[0]), config.batch_size):
            rows = [row for shard in shards for row in shard[start : start + config.batch_size]]
            loss = F.cross_entropy(model(train.features[rows]), train.labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        epoch += 1
    return losses[:steps]


@kinds
@pytest.mark.parametrize(("optimizer", "learning_rate"), [("sgd", 0.1), ("adam", 0.01)])
def test_two_ranks_are_one_process_at_the_same_global_batch(kind, optimizer, learning_rate, opened):
    config = Config(points=200, batch_size=16, optimizer=optimizer, learning_rate=learning_rate)
    run = opened(config, Ranks(2), kind)
    run.step(100)
    view = run.view()
    assert view.steps == 100
    assert 0 < view.difference < 1e-5
    assert view.single_losses == pytest.approx(plain_losses(config, 2, 100), abs=1e-6)
    mean = torch.tensor(view.losses).mean(dim=0)
    assert torch.allclose(mean, torch.tensor(view.single_losses), rtol=0, atol=1e-5)


def test_the_difference_from_one_process_is_measured_on_the_run_itself(opened):
    differences = []
    for wrapped in (True, False):
        run = opened(BOOK, Ranks(2, wrapped=wrapped))
        run.step(3)
        differences.append(run.view().difference)
    assert differences[0] < 1e-5 < 0.01 < differences[1]


def test_the_comparison_can_be_left_out(opened):
    run = opened(BOOK, Ranks(2), compare=False)
    run.step(3)
    assert (run.view().difference, run.view().single_losses) == (None, ())


# Commands


@kinds
def test_a_step_trains_exactly_as_many_batches_as_asked(kind, opened):
    run = opened(Config(points=100, batch_size=8), Ranks(2), kind)
    run.step()
    assert (run.steps, run.status) == (1, "paused")
    run.step(4)
    view = run.view()
    assert (view.steps, view.epoch, view.batch, view.last.number) == (5, 1, 0, 5)
    run.step(2)
    run.step_epoch()
    assert (run.steps, run.view().epoch, run.view().batch) == (10, 2, 0)


@kinds
def test_play_trains_until_pause_and_pause_means_it(kind, opened):
    run = opened(Config(points=100, batch_size=8), Ranks(2), kind)
    run.play()
    with run.changed:
        assert run.changed.wait_for(lambda: run.steps > 20, 60)
    assert run.status == "playing"
    run.pause()
    steps = run.steps
    time.sleep(0.3)
    assert (run.steps, run.status) == (steps, "paused")
    run.step()
    assert run.steps == steps + 1


def test_a_speed_is_kept_to(opened):
    run = opened(Config(points=100, batch_size=8), Ranks(2))
    run.set_speed(20)
    run.wait_until_up()
    run.play()
    time.sleep(1)
    run.pause()
    assert 1 < run.steps < 40


def test_a_view_gives_the_losses_from_a_step_on(opened):
    run = opened(BOOK, Ranks(2))
    run.step(3)
    whole, rest = run.view(), run.view(since=2)
    assert rest.since == 2
    assert rest.losses == tuple(losses[2:] for losses in whole.losses)
    assert rest.single_losses == whole.single_losses[2:]


def test_the_chosen_gradient_is_that_of_the_rank_s_own_batch(cluster, opened):
    run = opened(BOOK, Ranks(2))
    run.choose_gradient("layers.2.weight", 7)
    run.step()
    step, data = run.view().last, make_data(BOOK)
    for rank, rows in enumerate(step.rows):
        torch.manual_seed(BOOK.seed)
        model = NeuralNetwork(2, 2)
        rows = list(rows)
        F.cross_entropy(model(data.train.features[rows]), data.train.labels[rows]).backward()
        own = model.layers[2].weight.grad.flatten()[7].item()
        assert step.gradients[rank] == pytest.approx(own, abs=1e-7)


@pytest.mark.parametrize(("name", "index"), [("layers.9.weight", 0), ("layers.0.bias", 30), ("", 0)])
def test_a_gradient_that_is_not_there_is_refused(name, index, opened):
    with pytest.raises(ToytrainError) as refused:
        opened(BOOK, Ranks(2)).choose_gradient(name, index)
    assert refused.value.field == "gradient"


def test_replays_that_take_turns_do_not_change_each_other(opened):
    config = Config(points=60, batch_size=8, dropout=0.5, seed=1)
    alone = opened(config, Ranks(2))
    alone.step(12)
    one, other = opened(config, Ranks(2)), opened(dataclasses.replace(config, seed=2), Ranks(3))
    for _ in range(12):
        one.step()
        other.step()
    assert one.view().losses == alone.view().losses


def test_many_replays_play_at_once(opened):
    runs = [opened(Config(points=60, batch_size=8, epochs=5), Ranks(2)) for _ in range(30)]
    for run in runs:
        run.play()
    views = [ended(run, 120) for run in runs]
    assert {view.losses for view in views} == {views[0].losses}


@slow
def test_a_command_need_not_wait_for_what_it_brings_about(opened):
    run = opened(Config(points=100, batch_size=8), Ranks(2), "real")
    assert run.status in ("queued", "starting")
    assert not run.step(seconds=0)
    assert not run.step(2, seconds=0)
    with run.changed:
        assert run.changed.wait_for(lambda: run.steps == 3, 60)
    assert run.pause(seconds=5)
    assert (run.steps, run.status) == (3, "paused")


def test_a_replay_that_nobody_looks_at_pauses_and_says_so(cluster, opened, monkeypatch):
    monkeypatch.setattr(cluster, "unseen_for", 0.3)
    run = opened(Config(points=60, batch_size=8), Ranks(2))
    run.play()
    with run.changed:
        assert run.changed.wait_for(lambda: run.status == "paused", 10)
    assert run.view().message == f"Paused at step {run.steps}: nobody had looked for 0.3 seconds."
    run.step()
    assert run.view().message == ""


@kinds
def test_an_ended_run_refuses_commands_in_a_sentence_and_keeps_what_it_knows(kind, book):
    run = book(kind, "2 processes")
    with pytest.raises(ToytrainError, match="This run is finished; start a new one"):
        run.step()
    assert run.step_at(3).number == 3
    assert run.step_at(4) is None


@kinds
def test_a_run_that_diverges_on_one_rank_ends_on_all(kind, opened):
    config = Config(
        dataset="gaussians", activation="linear", learning_rate=100, points=100, batch_size=8, epochs=50
    )
    run = opened(config, Ranks(2), kind)
    run.play()
    view = ended(run)
    assert view.status == "diverged"
    assert view.message.startswith("Diverged at epoch ")
    assert len(view.losses[0]) == len(view.losses[1]) == view.steps
    assert all(tensor.isfinite().all() for tensor in checkpoint.load(run.checkpoint()).weights.values())


# Files


@kinds
def test_the_model_has_the_book_s_keys_and_loads_anywhere(kind, book):
    weights = torch.load(io.BytesIO(book(kind, "2 processes").model()), weights_only=True)
    model = NeuralNetwork(2, 2)
    assert str(model.load_state_dict(weights)) == "<All keys matched successfully>"
    with torch.no_grad():
        predictions = model(make_data(BOOK).train.features).argmax(dim=1)
    assert predictions.tolist() == [0, 0, 0, 1, 1]


@kinds
def test_the_checkpoint_goes_on_in_one_process_at_the_same_step(kind, book):
    snapshot = checkpoint.load(book(kind, "2 processes").checkpoint())
    assert (snapshot.steps, snapshot.config) == (3, BOOK)
    trainer = Trainer.from_config(BOOK)
    trainer.restore(snapshot)
    assert trainer.advance().steps == 6
    assert trainer.snapshot().losses[:3].tolist() == pytest.approx(FIGURES["2 processes"][2][0], abs=1e-5)


@pytest.mark.parametrize("steps", range(1, 9))
@pytest.mark.parametrize(("settings", "ranks"), [({"batch_norm": True}, 3), ({"optimizer": "adam"}, 2)])
def test_a_checkpoint_of_any_step_can_be_loaded(steps, settings, ranks, opened):
    run = opened(Config(points=60, batch_size=7, **settings), Ranks(ranks))
    run.step(steps)
    snapshot = checkpoint.load(run.checkpoint())
    assert (snapshot.steps, len(snapshot.losses)) == (steps, steps)
    assert snapshot.losses.tolist() == list(run.view().losses[0])


def test_a_paused_run_gives_its_files_too(opened):
    run = opened(BOOK, Ranks(2))
    run.step()
    assert checkpoint.load(run.checkpoint()).steps == 1


# The exported script


def unmarked(script):
    return [line for line in script.splitlines() if "# NEW" not in line]


SCRIPTED = [
    BOOK,
    Config(optimizer="adam", dropout=0.2, l1=0.01, epochs=2),
    Config(dataset="plane", batch_norm=True, shuffle=False, activation="tanh"),
    Config(dataset="spirals", classes=3, features=("x1", "x1^2"), num_workers=1, epochs=1),
    Config(device="cuda"),
]


@pytest.mark.parametrize("config", SCRIPTED, ids=Config.to_query)
def test_what_is_not_marked_new_stands_in_the_plain_script(config):
    plain = iter(write_script(config).splitlines())
    assert all(line in plain for line in unmarked(write_distributed_script(config, Ranks())) if line)


@pytest.mark.parametrize("config", SCRIPTED, ids=Config.to_query)
def test_the_plain_script_lacks_only_what_ddp_changes(config):
    left = set(write_script(config).splitlines()) - set(unmarked(write_distributed_script(config, Ranks())))
    changed = [
        "shuffle=True",
        "if not torch.isfinite",
        'f"Epoch',
        'print("losses',
        "torch.save",
        "weights = [",
    ]
    assert [line for line in left if not line.strip().startswith(tuple(changed))] == []


@pytest.mark.parametrize("switch", ["wrapped", "set_epoch", "seeded"])
def test_a_mistake_is_named_in_the_script_where_a_line_is_missing(switch):
    right = write_distributed_script(BOOK, Ranks())
    script = write_distributed_script(BOOK, Ranks(**{switch: False}))
    (comment,) = [line for line in script.splitlines() if "forgotten" in line]
    assert comment.lstrip().startswith("# ")
    missing = comment.lstrip("# ").split("(")[0].split(" is ")[0]
    assert any(line.lstrip().startswith(missing) for line in right.splitlines())
    assert not any(line.lstrip().startswith(missing) for line in script.splitlines())
    ast.parse(script)


@pytest.mark.parametrize("config", SCRIPTED, ids=Config.to_query)
def test_the_distributed_script_is_python(config):
    ast.parse(write_distributed_script(config, Ranks(), {1: 0.5}, steps=3))


def torchrun(*arguments, cwd, processes=2, **options):
    """Starts torchrun in a session of its own, each rank's output in a file: the process."""
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}",
         "--redirects=3", f"--log-dir={cwd}/logs", *map(str, arguments)],
        cwd=cwd, env={**ENVIRONMENT, **options}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outputs(folder, name="stdout.log"):
    """What each rank printed, by the number of its process on this machine."""
    logs = sorted(Path(folder).glob(f"logs/**/{name}"), key=lambda path: int(path.parent.name))
    return [log.read_text(encoding="utf-8") for log in logs]


def finished(process, timeout=120):
    printed, complaint = process.communicate(timeout=timeout)
    assert process.returncode == 0, complaint
    return printed


def printed_losses(output):
    line = next(line for line in output.splitlines() if "losses = " in line)
    return tuple(ast.literal_eval(line.partition("losses = ")[2]))


@slow
@pytest.mark.parametrize(
    ("config", "ranks"),
    [
        (BOOK, Ranks(2)),
        (BOOK, Ranks(2, wrapped=False, set_epoch=False)),
        (
            Config(
                points=97, batch_size=8, dropout=0.3, batch_norm=True, l1=1e-3, optimizer="adam", epochs=2
            ),
            Ranks(2),
        ),
    ],
    ids=["book", "mistakes", "adam"],
)
def test_the_distributed_script_prints_the_losses_of_the_run(config, ranks, opened, tmp_path):
    run = opened(config, ranks, "real")
    run.play()
    losses = ended(run).losses
    (tmp_path / "script.py").write_text(run.script(), encoding="utf-8")
    finished(torchrun("--standalone", "script.py", cwd=tmp_path))
    assert tuple(printed_losses(output) for output in outputs(tmp_path)) == losses
    weights = torch.load(tmp_path / "model.pth", weights_only=True)
    assert same(weights, checkpoint.load(run.checkpoint()).weights)


# From a shell

BOOK_OPTIONS = ["--dataset=book", "--batch-size=2", "--drop-last", "--learning-rate=0.5", "--seed=123"]


@slow
def test_torchrun_trains_and_rank_0_writes_the_files(tmp_path):
    files = ["--save=model.pth", "--checkpoint=full.pth", "--losses=losses.json"]
    finished(torchrun("--standalone", "-m", "toytrain", *BOOK_OPTIONS, "--epochs=3", *files, cwd=tmp_path))
    for rank, output in enumerate(outputs(tmp_path)):
        figures = FIGURES["2 processes"][2][rank]
        assert output.splitlines()[:5] == [
            *(
                f"[Rank {rank}] Epoch: {epoch + 1:03d}/003 | Batch 000/001 | Train/Val Loss: {loss:.2f}"
                for epoch, loss in enumerate(figures)
            ),
            f"[Rank {rank}] Training accuracy: 1.0000",
            f"[Rank {rank}] Test accuracy: 1.0000",
        ]
    assert outputs(tmp_path)[0].splitlines()[5:] == ["Largest weight difference between 2 ranks: 0"]
    assert outputs(tmp_path)[1].splitlines()[5:] == []
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert losses == pytest.approx(FIGURES["2 processes"][2][0], abs=1e-5)
    weights = torch.load(tmp_path / "model.pth", weights_only=True)
    assert list(weights) == list(NeuralNetwork(2, 2).state_dict())
    assert same(weights, checkpoint.load((tmp_path / "full.pth").read_bytes()).weights)


@slow
def test_a_distributed_run_resumes_bit_for_bit_under_torchrun(opened, tmp_path):
    config = Config(points=60, batch_size=5, dropout=0.3, optimizer="adam", learning_rate=0.01)
    run = opened(config, Ranks(2), "real")
    run.step(7)
    (tmp_path / "half.pth").write_bytes(run.checkpoint())
    run.step(6)
    options = ["--resume=half.pth", "--steps=6", "--losses=losses.json"]
    finished(torchrun("--standalone", "-m", "toytrain", *options, cwd=tmp_path))
    assert json.loads((tmp_path / "losses.json").read_text()) == list(run.view().losses[0])


@slow
def test_the_switches_are_options(tmp_path):
    options = ["--epochs=3", "--no-ddp", "--losses=losses.json"]
    finished(torchrun("--standalone", "-m", "toytrain", *BOOK_OPTIONS, *options, cwd=tmp_path))
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert losses == pytest.approx(FIGURES["not wrapped"][2][0], abs=1e-5)
    (line,) = outputs(tmp_path)[0].splitlines()[5:]
    assert float(line.removeprefix("Largest weight difference between 2 ranks: ")) > 0.01


@slow
def test_two_agents_on_loopback_train_to_equal_weights(tmp_path):
    meeting = ["--nnodes=2", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}", "--rdzv-id=1"]
    agents, folders = [], [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        arguments = [*BOOK_OPTIONS, "--epochs=3", "--save=model.pth"]
        agents.append(torchrun(*meeting, "-m", "toytrain", *arguments, cwd=folder, processes=1))
    for agent in agents:
        finished(agent)
    printed = [output for folder in folders for output in outputs(folder)]
    lines = "".join(sorted(printed, key=lambda output: output.startswith("[Rank 1]")))
    for rank, figures in enumerate(FIGURES["2 processes"][2]):
        for epoch, loss in enumerate(figures):
            assert (
                f"[Rank {rank}] Epoch: {epoch + 1:03d}/003 | Batch 000/001 | Train/Val Loss: {loss:.2f}"
                in lines
            )
    assert lines.count("Largest weight difference between 2 ranks: 0\n") == 1
    assert [(folder / "model.pth").exists() for folder in folders].count(True) == 1


@slow
def test_ctrl_c_ends_all_ranks_at_the_same_batch_and_writes_the_files(tmp_path):
    files = ["--losses=losses.json", "--checkpoint=full.pth"]
    process = torchrun("--standalone", "-m", "toytrain", *BOOK_OPTIONS, *files, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not all(map(bool, outputs(tmp_path) or [""])) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    steps = len(json.loads((tmp_path / "losses.json").read_text()))
    assert checkpoint.load((tmp_path / "full.pth").read_bytes()).steps == steps
    said = [f"[Rank {rank}] Stopped after {steps} batches.\n" for rank in (0, 1)]
    assert outputs(tmp_path, "stderr.log") == said


@slow
def test_a_mistake_is_said_by_one_rank_only(tmp_path):
    options = ["--dataset=book", "--batch-size=4", "--drop-last"]
    process = torchrun("--standalone", "-m", "toytrain", *options, cwd=tmp_path)
    process.communicate(timeout=120)
    assert process.returncode != 0
    one, other = outputs(tmp_path, "stderr.log")
    assert one.startswith("toytrain: world_size = 2: no rank has a full batch")
    assert one.count("\n") == 1
    assert other == ""


def test_options_of_a_distributed_run_need_torchrun(python, tmp_path):
    process = python("-m", "toytrain", "--no-ddp", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith("toytrain: The options of a distributed run need several processes; ")


@slow
def test_a_meeting_place_that_does_not_answer_is_one_sentence(tmp_path):
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "RANK": "1", "WORLD_SIZE": "2"}
    process = subprocess.run(
        [sys.executable, "-m", "toytrain", *BOOK_OPTIONS, "--timeout=1"],
        cwd=tmp_path, env={**ENVIRONMENT, **place}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr == (
        f"toytrain: The ranks at 127.0.0.1:{place['MASTER_PORT']} did not answer within 1 seconds; start all "
        "of them with the same address.\n"
    )


# What dies, and what is left


@slow
@pytest.mark.parametrize("playing", [True, False])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_is_noticed_and_ends_the_others(victim, playing, opened):
    run = opened(Config(points=200, batch_size=4), Ranks(2), "real")
    run.wait_until_up()
    pids = run.pids
    if playing:
        run.play()
        with run.changed:
            run.changed.wait_for(lambda: run.steps > 10, 30)
    os.kill(pids[victim], signal.SIGKILL)
    view = ended(run, 5)
    assert view.status == "failed"
    assert view.message == (
        f"Rank {victim} died (SIGKILL), and without it no gradient can be averaged; all 2 ranks were ended."
    )
    assert gone(pids, 0)
    with pytest.raises(ToytrainError, match=f"Rank {victim} died"):
        run.play()


@slow
def test_a_rank_killed_while_it_starts_is_noticed(opened):
    run = opened(BOOK, Ranks(2), "real")
    deadline = time.monotonic() + 10
    while len(run.pids) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = run.pids
    os.kill(pids[1], signal.SIGKILL)
    assert ended(run, 5).message.startswith("Rank 1 died (SIGKILL)")
    assert gone(pids, 0)


@slow
def test_a_rank_that_hangs_is_given_up_after_the_time_out(opened):
    run = opened(BOOK, Ranks(2), "real", timeout=2)
    run.wait_until_up()
    pids = run.pids
    os.kill(pids[1], signal.SIGSTOP)
    run.play()
    assert ended(run, 30).status == "failed"
    assert "answer" in run.view().message
    assert gone(pids, 0)


@slow
@pytest.mark.parametrize("moment", ["starting", "paused", "playing"])
def test_no_process_is_left_after_a_stop(moment, opened):
    run = opened(Config(points=200, batch_size=4), Ranks(2), "real")
    if moment == "starting":
        deadline = time.monotonic() + 10
        while len(run.pids) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    else:
        run.wait_until_up()
    if moment == "playing":
        run.play()
    pids = run.pids
    assert len(pids) == 2
    run.stop()
    assert gone(pids, 0)
    assert (run.status, run.view().message, run.view().pids) == ("stopped", "", ())


@slow
def test_ranks_die_with_the_process_that_started_them(tmp_path):
    code = (
        "import os, time; from toytrain import Config, distributed\n"
        "run = distributed.cluster().open(Config(), distributed.Ranks(2), 'real')\n"
        "run.wait_until_up(); run.play(); time.sleep(0.2)\n"
        "print(*run.pids, *distributed.cluster().host.pids, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3
    parent.kill()
    parent.communicate()
    assert gone(pids)


@slow
def test_a_port_in_use_is_one_sentence_and_leaves_no_process(opened):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = opened(BOOK, Ranks(2), "real", port=port)
        message = ended(run).message
    assert message == f"Port {port} is in use by another program; choose another, or 0 for a free one."
    assert run.pids == ()


@slow
def test_a_rendezvous_that_does_not_answer_is_one_sentence_and_leaves_no_process(opened):
    place = f"127.0.0.1:{free_port()}"
    run = opened(BOOK, Ranks(2), "real", meet_at=place, timeout=1)
    assert ended(run).message == (
        f"The ranks at {place} did not answer within 1 seconds; start all of them with the same address."
    )
    assert run.pids == ()


@slow
def test_ranks_can_meet_at_a_store_that_somebody_else_serves(opened):
    store = open_store("127.0.0.1:0", 2, serves=True, timeout=30)
    run = opened(BOOK, Ranks(2), "real", meet_at=f"127.0.0.1:{store.port}")
    run.step(3)
    assert run.view().losses[0] == pytest.approx(FIGURES["2 processes"][2][0], abs=1e-5)


@slow
def test_real_runs_at_the_same_time_do_not_meet_each_other(opened):
    runs = [opened(BOOK, Ranks(2), "real") for _ in range(2)]
    for run in runs:
        run.play()
    assert ended(runs[0]).losses == ended(runs[1]).losses


@slow
def test_a_host_that_dies_is_a_sentence_and_the_next_run_has_another():
    cluster = Cluster()
    try:
        run = cluster.open(BOOK, Ranks(2))
        run.step()
        os.kill(run.pids[0], signal.SIGKILL)
        assert ended(run, 5).message.startswith("The process that carried this replay died")
        again = cluster.open(BOOK, Ranks(2))
        again.step(3)
        assert again.steps == 3
    finally:
        cluster.stop()


@slow
def test_a_real_run_that_nobody_looks_at_gives_its_processes_back(cluster, opened, monkeypatch):
    monkeypatch.setattr(cluster, "unseen_for", 1)
    run = opened(Config(points=60, batch_size=8), Ranks(1), "real")
    run.play()
    assert ended(run).message.startswith(f"Ended at step {run.steps}: nobody had looked for 1 seconds")
    assert run.pids == ()


# In the process group


@pytest.fixture
def store():
    return open_store("127.0.0.1:0", 1, serves=True, timeout=5)


@pytest.mark.parametrize("error", [None, ValueError, ToytrainError, KeyboardInterrupt])
def test_the_process_group_is_destroyed_however_the_block_ends(error, store):
    with contextlib.suppress(*[error] if error else []), joined(0, 1, "cpu", "", 5, store):
        assert torch.distributed.is_initialized()
        if error:
            raise error("on purpose")
    assert not torch.distributed.is_initialized()


def test_an_error_of_the_training_stays_what_it_is(store):
    with pytest.raises(RuntimeError, match="mat1 and mat2"), joined(0, 1, "cpu", "", 5, store):
        NeuralNetwork(2, 2)(torch.zeros(1, 3))


# The queue


def test_places_are_given_first_come_first_served():
    places, order, waits = Places(2), [], []
    holding = threading.Event()

    def take(name, count):
        with places.taken(count, waits.append, lambda: False):
            order.append(name)
            holding.wait(5)

    threads = []
    for name, count in (("first", 2), ("large", 2), ("small", 1)):
        threads.append(threading.Thread(target=take, args=(name, count)))
        threads[-1].start()
        time.sleep(0.1)
    assert order == ["first"]
    assert {0, 1} <= set(waits)
    holding.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first", "large", "small"]


def test_who_leaves_the_queue_lets_the_next_one_in():
    places = Places(1)
    with (
        places.taken(1, lambda ahead: None, lambda: False),
        pytest.raises(Cancelled),
        places.taken(1, lambda ahead: None, lambda: True),
    ):
        pytest.fail("a cancelled run got a place")
    with places.taken(1, lambda ahead: None, lambda: False):
        pass


@slow
def test_a_real_run_waits_until_there_is_room(cluster, opened, monkeypatch):
    monkeypatch.setattr(cluster, "places", Places(2))
    first = opened(BOOK, Ranks(2), "real")
    first.wait_until_up()
    second, third = (opened(BOOK, Ranks(2), "real") for _ in range(2))
    with third.changed:
        assert third.changed.wait_for(lambda: third.view().ahead == 1, 5)
    assert (second.status, second.pids, third.status) == ("queued", (), "queued")
    third.stop()
    assert third.status == "stopped"
    first.stop()
    assert second.wait_until_up(60)
    assert second.status == "paused"


@slow
def test_a_run_that_stands_still_makes_room_for_one_that_waits(cluster, opened, monkeypatch):
    monkeypatch.setattr(cluster, "places", Places(1))
    monkeypatch.setattr(cluster, "unseen_for", 1)
    still = opened(BOOK, Ranks(1), "real")
    waiting = opened(BOOK, Ranks(1), "real")
    deadline = time.monotonic() + 60
    while still.view().status != "stopped" and time.monotonic() < deadline:
        waiting.view()  # somebody looks at both
        time.sleep(0.1)
    assert still.view().message.startswith("Ended at step 0: it had stood still for 1 seconds and others")
    assert waiting.wait_until_up(60)


def test_a_run_that_nobody_looks_at_leaves_the_queue(cluster, opened, monkeypatch):
    monkeypatch.setattr(cluster, "places", Places(1))
    monkeypatch.setattr(cluster, "unseen_for", 0.3)
    with cluster.places.taken(1, lambda ahead: None, lambda: False):
        run = opened(BOOK, Ranks(1), "real")
        assert ended(run, 10).message.startswith("Left the queue: nobody had looked for 0.3 seconds")
    assert run.pids == ()


# The page's process


def test_the_page_s_side_never_imports_torch(python, tmp_path):
    code = (
        "import sys; from toytrain import Config, distributed\n"
        "run = distributed.cluster().open(Config(), distributed.Ranks(2)); run.step()\n"
        "print(run.steps, {'torch', 'sklearn'} & sys.modules.keys()); distributed.stop()"
    )
    assert python("-c", code, cwd=tmp_path).stdout == "1 set()\n"


def test_the_cluster_of_a_server_is_made_once_and_anew_after_its_stop():
    one = distributed.cluster()
    assert distributed.cluster() is one
    distributed.stop()
    other = distributed.cluster()
    assert other is not one
    distributed.stop()
