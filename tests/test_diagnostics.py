"""What the charts that teach are drawn from: gradients, histograms, dead neurons and the learning rate over
time, against plain PyTorch; and the views of the engine that hand them out."""

import struct

import pytest
import torch
import torch.nn.functional as F

from toytrain import Config, Trainer
from toytrain.diagnostics import (
    BINS,
    ROWS,
    RateHistory,
    compute_activity,
    compute_gradients,
    histogram,
    layer_names,
    layer_norms,
    round_up,
)
from toytrain.engine.worker import Worker

CONFIG = Config(points=200, batch_size=16, hidden=(5, 4), dropout=0.3, batch_norm=True)


def trained(config, steps=12):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    return trainer


def floats(data):
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def test_the_gradients_are_those_of_a_plain_backward_in_eval_mode():
    for config in CONFIG, Config(dataset="plane", points=400):
        trainer = trained(config)
        found = compute_gradients(trainer.snapshot())
        model = trainer.model.eval()
        model.zero_grad()
        data = trainer.data.train
        trainer.task.loss(model(data.features[:ROWS]), data.labels[:ROWS]).backward()
        for name, parameter in model.named_parameters():
            assert torch.equal(found[name], parameter.grad), name


def test_the_norm_of_a_layer_is_that_of_all_its_gradients():
    snapshot = trained(CONFIG).snapshot()
    gradients = compute_gradients(snapshot)
    names = layer_names(snapshot)
    assert names == ["layers.0.weight", "layers.4.weight", "layers.8.weight"]
    for name, norm in zip(names, layer_norms(snapshot, gradients), strict=True):
        layer = name.removesuffix("weight")
        flat = torch.cat([gradients[f"{layer}weight"].flatten(), gradients[f"{layer}bias"]])
        assert norm == pytest.approx(torch.linalg.vector_norm(flat).item(), rel=1e-6)


def test_a_dead_neuron_is_above_0_on_no_training_row():
    trainer = trained(Config(points=200, hidden=(6, 3)))
    with torch.no_grad():
        trainer.model.layers[0].bias[2] = -1e6
    first, _ = compute_activity(trainer.snapshot())
    hidden = F.relu(trainer.model.layers[0](trainer.data.train.features))
    assert first[2] == 0
    assert torch.equal(first, (hidden > 0).float().mean(dim=0))


def test_a_histogram_counts_every_finite_number_around_0():
    counts, reach = histogram(torch.tensor([[-0.7, 0.0, 0.0], [0.3, torch.nan, torch.inf]]))
    assert reach == 0.75
    assert counts.sum() == 4
    assert counts[BINS // 2] == 2
    assert histogram(torch.tensor([torch.nan]))[0].sum() == 0
    sizes = [round_up(size) for size in (0.3, 1.0, 1.1, 7, 0.0, float("inf"))]
    assert sizes == pytest.approx([0.3, 1, 1.5, 7.5, 1, 1])


SCHEDULED = Config(points=100, batch_size=20, learning_rate=0.2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "step", "step_size": 2, "gamma": 0.5},
        {"schedule": "cosine", "t_max": 7},
        {"schedule": "warmup", "warmup_epochs": 3},
    ],
    ids=lambda changes: changes.get("schedule", "constant"),
)
def test_the_rate_over_time_is_the_one_that_every_batch_took(changes):
    config = Config(**{**SCHEDULED.to_dict(), **changes})
    trainer = Trainer.from_config(config)
    history = RateHistory(config, 4)
    taken = []
    for step in range(43):
        if step in (6, 17, 18, 40):
            trainer.set_learning_rate(0.05 * (step + 1))
        trainer.step()
        taken.append(trainer.optimizer.param_groups[0]["lr"] if trainer.batch else None)
        if step % 5 == 0:  # looked at now and then, in the middle of an epoch too
            history.follow(trainer.steps, trainer.learning_rates)
    found = history.follow(trainer.steps, trainer.learning_rates)
    for step, rate in enumerate(taken):
        if rate is not None:  # after an epoch's last batch the schedule has already moved on
            assert [value for at, value in found if at <= step][-1] == rate, step


def test_a_long_run_is_followed_in_pieces():
    config = Config(**{**SCHEDULED.to_dict(), "schedule": "step", "step_size": 1000, "gamma": 0.5})
    history = RateHistory(config, 1)
    while (found := history.follow(4500, {}))[-1][0] < 4000:
        pass
    assert found == [(0, 0.2), (1000, 0.1), (2000, 0.05), (3000, 0.025), (4000, 0.0125)]


# The engine's views


VIEWS = ("weights", "gradients", "activity", "rates")


def looked(worker):
    worker.handle("want_frame", "a", {"views": VIEWS})
    ((_, frame),) = worker.frames()
    return {name: floats(data) for view in frame.views.values() for name, (_, data) in view.items()}


def test_the_views_are_made_when_asked_for_and_change_no_bit():
    clock = iter(range(10**6))
    worker = Worker(lambda: next(clock))
    worker.handle("open", "a", {"config": CONFIG.to_dict()})
    for _ in range(9):
        worker.handle("step_batch", "a", {})
        arrays = looked(worker)
    snapshot = worker.runs["a"].trainer.snapshot()
    assert len(arrays["weight_counts"]) == 3 * BINS
    assert sum(arrays["weight_counts"]) == sum(
        snapshot.weights[name].numel() for name in layer_names(snapshot)
    )
    assert len(arrays["gradient_counts"]) == 3 * BINS
    norms = [arrays["gradient_norms"][at : at + 4] for at in range(0, len(arrays["gradient_norms"]), 4)]
    assert [row[0] for row in norms] == list(range(1, 10))
    assert norms[-1][1:] == pytest.approx(layer_norms(snapshot, compute_gradients(snapshot)), rel=1e-6)
    assert arrays["activity_widths"] == [5, 4]
    assert arrays["activity"] == torch.cat(compute_activity(snapshot)).tolist()
    assert arrays["rates"] == pytest.approx([0, CONFIG.learning_rate])
    alone = trained(CONFIG, 9)
    assert worker.runs["a"].trainer.losses == alone.losses
    for name, weight in alone.model.state_dict().items():
        assert torch.equal(snapshot.weights[name], weight)


def test_a_run_that_stands_still_is_followed_to_its_end_by_further_looks(monkeypatch):
    monkeypatch.setattr("toytrain.diagnostics.EPOCHS_AT_ONCE", 3)
    clock = iter(range(10**6))
    worker = Worker(lambda: next(clock))
    config = Config(**{**SCHEDULED.to_dict(), "schedule": "step", "step_size": 2, "gamma": 0.5})
    worker.handle("open", "a", {"config": config.to_dict()})
    worker.runs["a"].trainer.advance(steps=40)  # 10 epochs
    told = []
    worker.handle("want_frame", "a", {"views": ("rates", "weights")})
    while frames := worker.frames():
        told.append(frames[0][1].views)
        worker.handle("want_frame", "a", {"views": ("rates", "weights")})
    assert [sorted(views.keys() & VIEWS) for views in told] == [["rates", "weights"], *[["rates"]] * 3]
    expected = [number for change in range(6) for number in (8 * change, 0.2 / 2**change)]
    assert floats(told[-1]["rates"]["rates"][1]) == pytest.approx(expected)


def test_nobody_pays_for_a_chart_that_is_closed(monkeypatch):
    worker = Worker()
    worker.handle("open", "a", {"config": CONFIG.to_dict()})
    monkeypatch.setattr("toytrain.engine.charts.compute_gradients", None)  # fails where it is called
    worker.handle("step_batch", "a", {})
    worker.handle("want_frame", "a", {"views": ("weights",)})
    ((_, frame),) = worker.frames()
    assert "gradients" not in frame.views
