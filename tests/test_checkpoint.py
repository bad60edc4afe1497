"""Checkpoint: a run at rest, either as the book saves it or whole; and what is no checkpoint.

That a run resumes from one bit for bit is held by test_trainer.
"""

import io

import pytest
import torch
from conftest import same
from safetensors import safe_open

from toytrain import Config, ToytrainError, Trainer, checkpoint

CONFIG = Config(
    dataset="spirals", classes=3, points=90, hidden=(9, 5), dropout=0.2, optimizer="adam", learning_rate=0.01
)


class NeuralNetwork(torch.nn.Module):
    """The book's class, as its reader types it."""

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
        logits = self.layers(x)
        return logits


@pytest.fixture
def snapshot():
    trainer = Trainer.from_config(CONFIG)
    trainer.advance(steps=4)
    trainer.set_learning_rate(0.02)
    return trainer.advance(steps=3)


@pytest.fixture
def restored(snapshot):
    return checkpoint.load(checkpoint.save(snapshot))


def saved(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


# The book's file


def test_a_bare_file_loads_into_the_book_s_own_class():
    snapshot = Trainer.from_config(Config(points=50)).advance(steps=5)
    stored = io.BytesIO(checkpoint.save_weights(snapshot))
    model = NeuralNetwork(num_inputs=2, num_outputs=2)
    answer = model.load_state_dict(torch.load(stored, weights_only=True))
    assert str(answer) == "<All keys matched successfully>"
    features = snapshot.data.test.features
    assert torch.equal(model(features), snapshot.logits(features))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_file_that_a_reader_saved_predicts_what_the_reader_s_model_does(classes):
    model = NeuralNetwork(num_inputs=2, num_outputs=classes)
    features = torch.randn(20, 2)
    assert torch.equal(checkpoint.load(saved(model.state_dict())).logits(features), model(features))


def test_the_widths_of_a_bare_file_are_read_off_its_shapes():
    snapshot = Trainer.from_config(Config(hidden=(9, 5, 7), dataset="blobs", classes=4)).snapshot()
    loaded = checkpoint.load(checkpoint.save_weights(snapshot))
    assert loaded.config.hidden == (9, 5, 7)
    assert loaded.config.classes == 4
    assert same(loaded.weights, snapshot.weights)


# The whole file


def test_a_full_checkpoint_opens_in_plain_pytorch_with_weights_only(snapshot):
    state = torch.load(io.BytesIO(checkpoint.save(snapshot)), weights_only=True)
    assert same(state["model_state_dict"], snapshot.weights)
    assert Config.from_dict(state["config"]) == CONFIG


@pytest.mark.parametrize(
    "part",
    [
        "config",
        "weights",
        "optimizer_state",
        "random_state",
        "epoch_random_state",
        "steps",
        "epoch",
        "batch",
        "batches",
        "learning_rate",
        "learning_rates",
        "losses",
        "tests",
        "finished",
        "diverged",
        "samples",
    ],
)
def test_a_full_checkpoint_keeps(part, snapshot, restored):
    assert same(getattr(restored, part), getattr(snapshot, part))


def test_a_full_checkpoint_keeps_what_the_screen_shows(snapshot, restored):
    assert torch.equal(restored.boundary(9), snapshot.boundary(9))
    assert restored.evaluate(restored.data.test) == snapshot.evaluate(snapshot.data.test)


def test_a_checkpoint_of_a_checkpoint_is_the_same_checkpoint(restored):
    again = checkpoint.load(checkpoint.save(restored))
    assert same(
        [again.weights, again.optimizer_state, again.losses, again.random_state],
        [restored.weights, restored.optimizer_state, restored.losses, restored.random_state],
    )


@pytest.mark.parametrize("save", [checkpoint.save, checkpoint.save_weights])
def test_loading_draws_no_random_number(save):
    stored = save(Trainer.from_config(Config(points=50)).advance(steps=3))
    before = torch.get_rng_state()
    checkpoint.load(stored)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_finished_run_is_finished_when_it_is_loaded():
    snapshot = Trainer.from_config(Config(dataset="book", epochs=2)).advance()
    assert snapshot.finished
    assert checkpoint.load(checkpoint.save(snapshot)).finished


# The file without a pickle


def test_safetensors_hold_the_weights_and_the_config(snapshot, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(checkpoint.save_safetensors(snapshot))
    with safe_open(path, framework="pt") as file:
        assert Config.from_json(file.metadata()["config"]) == CONFIG
        assert same({key: file.get_tensor(key) for key in file.keys()}, snapshot.weights)  # noqa: SIM118


# No checkpoint


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran a stranger\\'s code')",)


def full(**changes):
    """The bytes of a full checkpoint with some of its entries replaced."""
    state = torch.load(io.BytesIO(checkpoint.save(Trainer.from_config(CONFIG).snapshot())), weights_only=True)
    return saved({**state, **changes})


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"not a checkpoint",
        checkpoint.__doc__.encode(),
        saved(torch.zeros(3)),
        saved([1, 2]),
        saved({}),
        saved({"layers.0.weight": 3}),
        saved(torch.nn.Linear(2, 2).state_dict()),
        saved(Hostile()),
        saved({"format": "toytrain"}),
        saved({"format": "toytrain", "version": 2}),
    ],
    ids=[
        "empty",
        "text",
        "more text",
        "a tensor",
        "a list",
        "no weights",
        "a number for a weight",
        "other keys",
        "code",
        "only a format",
        "another version",
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(stored):
    with pytest.raises(ToytrainError, match=r"\.$"):
        checkpoint.load(stored)


@pytest.mark.parametrize(
    "changes",
    [{"config": {"colour": 1}}, {"config": {"points": 1}}, {"config": {}}, {"model_state_dict": {}}],
    ids=["an unknown setting", "a setting out of range", "another network", "no weights"],
)
def test_a_checkpoint_whose_parts_do_not_fit_is_refused_in_a_sentence(changes):
    with pytest.raises(ToytrainError, match=r"\.$"):
        checkpoint.load(full(**changes))


def test_a_cut_off_file_is_refused(snapshot):
    stored = checkpoint.save(snapshot)
    with pytest.raises(ToytrainError, match="PyTorch can open"):
        checkpoint.load(stored[: len(stored) // 2])
