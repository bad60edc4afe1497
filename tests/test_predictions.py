"""Predictions: a point's trace, every row's prediction and the metrics, against plain PyTorch, the book and
scikit-learn; and the worker's commands that hand them out."""

import math
import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import precision_recall_fscore_support

from toytrain import Config, ToytrainError, Trainer
from toytrain.config import ACTIVATIONS
from toytrain.data import compute_features
from toytrain.engine.worker import Worker
from toytrain.evaluation import evaluate_part
from toytrain.trace import neuron_parameters, trace_point

CONFIGS = [
    Config(points=100, batch_size=8),
    Config(dataset="blobs", classes=5, points=100, batch_size=8, dropout=0.5, batch_norm=True),
    Config(points=100, hidden=(3,) * 6, batch_size=8, features=("x1^2", "sin(x2)", "x1*x2")),
    Config(dataset="gaussians", points=100, batch_size=8, batch_norm=True),
    *(Config(points=100, activation=name, dropout=0.2) for name in ACTIVATIONS),
]
POINTS = [(0.1, -0.7), (0.0, 0.0), (-123.456, 1e6)]


def trained(config, steps=25):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    return trainer


def floats(data):
    return list(struct.unpack(f"<{len(data) // 4}f", data))


@pytest.fixture(scope="module")
def book():
    """The book's training of section A.7."""
    return trained(Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, epochs=3), None)


# One point


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_trace_has_the_bits_of_the_plain_network_in_eval_mode_after_each_layer(config):
    trainer = trained(config)
    snapshot, model = trainer.snapshot(), trainer.model.eval()
    for x1, x2 in POINTS:
        trace = trace_point(snapshot, x1, x2)
        with torch.no_grad():
            values = compute_features(torch.tensor([[x1, x2]]), config.features)
            assert torch.equal(trace.stages[0].values, values[0])
            for stage, layer in zip(trace.stages[1:], model.layers, strict=True):
                values = layer(values)
                assert torch.equal(stage.values, values[0])
                assert stage.kind == type(layer).__name__
            if config.task == "classification":
                assert torch.equal(trace.probabilities, torch.softmax(values, dim=1)[0])
                assert trace.prediction == torch.argmax(values, dim=1).item()
                for label, loss in enumerate(trace.losses.tolist()):
                    assert loss == F.cross_entropy(values, torch.tensor([label])).item()
            else:
                assert trace.prediction == values.item()
                assert len(trace.losses) == 0
                loss = trace_point(snapshot, x1, x2, target=0.25).losses
                assert torch.equal(loss, F.mse_loss(values, torch.tensor([[0.25]])).reshape(1))


def test_the_book_s_logits_softmax_and_argmax_are_found_point_by_point(book):
    snapshot = book.snapshot()
    logits = [[2.8569, -4.1618], [2.5382, -3.7548], [2.0944, -3.1820], [-1.4814, 1.4816], [-1.7176, 1.7342]]
    probabilities = [[0.9991, 0.0009], [0.9982, 0.0018], [0.9949, 0.0051], [0.0491, 0.9509], [0.0307, 0.9693]]
    for at, (x1, x2) in enumerate(snapshot.data.train_points.tolist()):
        trace = trace_point(snapshot, x1, x2)
        assert [round(value, 4) for value in trace.stages[-1].values.tolist()] == logits[at]
        assert [round(value, 4) for value in trace.probabilities.tolist()] == probabilities[at]
        assert trace.prediction == [0, 0, 0, 1, 1][at]


def test_a_neuron_is_computed_with_what_its_parameters_say():
    config = Config(points=100, hidden=(5, 4), batch_norm=True, batch_size=8)
    snapshot = trained(config).snapshot()
    stages = trace_point(snapshot, 0.3, -0.2).stages
    for at, stage in enumerate(stages):
        for neuron, value in enumerate(stage.values.tolist()):
            found = neuron_parameters(snapshot, at, neuron)
            before = stages[at - 1].values if at else None
            if stage.kind == "Linear":
                by_hand = (found["weight"] @ before + found["bias"]).item()
            elif stage.kind == "BatchNorm1d":
                spread = torch.sqrt(found["running_var"] + found["eps"])
                by_hand = (
                    (before[neuron] - found["running_mean"]) / spread * found["weight"] + found["bias"]
                ).item()
            else:
                assert found == {}
                continue
            assert by_hand == pytest.approx(value, abs=1e-6)
    assert neuron_parameters(snapshot, 1, 99) == neuron_parameters(snapshot, 99, 0) == {}


# Every row


@pytest.mark.parametrize("part", ["test", "train"])
def test_every_row_has_the_bits_of_the_plain_network_in_eval_mode(part):
    trainer = trained(CONFIGS[1])
    found = evaluate_part(trainer.snapshot(), part)
    dataset = getattr(trainer.data, part)
    with torch.no_grad():
        logits = trainer.model.eval()(dataset.features)
    assert np.array_equal(found.probabilities, torch.softmax(logits, dim=1).numpy())
    assert np.array_equal(found.predictions, torch.argmax(logits, dim=1).numpy())
    assert np.array_equal(found.losses, F.cross_entropy(logits, dataset.labels, reduction="none").numpy())
    assert np.array_equal(found.labels, dataset.labels.numpy())
    assert np.array_equal(found.points, getattr(trainer.data, f"{part}_points").numpy())


def test_the_metrics_of_the_classes_are_scikit_learn_s():
    found = evaluate_part(trained(CONFIGS[1], steps=3).snapshot(), "train")
    expected = precision_recall_fscore_support(
        found.labels, found.predictions, labels=range(5), zero_division=np.nan
    )
    for column, name in enumerate(("precision", "recall", "f1-score", "support")):
        assert np.array_equal([row[name] for row in found.classes], expected[column], equal_nan=True)
    assert found.confusion.sum() == len(found.labels)
    assert found.confusion.diagonal().sum() == (~found.wrong).sum()
    assert found.scores["accuracy"] == pytest.approx(found.confusion.trace() / found.confusion.sum())


def test_a_class_that_is_never_predicted_has_no_precision():
    found = evaluate_part(Trainer.from_config(Config(dataset="imbalanced", classes=10)).snapshot(), "test")
    never = set(range(10)) - set(found.predictions.tolist())
    assert never
    assert all(math.isnan(found.classes[label]["precision"]) for label in never)


def test_wrong_rows_come_first_and_the_greatest_loss_first_among_them():
    found = evaluate_part(trained(CONFIGS[0], steps=5).snapshot(), "train")
    order = found.worst_first
    wrong = int(found.wrong.sum())
    assert 0 < wrong < len(order)
    assert found.wrong[order[:wrong]].all()
    assert not found.wrong[order[wrong:]].any()
    for rows in order[:wrong], order[wrong:]:
        assert (np.diff(found.losses[rows]) <= 0).all()


def test_a_regression_has_errors_in_place_of_classes():
    trainer = trained(CONFIGS[3])
    found = evaluate_part(trainer.snapshot(), "test")
    errors = found.labels - found.predictions
    assert found.confusion is None
    assert found.classes == ()
    assert found.scores["mean squared error"] == pytest.approx(float(np.mean(errors**2)), rel=1e-5)
    assert found.scores["mean absolute error"] == pytest.approx(float(np.abs(errors).mean()), rel=1e-5)
    assert found.scores["greatest error"] == pytest.approx(float(np.abs(errors).max()), rel=1e-5)
    assert found.scores["R²"] == pytest.approx(trainer.snapshot().evaluate(trainer.data.test)[1], abs=1e-5)
    assert np.array_equal(found.losses, np.square(found.predictions - found.labels))


@pytest.mark.parametrize("dataset", ["moons", "plane"])
def test_outputs_that_are_not_finite_are_handed_on_as_they_are(dataset):
    trainer = trained(Config(dataset=dataset, points=50))
    for parameter in trainer.model.parameters():
        parameter.data.fill_(3e38)
    found = evaluate_part(trainer.snapshot(), "test")
    assert not np.isfinite(found.losses).all()
    if dataset == "plane":
        assert all(math.isnan(score) for score in found.scores.values())
    trace = trace_point(trainer.snapshot(), 1.0, 1.0)
    assert not trace.stages[-1].values.isfinite().all()


# The worker's commands


@pytest.fixture
def worker():
    worker = Worker()
    config = Config(points=100, batch_size=8, dropout=0.3, hidden=(4,))
    worker.handle("open", "a", {"config": config.to_dict()})
    for _ in range(3):
        worker.handle("step_batch", "a", {})
    return worker


def test_a_worker_s_trace_is_that_of_its_run(worker):
    header, arrays = worker.handle("trace", "a", {"x1": 0.5, "x2": -0.25, "neuron": (1, 2)})
    snapshot = worker.runs["a"].trainer.snapshot()
    expected = trace_point(snapshot, 0.5, -0.25)
    assert header["step"] == 3
    assert header["stages"] == [["features", "", 2], ["Linear", "layers.0.", 4], ["ReLU", "layers.1.", 4],
                                ["Dropout", "layers.2.", 4], ["Linear", "layers.3.", 2]]  # fmt: skip
    assert header["neuron"] == [1, 2]
    assert header["parameters"] == [["weight", 2], ["bias", 1]]
    assert floats(arrays["values"][1]) == torch.cat([stage.values for stage in expected.stages]).tolist()
    assert floats(arrays["probabilities"][1]) == expected.probabilities.tolist()
    assert floats(arrays["losses"][1]) == expected.losses.tolist()
    assert floats(arrays["parameters"][1])[:2] == snapshot.weights["layers.0.weight"][2].tolist()


def test_looking_at_predictions_changes_no_bit_of_the_run(worker):
    alone = trained(worker.runs["a"].config, steps=9)
    for _ in range(6):
        worker.handle("trace", "a", {"x1": 1, "x2": 2})
        worker.handle("evaluation", "a", {"part": "test"})
        worker.handle("step_batch", "a", {})
    trainer = worker.runs["a"].trainer
    assert trainer.losses == alone.losses
    for name, weight in alone.model.state_dict().items():
        assert torch.equal(trainer.model.state_dict()[name], weight)


@pytest.mark.parametrize("name", ["x1", "x2", "target"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e7])
def test_a_point_out_of_reach_is_refused_with_a_sentence(worker, name, value):
    arguments = {"x1": 0.0, "x2": 0.0, name: value}
    with pytest.raises(ToytrainError, match=f"{name} = .* is too far away; give a number between") as caught:
        worker.handle("trace", "a", arguments)
    assert caught.value.field == name


def test_a_part_that_there_is_not_is_refused(worker):
    with pytest.raises(ToytrainError, match="permitted is one of test, train"):
        worker.handle("evaluation", "a", {"part": "validation"})
