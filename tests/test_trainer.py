"""The Trainer: the plain loop that can stop, be looked at, be stored and go on, without one other bit.

That its losses are those of plain PyTorch is held by test_book and test_script.
"""

import dataclasses
import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from conftest import same
from torch.utils.data import DataLoader, Dataset

from toytrain import Config, ToytrainError, Trainer, checkpoint

# 80 training examples in batches of 8: ten batches an epoch, so 53 steps end within one.
PLAIN = Config(points=100, batch_size=8)
KINDS = {
    "plain": PLAIN,
    "partial last batch": dataclasses.replace(PLAIN, batch_size=9),
    "dropout": dataclasses.replace(PLAIN, dropout=0.4),
    "momentum": dataclasses.replace(PLAIN, momentum=0.9, nesterov=True),
    "adam": dataclasses.replace(PLAIN, optimizer="adam", learning_rate=0.01, weight_decay=0.01),
    "rmsprop": dataclasses.replace(PLAIN, optimizer="rmsprop", learning_rate=0.01, momentum=0.5),
    "batch norm": dataclasses.replace(PLAIN, batch_norm=True),
    "not shuffled": dataclasses.replace(PLAIN, shuffle=False, dropout=0.4),
    "regression": dataclasses.replace(PLAIN, dataset="gaussians"),
    "worker process": dataclasses.replace(PLAIN, num_workers=1),
    "all at once": dataclasses.replace(
        PLAIN, dropout=0.2, batch_norm=True, optimizer="adamw", l1=0.001, drop_last=True, batch_size=9
    ),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)

RESUME = """
import torch
from toytrain import Trainer, checkpoint

torch.set_num_threads(1)
stored = checkpoint.load(open("half.pth", "rb").read())
trainer = Trainer.from_config(stored.config)
trainer.restore(stored)
open("whole.pth", "wb").write(checkpoint.save(trainer.advance(steps=50)))
"""


def parts(snapshot):
    """All that a run is made of, to compare two of them."""
    return [
        snapshot.losses,
        snapshot.tests,
        snapshot.weights,
        snapshot.optimizer_state,
        snapshot.random_state,
        snapshot.epoch_random_state,
        [snapshot.steps, snapshot.epoch, snapshot.batch, snapshot.learning_rate],
    ]


def run(config, steps):
    return Trainer.from_config(config).advance(steps=steps)


# Stopping and going on


@kinds
def test_a_run_stored_and_resumed_in_a_new_process_equals_one_that_never_stopped(config, forked, tmp_path):
    (tmp_path / "half.pth").write_bytes(checkpoint.save(run(config, 53)))
    forked(RESUME, tmp_path)
    resumed = checkpoint.load((tmp_path / "whole.pth").read_bytes())
    assert same(parts(resumed), parts(run(config, 103)))


@pytest.mark.slow
def test_a_run_resumes_in_a_new_interpreter(python, tmp_path):
    config = KINDS["all at once"]
    (tmp_path / "half.pth").write_bytes(checkpoint.save(run(config, 53)))
    assert python("-c", RESUME, cwd=tmp_path).stderr == ""
    resumed = checkpoint.load((tmp_path / "whole.pth").read_bytes())
    assert same(parts(resumed), parts(run(config, 103)))


@pytest.mark.parametrize("steps", [0, 1, 9, 10, 11, 20])
def test_a_run_resumes_from_every_place_in_an_epoch(steps):
    config = KINDS["dropout"]
    again = Trainer.from_config(config)
    again.restore(run(config, steps))
    assert same(parts(again.advance(steps=30 - steps)), parts(run(config, 30)))


def test_a_trainer_goes_back_to_an_earlier_snapshot():
    trainer = Trainer.from_config(KINDS["all at once"])
    earlier = trainer.advance(steps=17)
    later = trainer.advance(steps=20)
    trainer.restore(earlier)
    assert same(parts(trainer.advance(steps=20)), parts(later))


def test_a_resumed_run_keeps_its_changed_learning_rate():
    def changed():
        trainer = Trainer.from_config(PLAIN)
        trainer.advance(steps=5)
        trainer.set_learning_rate(0.7)
        return trainer

    again = Trainer.from_config(PLAIN)
    again.restore(checkpoint.load(checkpoint.save(changed().snapshot())))
    assert again.learning_rate == 0.7
    assert same(parts(again.advance(steps=10)), parts(changed().advance(steps=10)))


def test_a_trainer_refuses_to_go_on_from_a_bare_state_dict():
    trainer = Trainer.from_config(PLAIN)
    bare = checkpoint.load(checkpoint.save_weights(run(PLAIN, 3)))
    with pytest.raises(ToytrainError, match="weights only"):
        trainer.restore(bare)


# How long to advance


def test_advancing_in_pieces_equals_advancing_at_once():
    trainer = Trainer.from_config(KINDS["all at once"])
    for steps in (1, 8, 0, 3, 11):
        trainer.advance(steps=steps)
    assert same(parts(trainer.snapshot()), parts(run(KINDS["all at once"], 23)))


def test_advancing_for_no_time_at_all_trains_one_batch():
    assert Trainer.from_config(PLAIN).advance(seconds=0).steps == 1


def test_advancing_for_a_time_ends_at_the_steps_asked_for():
    assert Trainer.from_config(PLAIN).advance(steps=3, seconds=3600).steps == 3


def test_advancing_ends_when_the_time_is_over(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert Trainer.from_config(PLAIN).advance(steps=50, seconds=4).steps == 4


def test_a_run_ends_after_its_epochs():
    trainer = Trainer.from_config(dataclasses.replace(PLAIN, epochs=2))
    snapshot = trainer.advance()
    assert (snapshot.steps, snapshot.epoch, snapshot.batch, snapshot.finished) == (20, 2, 0, True)
    assert trainer.advance(steps=5).steps == 20


# Looking changes nothing


def look(snapshot):
    """Everything that a screen asks of a Snapshot."""
    snapshot.boundary(20)
    snapshot.neuron_maps(10)
    snapshot.probabilities(snapshot.data.test.features)
    snapshot.evaluate(snapshot.data.train)


@kinds
def test_looking_at_a_run_changes_no_bit_of_it(config):
    trainer = Trainer.from_config(config)
    for _ in range(23):
        trainer.step()
        trainer.evaluate(trainer.data.train)
        look(trainer.snapshot())
    assert same(parts(trainer.snapshot()), parts(run(config, 23)))


def test_a_snapshot_stays_as_it_was_when_the_run_goes_on():
    trainer = Trainer.from_config(KINDS["all at once"])
    snapshot = trainer.advance(steps=13)
    trainer.set_learning_rate(0.5)
    trainer.advance(steps=25)
    assert same(parts(snapshot), parts(run(KINDS["all at once"], 13)))
    assert snapshot.learning_rates == {}


def test_a_snapshot_stays_as_it_was_when_the_run_goes_back():
    trainer = Trainer.from_config(PLAIN)
    earlier = trainer.advance(steps=5)
    later = trainer.advance(steps=30)
    trainer.restore(earlier)
    trainer.set_learning_rate(0.5)
    other = trainer.advance(steps=30)
    assert same(parts(later), parts(run(PLAIN, 35)))
    assert not same(other.losses, later.losses)
    assert not same(other.tests, later.tests)


def test_a_snapshot_stays_as_it_was_when_another_run_goes_on_from_it():
    snapshot = run(KINDS["all at once"], 13)
    other = Trainer.from_config(KINDS["all at once"])
    other.restore(snapshot)
    other.advance(steps=5)
    assert same(parts(snapshot), parts(run(KINDS["all at once"], 13)))


def test_the_test_score_is_that_of_the_network_at_the_end_of_each_epoch():
    trainer = Trainer.from_config(dataclasses.replace(KINDS["dropout"], epochs=3))
    expected = []
    for end in (10, 20, 30):
        snapshot = trainer.advance(steps=10)
        expected.append([end, *snapshot.evaluate(snapshot.data.test)])
    assert trainer.snapshot().tests.tolist() == expected


# The learning rate


def test_a_changed_learning_rate_holds_from_the_next_batch_on():
    trainer = Trainer.from_config(PLAIN)
    trainer.advance(steps=4)
    trainer.set_learning_rate(0.9)
    changed, unchanged = trainer.advance(steps=2).losses, run(PLAIN, 6).losses
    assert torch.equal(changed[:5], unchanged[:5])  # a loss is computed before the step it leads to
    assert changed[5] != unchanged[5]


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1, 0, 101, "0.1"])
def test_a_learning_rate_out_of_range_is_refused(rate):
    trainer = Trainer.from_config(PLAIN)
    with pytest.raises(ToytrainError, match="learning_rate"):
        trainer.set_learning_rate(rate)
    assert trainer.learning_rates == {}


# Divergence


def diverging():
    return Trainer.from_config(
        Config(dataset="gaussians", activation="linear", learning_rate=100, points=100, batch_size=8)
    )


def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence_that_says_where():
    snapshot = diverging().advance()
    assert snapshot.diverged == (
        f"Diverged at epoch {snapshot.epoch + 1}, batch {snapshot.batch + 1}: the loss is not finite any "
        "more; lower the learning rate and reset."
    )


def test_a_diverged_run_keeps_the_weights_from_before_the_failing_batch():
    snapshot = diverging().advance()
    before = diverging().advance(steps=snapshot.steps)
    assert not before.diverged
    assert all(tensor.isfinite().all() for tensor in before.weights.values())
    assert same(snapshot.weights, before.weights)
    assert same(snapshot.losses, before.losses)


def test_a_diverged_run_trains_no_more():
    trainer = diverging()
    steps = trainer.advance().steps
    assert trainer.advance(steps=5).steps == steps
    with pytest.raises(ToytrainError, match="Diverged at epoch"):
        trainer.step()


def test_a_run_resumed_as_diverged_is_still_diverged():
    snapshot = diverging().advance()
    again = diverging()
    again.restore(checkpoint.load(checkpoint.save(snapshot)))
    assert again.advance(steps=5).diverged == snapshot.diverged


def test_a_diverged_run_keeps_finite_weights_where_the_loss_told_too_late():
    # The first loss is finite and its gradient is not; only the second loss tells.
    trainer = Trainer.from_config(PLAIN)
    first = trainer.snapshot().weights
    trainer.model.layers[0].weight.register_hook(lambda gradient: gradient * math.inf)
    trainer.step()
    assert not trainer.model.layers[0].weight.isfinite().all()
    snapshot = trainer.advance()
    assert snapshot.diverged.startswith("Diverged at epoch 1, batch 2:")
    assert same(snapshot.weights, first)


# Objects from elsewhere: the book's own classes, as its readers type them


class ToyDataset(Dataset):
    def __init__(self, X, y):
        self.features = X
        self.labels = y

    def __getitem__(self, index):
        return self.features[index], self.labels[index]

    def __len__(self):
        return self.labels.shape[0]


class NeuralNetwork(torch.nn.Module):
    def __init__(self, num_inputs, num_outputs):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(num_inputs, 30),
            torch.nn.ReLU(),
            torch.nn.Linear(30, 20),
            torch.nn.ReLU(),
            torch.nn.Linear(20, num_outputs),
        )

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def book_objects():
    """Model, optimizer, loss and loaders, without a Config."""
    X = torch.tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]])
    train_ds = ToyDataset(X, torch.tensor([0, 0, 0, 1, 1]))
    test_ds = ToyDataset(torch.tensor([[-0.8, 2.8], [2.6, -1.6]]), torch.tensor([0, 1]))
    torch.manual_seed(123)
    model = NeuralNetwork(num_inputs=2, num_outputs=2)
    train_loader = DataLoader(train_ds, batch_size=2, shuffle=True, drop_last=True)
    test_loader = DataLoader(test_ds, batch_size=2, shuffle=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return model, optimizer, F.cross_entropy, train_loader, test_loader


def test_the_book_s_own_objects_train_as_in_the_book(book_objects):
    snapshot = Trainer(*book_objects, epochs=3).advance()
    assert [f"{loss:.2f}" for loss in snapshot.losses] == ["0.75", "0.65", "0.44", "0.13", "0.03", "0.00"]
    assert snapshot.tests[-1, 2] == 1.0


def test_the_book_s_own_objects_equal_the_config_of_the_book(book_objects, book_config):
    snapshot = Trainer(*book_objects, epochs=3).advance()
    assert same(parts(snapshot), parts(Trainer.from_config(book_config).advance()))


def test_a_trainer_needs_no_test_loader(book_objects):
    model, optimizer, loss, train_loader, _ = book_objects
    snapshot = Trainer(model, optimizer, loss, train_loader, epochs=3).advance()
    assert snapshot.finished
    assert snapshot.tests.shape == (0, 3)


def test_a_snapshot_without_a_config_says_what_it_lacks(book_objects):
    snapshot = Trainer(*book_objects).advance(steps=1)
    with pytest.raises(ToytrainError, match="from a Config"):
        snapshot.boundary()
    with pytest.raises(ToytrainError, match="from_config"):
        checkpoint.save(snapshot)


def test_a_trainer_leaves_a_loader_s_own_generator_where_a_plain_loop_leaves_it(book_objects):
    model, optimizer, loss, train_loader, _ = book_objects
    left = []
    for train in (
        lambda loader: list(loader),
        lambda loader: Trainer(model, optimizer, loss, loader).advance(2),
    ):
        generator = torch.Generator().manual_seed(1)
        loader = DataLoader(
            train_loader.dataset, batch_size=2, shuffle=True, drop_last=True, generator=generator
        )
        train(loader)
        left.append(generator.get_state())
    assert torch.equal(*left)


def test_the_source_of_a_step_holds_the_five_lines_of_the_book_in_their_order():
    lines = [line.strip() for line in inspect.getsource(Trainer.step).splitlines()]
    wanted = [
        "logits = self.model(features)",
        "loss = self.loss(logits, labels)",
        "self.optimizer.zero_grad()",
        "loss.backward()",
        "self.optimizer.step()",
    ]
    assert [line for line in lines if line in wanted] == wanted
