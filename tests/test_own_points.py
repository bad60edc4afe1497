"""Own points: a canonical text within the Config that survives every way a Config goes, bit for bit; label
noise and imbalance, which every dataset of classes can have; the order in which an epoch deals its rows."""

import dataclasses
import io
import random
import struct

import numpy as np
import pytest
import torch
from conftest import same

from toytrain import Config, ToytrainError, Trainer, checkpoint, make_data
from toytrain.datasets import flip_labels, thin_classes
from toytrain.rows import EXAMPLE, MOST_POINTS, close_gaps, read_rows, standardise, write_rows
from toytrain.script import write_script

RNG = random.Random(5)
MANY = ";".join(f"{RNG.gauss(0, 3)!r},{RNG.uniform(-1, 1)!r},{number % 10}" for number in range(MOST_POINTS))
THREE = "0.5,1.5,0;-1e-5,2,1;3,-4,2;0,0,0;1,1,1"


def own(rows=THREE, **values):
    return Config(dataset="own", rows=rows, **values)


def refusal(rows):
    with pytest.raises(ToytrainError) as caught:
        own(rows)
    assert caught.value.field == "rows"
    return str(caught.value)


# The text


def test_equal_points_are_equal_configs_however_they_are_written():
    ways = [THREE, " 0.50, +1.5,0 ;-0.00001,2.0,1;3e0,-4,2;0,-0,0;1,1,1;", THREE + ";"]
    assert len({own(rows) for rows in ways}) == 1


def test_a_coordinate_is_written_with_the_shortest_digits_of_its_float32():
    for _ in range(2000):
        (bits,) = struct.unpack("<f", struct.pack("<I", RNG.randrange(2**32)))
        if abs(bits) <= 1e6:
            ((x1, _x2, _label),) = read_rows(write_rows([(bits, 0, 0)]))
            assert np.float32(x1) == np.float32(bits)
            assert write_rows([(x1, 0, 0)]) == write_rows([(bits, 0, 0)])


def test_the_points_of_a_run_are_those_of_the_text_in_float32():
    data = make_data(own(MANY))
    given = torch.tensor([point[:2] for point in read_rows(MANY)], dtype=torch.float32)
    made = torch.cat([data.train_points, data.test_points])
    assert sorted(map(tuple, made.tolist())) == sorted(map(tuple, given.tolist()))


def test_the_number_of_classes_is_that_of_the_points():
    assert own().classes == own(classes=7).classes == 3
    assert own() == own(classes=7)
    assert own(EXAMPLE).classes == 2


def test_without_points_of_ones_own_they_are_an_xor():
    data = make_data(Config(dataset="own"))
    assert ((data.train_points.prod(dim=1) < 0) == data.train.labels.bool()).all()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("", "0 points are too few"),
        ("1,2,0;2,3,1;4,5,1", "3 points are too few"),
        ("1,2,0;1,2,0;1,2,0;1,2,0", "same class"),
        ("1,2,0;1,2,2;1,2,0;1,2,2", "No point has class 1"),
        ("1,2,1;1,2,2;1,2,1;1,2,2", "No point has class 0"),
        ("1,2,0;1,2,10", "Point 2 has class 10; permitted is 0 to 9"),
        ("1,2,0;1,2,-1", "Point 2 has class -1"),
        ("1,2,0;1,2,1.5", "Point 2"),
        ("1,2,0;1,nan,1", "Point 2"),
        ("1,2,0;inf,2,1", "Point 2"),
        ("1,2,0;1e400,2,1", "Point 2"),
        ("1,2,0;1e30,2,1", "Point 2: 1e+30 is not permitted"),
        ("1,2,0;1,2", "Point 2"),
        ("1,2,0;1,2,3,4", "Point 2"),
        ("x1,x2,label", "Point 1"),
        (MANY + ";0,0,0", "5,001 points are too many"),
        ("9" * 300_001, "permitted is a text of up to 300,000 characters"),
        (None, "permitted is a text"),
        (5, "permitted is a text"),
    ],
)
def test_a_text_of_which_no_run_can_be_made_is_refused_with_its_place(rows, says):
    assert says in refusal(rows)
    assert len(refusal(rows)) < 250


def test_labels_with_gaps_can_be_numbered_anew():
    points, mapping = close_gaps([(1, 2, 7), (3, 4, 2), (5, 6, 7)])
    assert points == ((1, 2, 1), (3, 4, 0), (5, 6, 1))
    assert mapping == {2: 0, 7: 1}


def test_standardised_points_have_mean_0_and_standard_deviation_1():
    points, scaling = standardise([(RNG.gauss(170, 9), RNG.gauss(-3, 0.1), 0) for _ in range(50)])
    X = np.array(points)[:, :2]
    assert np.allclose(X.mean(axis=0), 0)
    assert np.allclose(X.std(axis=0), 1)
    assert abs(scaling[0][0] - 170) < 9
    alone, _ = standardise([(5, 5, 0), (5, 6, 1)])
    assert [point[0] for point in alone] == [0, 0]


def test_points_that_all_lie_at_one_place_can_be_drawn():
    left, right, low, high = make_data(own("2,3,0;2,3,1;2,3,0;2,3,1", test_fraction=0.5)).extent
    assert left < 2 < right
    assert low < 3 < high


# Every way that a Config goes


@pytest.mark.parametrize("rows", [THREE, MANY], ids=["few", "5000"])
def test_own_points_survive_every_round_trip(rows):
    config = own(rows)
    assert Config.from_dict(config.to_dict()) == config
    assert Config.from_json(config.to_json()) == config
    assert Config.from_query(config.to_query()) == config
    assert dataclasses.replace(config, seed=3).rows == config.rows


@pytest.mark.parametrize("rows", [THREE, MANY], ids=["few", "5000"])
def test_a_run_on_own_points_is_its_script(rows, forked, tmp_path):
    config = own(
        rows, epochs=2, batch_size=200, test_fraction=0.4, label_noise=0.25, imbalance=0.5, learning_rate=1e-6
    )
    snapshot = Trainer.from_config(config).advance()
    forked(write_script(config), tmp_path)
    assert same(torch.load(tmp_path / "model.pth", weights_only=True), snapshot.weights)


@pytest.mark.parametrize("rows", [THREE, MANY], ids=["few", "5000"])
def test_a_run_on_own_points_goes_on_from_its_checkpoint(rows):
    config = own(rows, epochs=3, test_fraction=0.4, learning_rate=1e-6)
    whole = Trainer.from_config(config).advance()
    trainer = Trainer.from_config(config)
    saved = checkpoint.load(checkpoint.save(trainer.advance(steps=2)))
    assert saved.config == config
    again = Trainer.from_config(saved.config)
    again.restore(saved)
    assert same(again.advance().weights, whole.weights)


def test_a_checkpoint_with_points_that_are_none_is_refused_as_its_settings():
    state = torch.load(
        io.BytesIO(checkpoint.save(Trainer.from_config(own(test_fraction=0.4)).snapshot())),
        weights_only=True,
    )
    for rows in ("1,2", "1e30,2,0;1,1,1;2,2,0;3,3,1", "0,0,0;" * 60_000, ["0,0,0"] * 5):
        state["config"]["rows"] = rows
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with pytest.raises(ToytrainError, match=r"rows|too long") as caught:
            checkpoint.load(buffer.getvalue())
        assert caught.value.code in ("settings", "big")


# Label noise and imbalance


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_exactly_that_share_of_the_training_labels_is_another_one(share, classes):
    config = Config(dataset="blobs", classes=classes, label_noise=share)
    noisy, right = make_data(config), make_data(dataclasses.replace(config, label_noise=0))
    changed = noisy.train.labels != right.train.labels
    assert changed.sum() == round(share * len(noisy.train))
    assert set(noisy.train.labels.tolist()) <= set(range(classes))
    assert torch.equal(noisy.test.labels, right.test.labels)
    assert torch.equal(noisy.train_points, right.train_points)


def test_each_other_class_is_as_likely_for_a_flipped_label():
    y = np.zeros(6000, dtype=np.int64)
    counts = np.bincount(flip_labels(y, np.arange(6000), 1.0, 4, 0))
    assert counts[0] == 0
    assert all(abs(count - 2000) < 200 for count in counts[1:])


@pytest.mark.parametrize("name", ["moons", "blobs", "own"])
def test_imbalance_takes_points_of_every_class_but_the_first(name):
    rows = ";".join(f"{RNG.gauss(0, 1)},{RNG.gauss(0, 1)},{number % 3}" for number in range(300))
    config = Config(dataset=name, points=300, classes=3 if name == "blobs" else 2, rows=rows)
    thin = dataclasses.replace(config, imbalance=0.9)

    def counts(config):
        data = make_data(config)
        return torch.bincount(torch.cat([data.train.labels, data.test.labels])).tolist()

    first, *others = counts(config)
    assert counts(thin) == [first, *(round(0.1 * count) for count in others)]


def test_of_a_class_two_points_stay_at_least_if_it_has_them():
    y = np.array([0] * 5 + [1] * 5 + [2])
    assert np.bincount(y[thin_classes(y, 0.99, 0)]).tolist() == [5, 2, 1]


def test_the_books_five_points_have_neither_noise_nor_imbalance():
    plain, asked = (
        make_data(Config(dataset="book")),
        make_data(Config(dataset="book", label_noise=1, imbalance=0.9)),
    )
    assert same([*vars(plain.train).values()], [*vars(asked.train).values()])


# The order in which an epoch deals its rows


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 4, 5, 6, 13])
def test_the_dealt_order_is_that_of_the_runs_own_loader(steps, drop_last, shuffle):
    config = Config(points=100, batch_size=17, shuffle=shuffle, drop_last=drop_last, dropout=0.3)
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    snapshot = trainer.snapshot()
    before = torch.get_rng_state()
    order = snapshot.deal_epoch()
    assert torch.equal(torch.get_rng_state(), before)
    assert sorted(order) == list(range(80))
    for batch in range(snapshot.batch, snapshot.batches):
        features, _ = trainer.next_batch()
        rows = order[17 * batch : 17 * (batch + 1)]
        assert torch.equal(features, trainer.data.train.features[rows])
    assert snapshot.samples_in_epoch == (68 if drop_last else 80)


def test_looking_at_the_order_changes_no_bit_of_the_run():
    config = Config(points=100, batch_size=16, dropout=0.2, epochs=3)
    looked = Trainer.from_config(config)
    while not looked.finished:
        looked.step()
        looked.snapshot().deal_epoch()
    assert same(looked.snapshot().weights, Trainer.from_config(config).advance().weights)
