"""The learning-rate finder: its losses are those of the plain loop, and the run never notices."""

import copy
import dataclasses
import hashlib

import pytest
import torch
import torch.nn.functional as F
from conftest import same
from test_fast_step import parts

from toytrain import Config, ToytrainError, Trainer, checkpoint
from toytrain.engine.worker import Worker
from toytrain.rate_finder import BATCHES, HIGHEST, LOWEST, SETTLING, TOO_HIGH, RateFinder

PLAIN = Config(points=100, batch_size=8)
KINDS = {
    "plain": PLAIN,
    "dropout, batch norm": dataclasses.replace(PLAIN, dropout=0.3, batch_norm=True),
    "adam": dataclasses.replace(PLAIN, optimizer="adam", shuffle=False),
    "schedule": dataclasses.replace(PLAIN, schedule="cosine", t_max=5, momentum=0.9, clip_norm=1),
    "about to end": dataclasses.replace(PLAIN, epochs=2, target_loss=0.6, patience=1),
    "regression": dataclasses.replace(PLAIN, dataset="plane"),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


def found(trainer, seconds=10.0):
    finder = RateFinder(trainer.snapshot())
    while not finder.done:
        finder.advance(seconds)
    return finder


def digest(trainer):
    """A hash of a run and of the generator."""
    state = [checkpoint.save(trainer.snapshot()), torch.get_rng_state().numpy().tobytes()]
    return hashlib.sha256(b"".join(state)).hexdigest()


@kinds
@pytest.mark.parametrize("steps", [0, 13])
def test_the_run_and_its_random_state_are_untouched(config, steps):
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    before = digest(trainer)
    found(trainer)
    assert digest(trainer) == before
    trainer.advance(steps=30)
    other = Trainer.from_config(config)
    other.advance(steps=steps)
    other.advance(steps=30)
    assert same(parts(trainer), parts(other))


def test_the_losses_are_those_of_the_plain_loop_with_a_growing_rate():
    trainer = Trainer.from_config(PLAIN)
    model, loader = copy.deepcopy(trainer.model), trainer.train_loader
    finder = found(trainer)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    while len(losses) < len(finder.losses):
        for features, labels in loader:
            optimizer.param_groups[0]["lr"] = LOWEST * (HIGHEST / LOWEST) ** (len(losses) / (BATCHES - 1))
            loss = F.cross_entropy(model(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert finder.losses == pytest.approx(losses[: len(finder.losses)], rel=1e-4)
    assert finder.rates[0] == LOWEST
    assert finder.rates == sorted(finder.rates)


def test_slices_of_any_length_find_the_same():
    config = KINDS["dropout, batch norm"]
    whole, sliced = found(Trainer.from_config(config)), found(Trainer.from_config(config), 0.0)
    assert sliced.losses == whole.losses
    assert sliced.smoothed == whole.smoothed


def test_the_smoothed_loss_of_a_constant_is_that_constant():
    finder = RateFinder(Trainer.from_config(PLAIN).snapshot())
    for rate in range(3):
        finder._note(0.5, rate)
    assert finder.smoothed == pytest.approx([0.5] * 3)
    assert finder.suggestion is None


def test_the_search_ends_where_the_loss_has_grown_to_four_times_the_lowest():
    finder = found(Trainer.from_config(dataclasses.replace(PLAIN, dataset="plane")))
    assert len(finder.losses) < BATCHES
    lowest = min(finder.smoothed[SETTLING:])
    assert finder.smoothed[-1] > TOO_HIGH * lowest
    assert finder.suggestion == finder.rates[finder.smoothed.index(lowest)] / 10


def test_the_suggested_rate_trains_better_than_the_lowest_tried():
    suggestion = found(Trainer.from_config(PLAIN)).suggestion
    configs = [dataclasses.replace(PLAIN, learning_rate=rate) for rate in (suggestion, LOWEST)]
    losses = [Trainer.from_config(config).advance(steps=200).losses[-10:].mean() for config in configs]
    assert losses[0] < losses[1]


def test_of_a_run_that_has_diverged_no_rate_is_sought():
    config = Config(dataset="gaussians", activation="linear", learning_rate=100, points=100)
    snapshot = Trainer.from_config(config).advance()
    with pytest.raises(ToytrainError, match="diverged"):
        RateFinder(snapshot)


def test_in_the_engine_every_command_is_a_slice_and_the_others_go_on():
    config = KINDS["dropout, batch norm"]
    worker = Worker()
    for run_id in "ab":
        worker.handle("open", run_id, {"config": config.to_dict()})
    worker.handle("step_batch", "a", {})
    worker.handle("half_step", "a", {})
    told = worker.handle("find_learning_rate", "a", {"begin": True})
    while not told["done"]:
        worker.handle("step_batch", "b", {})
        told = worker.handle("find_learning_rate", "a", {"begin": False})
    assert len(told["rates"]) == len(told["losses"]) == len(told["smoothed"]) > 10
    for _ in range(10):
        worker.handle("step_batch", "a", {})
    expected = Trainer.from_config(config)
    expected.advance(steps=40)
    for run_id in "ab":
        losses = worker.runs[run_id].trainer.losses
        assert losses == expected.losses[: len(losses)]
