"""Toy data: the points asked for, the same again from the same seed, split without loss."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from toytrain import Config, ToyDataset, ToytrainError, make_data
from toytrain.config import FEATURES
from toytrain.data import compute_features, grid_points, make_loaders
from toytrain.datasets import DATASETS, last_two_rows, split_rows

MADE = [name for name, dataset in DATASETS.items() if "points" not in dataset.ignores]
CLASSES = [
    (name, count)
    for name, dataset in DATASETS.items()
    if dataset.classes and dataset.make
    for count in range(dataset.classes[0], dataset.classes[1] + 1)
]
made = pytest.mark.parametrize("name", MADE)


def points_of(config):
    data = make_data(config)
    return torch.cat([data.train_points, data.test_points])


def labels_of(config):
    data = make_data(config)
    return torch.cat([data.train.labels, data.test.labels])


# Making


@made
@pytest.mark.parametrize("points", [10, 11, 101, 5000])
def test_a_dataset_has_the_number_of_points_asked_for(name, points):
    X, y = DATASETS[name].make(points, 0.1, 2, 0)
    assert X.shape == (points, 2)
    assert y.shape == (points,)


@pytest.mark.parametrize(("name", "classes"), CLASSES)
@pytest.mark.parametrize("points", [10, 19, 20, 300])
def test_a_dataset_has_all_of_its_classes(name, classes, points):
    _, y = DATASETS[name].make(points, 0.1, classes, 0)
    assert set(y) == set(range(classes))


@made
def test_points_and_labels_are_tensors_of_the_kinds_that_a_loss_wants(name):
    data = make_data(Config(dataset=name, points=50))
    regression = DATASETS[name].task == "regression"
    assert data.train.features.dtype == torch.float32
    assert data.train.labels.dtype == (torch.float32 if regression else torch.int64)
    assert data.train.labels.shape == ((len(data.train), 1) if regression else (len(data.train),))


@made
def test_the_same_seed_makes_the_same_points(name):
    config = Config(dataset=name, points=50)
    assert torch.equal(points_of(config), points_of(config))
    assert torch.equal(labels_of(config), labels_of(config))


@made
def test_another_seed_makes_other_points(name):
    one, other = (points_of(Config(dataset=name, points=50, data_seed=seed)) for seed in (0, 1))
    assert not set(map(tuple, one.tolist())) & set(map(tuple, other.tolist()))


@made
def test_the_greatest_seed_makes_points_too(name):
    assert len(points_of(Config(dataset=name, points=10, test_fraction=0.5, data_seed=2**32 - 1))) == 10


@made
def test_the_seed_of_the_weights_does_not_touch_the_points(name):
    one, other = (points_of(Config(dataset=name, points=50, seed=seed)) for seed in (0, 1))
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", DATASETS)
def test_making_data_draws_no_random_number_of_pytorch_or_numpy(name):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    config = Config(dataset=name, points=50)
    make_loaders(config, make_data(config))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_noise_moves_points_of_the_moons_off_their_half_circles():
    def distances(noise):
        X, y = DATASETS["moons"].make(200, noise, 2, 0)
        centers = np.where(y[:, None] == 0, [0, 0], [1, 0.5])
        return np.linalg.norm(X - centers, axis=1)

    assert np.allclose(distances(0), 1)
    assert 0.05 < distances(0.1).std() < 0.15


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("xor", lambda x1, x2: (x1 > 0) != (x2 > 0)),
        ("linear", lambda x1, x2: x1 + x2 > 0),
        ("checkerboard", lambda x1, x2: (math.floor(x1) + math.floor(x2)) % 2 == 1),
        ("plane", lambda x1, x2: (x1 + x2) / 4),
    ],
)
def test_the_labels_without_noise_follow_their_rule(name, label):
    X, y = DATASETS[name].make(200, 0, 2, 0)
    assert np.allclose(y, [label(x1, x2) for x1, x2 in X])


def test_the_first_class_of_imbalanced_holds_nine_points_in_ten():
    _, y = DATASETS["imbalanced"].make(300, 0.1, 4, 0)
    assert np.bincount(y).tolist() == [270, 10, 10, 10]


def test_noise_of_a_regression_moves_its_targets_and_not_its_points():
    for name in ("plane", "gaussians"):
        (X, y), (noisy_X, noisy_y) = (DATASETS[name].make(50, noise, 2, 0) for noise in (0, 0.5))
        assert np.array_equal(noisy_X, X)
        assert not np.isclose(noisy_y, y).any()


# The split


def splits():
    """Many class columns (n,) with a test fraction and a seed."""
    rng = np.random.default_rng(0)
    for seed in range(300):
        groups = rng.choice(rng.integers(1, 7), size=rng.integers(6, 80))
        yield groups, rng.choice([0.05, 0.2, 0.5, 0.9]), seed


def test_a_split_deals_every_row_once():
    for groups, fraction, seed in splits():
        rows = np.concatenate(split_rows(groups, fraction, seed))
        assert sorted(rows) == list(range(len(groups)))


def test_a_split_leaves_every_class_a_row_for_training():
    for groups, fraction, seed in splits():
        train, _ = split_rows(groups, fraction, seed)
        assert set(groups[train]) == set(groups)


def test_a_split_gives_every_class_its_share_of_the_test_rows():
    for groups, fraction, seed in splits():
        _, test = split_rows(groups, fraction, seed)
        for group in np.unique(groups):
            size = (groups == group).sum()
            share = min(fraction * size, size - 1)
            assert abs((groups[test] == group).sum() - share) <= 0.5


def test_a_split_depends_on_its_seed():
    groups = np.arange(40) % 2
    (one, _), (same, _), (other, _) = (split_rows(groups, 0.25, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_split_mixes_the_classes_of_a_sorted_column():
    train, _ = split_rows(np.repeat([0, 1], 50), 0.2, 0)
    assert len(set(train[:20] // 50)) == 2


def test_the_book_s_split_keeps_the_last_two_rows_for_testing():
    train, test = last_two_rows(np.zeros(7), 0.9, 5)
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3, 4], [5, 6])


@made
def test_points_features_and_labels_stay_together_through_the_split(name):
    config = Config(dataset=name, points=50, features=("x2", "x1"))
    X, y = DATASETS[name].make(50, config.noise, 2, 0)
    label_of = dict(zip(map(tuple, X.astype(np.float32).tolist()), y, strict=True))
    data = make_data(config)
    for part, points in (data.train, data.train_points), (data.test, data.test_points):
        assert torch.equal(part.features, points.flip(1))
        expected = [label_of[tuple(point)] for point in points.tolist()]
        assert torch.allclose(part.labels.flatten().double(), torch.tensor(expected).double())


def test_a_split_without_a_test_point_is_refused():
    with pytest.raises(ToytrainError, match="10 points leaves no test point"):
        make_data(Config(points=10, test_fraction=0.05))


# Loaders


def config_of_book(**changes):
    return Config(dataset="book", **changes)


def loaders(config):
    return make_loaders(config, make_data(config))


def test_a_batch_larger_than_the_rows_with_drop_last_is_refused():
    with pytest.raises(ToytrainError, match="only 5 training examples") as caught:
        loaders(config_of_book(batch_size=6, drop_last=True))
    assert caught.value.field == "batch_size"


@pytest.mark.parametrize("changes", [{"batch_size": 5, "drop_last": True}, {"batch_size": 6}])
def test_a_batch_may_hold_all_rows(changes):
    train_loader, _ = loaders(config_of_book(**changes))
    assert [len(labels) for _, labels in train_loader] == [5]


def test_batch_norm_on_a_last_batch_of_one_is_refused():
    with pytest.raises(ToytrainError, match="5 training examples in batches of 2") as caught:
        loaders(config_of_book(batch_size=2, batch_norm=True))
    assert caught.value.field == "batch_norm"


@pytest.mark.parametrize("changes", [{"batch_size": 2, "drop_last": True}, {"batch_size": 3}])
def test_batch_norm_is_permitted_where_no_batch_is_one(changes):
    train_loader, _ = loaders(config_of_book(batch_norm=True, **changes))
    assert all(len(labels) > 1 for _, labels in train_loader)


def test_the_test_loader_deals_every_test_row_in_order():
    config = Config(points=100, batch_size=7, drop_last=True)
    data = make_data(config)
    _, test_loader = make_loaders(config, data)
    assert torch.equal(torch.cat([features for features, _ in test_loader]), data.test.features)


# Features and the plane


def test_each_feature_is_what_its_name_says():
    x1, x2 = 0.5, -2.0
    expected = [x1, x2, x1**2, x2**2, x1 * x2, math.sin(x1), math.sin(x2)]
    features = compute_features(torch.tensor([[x1, x2]]), FEATURES)
    assert torch.allclose(features, torch.tensor([expected]))


def test_features_stand_in_the_order_they_are_named_in():
    features = compute_features(torch.tensor([[2.0, 3.0], [4.0, 5.0]]), ("x2", "x1*x2"))
    assert features.tolist() == [[3, 6], [5, 20]]


def test_the_extent_is_a_square_that_holds_every_point_with_a_margin():
    data = make_data(Config(dataset="book"))
    x1_low, x1_high, x2_low, x2_high = data.extent
    # By hand: x2 runs from -1.6 to 3.1, the longer way, and a tenth is added to it.
    assert (x1_low, x1_high) == pytest.approx((0.75 - 2.585, 0.75 + 2.585))
    assert (x2_low, x2_high) == pytest.approx((0.75 - 2.585, 0.75 + 2.585))


def test_the_grid_covers_the_extent_to_its_edges_row_by_row_from_below():
    assert grid_points((0, 4, 10, 14), 2).tolist() == [[0, 10], [4, 10], [0, 14], [4, 14]]


# ToyDataset


def test_a_toy_dataset_is_that_of_the_book():
    X, y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1])
    dataset = ToyDataset(X, y)
    assert dataset.features is X
    assert dataset.labels is y
    assert len(dataset) == 2
    features, label = dataset[1]
    assert (features.tolist(), label.item()) == ([3, 4], 1)


def test_a_toy_dataset_yields_its_examples_in_a_loop():
    dataset = make_data(config_of_book()).train
    assert [label.item() for _, label in (dataset[row] for row in range(len(dataset)))] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("field", ["noise", "points", "data_seed", "test_fraction"])
def test_the_book_s_data_ignores_the_settings_of_made_data(field):
    changed = dataclasses.replace(
        config_of_book(), **{field: 0.5 if field in ("noise", "test_fraction") else 77}
    )
    assert torch.equal(points_of(changed), points_of(config_of_book()))
