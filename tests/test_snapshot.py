"""Snapshot: what a run shows of itself, against the model itself and against examples worked by hand."""

import dataclasses

import pytest
import torch

from toytrain import Config, ToyDataset, ToytrainError, Trainer

CONFIG = Config(dataset="blobs", classes=3, points=60, batch_size=8, dropout=0.3, batch_norm=True)


@pytest.fixture
def trainer():
    trainer = Trainer.from_config(CONFIG)
    trainer.advance(steps=9)
    return trainer


@pytest.fixture
def snapshot(trainer):
    return trainer.snapshot()


@pytest.fixture
def plane():
    """A Snapshot of a network whose one hidden neuron hands on x1, and whose output is x1 + 5."""
    trainer = Trainer.from_config(Config(dataset="plane", hidden=(1,), activation="linear", points=50))
    weights = {
        "layers.0.weight": [[1.0, 0.0]],
        "layers.0.bias": [0.0],
        "layers.2.weight": [[1.0]],
        "layers.2.bias": [5.0],
    }
    trainer.model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return trainer.snapshot()


def test_a_snapshot_cannot_be_changed(snapshot):
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.steps = 0


# Predicting


def test_logits_are_those_of_the_model_in_eval_mode(trainer, snapshot):
    features = trainer.data.test.features
    trainer.model.eval()
    with torch.no_grad():
        assert torch.equal(snapshot.logits(features), trainer.model(features))


def test_probabilities_are_the_softmax_of_the_logits(snapshot):
    features = snapshot.data.test.features
    assert torch.equal(snapshot.probabilities(features), torch.softmax(snapshot.logits(features), dim=1))


def test_predictions_are_the_argmax_of_the_logits(snapshot):
    features = snapshot.data.test.features
    assert snapshot.predictions(features).tolist() == [
        row.index(max(row)) for row in snapshot.logits(features).tolist()
    ]


def test_predictions_of_a_regression_are_its_outputs(plane):
    assert plane.predictions(torch.tensor([[2.0, 7.0], [-1.0, 7.0]])).tolist() == [7, 4]


def test_a_snapshot_evaluates_a_dataset_as_the_loss_and_the_accuracy_of_pytorch(snapshot):
    data = snapshot.data.test
    logits = snapshot.logits(data.features)
    right = sum(row.argmax() == label for row, label in zip(logits, data.labels, strict=True))
    assert snapshot.evaluate(data) == (
        torch.nn.functional.cross_entropy(logits, data.labels).item(),
        pytest.approx(right.item() / len(data)),
    )


def test_a_regression_is_scored_by_the_share_of_variance_it_explains(plane):
    points = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])  # outputs 6, 7, 8
    loss, score = plane.evaluate(ToyDataset(points, torch.tensor([[6.0], [7.0], [11.0]])))
    assert loss == 3.0  # (0 + 0 + 9) / 3
    assert score == pytest.approx(1 - 9 / 14)  # targets lie 2, 1 and 3 from their mean


def test_a_perfect_regression_scores_1(plane):
    points = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    assert plane.evaluate(ToyDataset(points, torch.tensor([[6.0], [7.0]]))) == (0.0, 1.0)


# The plane


def test_the_boundary_rises_with_x1_from_column_to_column(plane):
    x1_low, x1_high, _, _ = plane.data.extent
    boundary = plane.boundary(5)
    assert boundary.shape == (5, 5, 1)
    assert torch.allclose(boundary[..., 0], torch.linspace(x1_low, x1_high, 5).expand(5, 5) + 5)


def test_the_boundary_rises_with_x2_from_row_to_row(plane):
    weights = {**plane.weights, "layers.0.weight": torch.tensor([[0.0, 1.0]])}
    _, _, x2_low, x2_high = plane.data.extent
    boundary = dataclasses.replace(plane, weights=weights).boundary(5)
    assert torch.allclose(boundary[..., 0], torch.linspace(x2_low, x2_high, 5).expand(5, 5).T + 5)


def test_the_boundary_of_classes_holds_probabilities(snapshot):
    boundary = snapshot.boundary(7)
    assert boundary.shape == (7, 7, 3)
    assert torch.allclose(boundary.sum(dim=2), torch.ones(7, 7))


def test_neuron_maps_show_each_neuron_over_the_plane_as_the_boundary_lies(plane):
    hidden, output = plane.neuron_maps(5)
    assert hidden.shape == output.shape == (1, 5, 5)
    assert torch.allclose(hidden[0] + 5, plane.boundary(5)[..., 0])
    assert torch.equal(output[0], plane.boundary(5)[..., 0])


def test_neuron_maps_have_a_plane_for_each_neuron_of_each_layer(snapshot):
    assert [maps.shape for maps in snapshot.neuron_maps(6)] == [(30, 6, 6), (20, 6, 6), (3, 6, 6)]


def test_the_features_of_a_config_reach_the_boundary():
    snapshot = Trainer.from_config(Config(features=("x1^2",), points=50)).snapshot()
    features = torch.linspace(*snapshot.data.extent[:2], 9)[:, None] ** 2
    assert torch.allclose(snapshot.boundary(9)[4], snapshot.probabilities(features))


def test_neuron_maps_of_a_foreign_model_are_refused_in_a_sentence(snapshot):
    with pytest.raises(ToytrainError, match="NeuralNetwork"):
        dataclasses.replace(snapshot, model=torch.nn.Linear(2, 2)).neuron_maps()


# Counting


def test_a_snapshot_says_how_far_the_run_has_come(snapshot):
    # 48 training rows in batches of 8
    assert (snapshot.steps, snapshot.epoch, snapshot.batch, snapshot.batches) == (9, 1, 3, 6)
    assert snapshot.losses.shape == (9,)
    assert snapshot.tests[:, 0].tolist() == [6]


@pytest.mark.parametrize(
    ("changes", "steps", "samples"),
    [
        ({"batch_size": 2}, 2, 4),
        ({"batch_size": 2}, 3, 5),
        ({"batch_size": 2}, 4, 7),
        ({"batch_size": 2, "drop_last": True}, 2, 4),
        ({"batch_size": 2, "drop_last": True}, 3, 6),
        ({"batch_size": 100}, 2, 10),
    ],
)
def test_the_samples_seen_are_counted_with_repeats_and_without_what_is_dropped(changes, steps, samples):
    trainer = Trainer.from_config(Config(dataset="book", **changes))
    assert trainer.advance(steps=steps).samples == samples
