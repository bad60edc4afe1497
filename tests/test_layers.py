"""What goes on in each layer, beside PyTorch's own backward; and that looking changes nothing."""

import dataclasses

import pytest
import torch
from conftest import same
from test_fast_step import parts

from toytrain import Config, Trainer
from toytrain.layers import BINS, MOST_SAMPLES, GradientNorms, Histogram, look_at_layers
from toytrain.schedules import RateHistory

PLAIN = Config(points=100, batch_size=8)
KINDS = {
    "plain": PLAIN,
    "dropout, batch norm": dataclasses.replace(PLAIN, dropout=0.3, batch_norm=True),
    "l1": dataclasses.replace(PLAIN, l1=0.01),
    "regression": dataclasses.replace(PLAIN, dataset="plane", activation="tanh"),
}
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


def looked_at(config, steps=13):
    trainer = Trainer.from_config(config)
    snapshot = trainer.advance(steps=steps)
    return trainer, look_at_layers(snapshot, trainer.data.train)


@kinds
def test_the_gradients_are_those_of_backward_on_the_training_data(config):
    trainer, layers = looked_at(config)
    model = trainer.model.eval()
    model.zero_grad()
    data = trainer.data.train
    loss = trainer.loss(model(data.features), data.labels)
    loss.backward()
    linear = [layer for layer in model.layers if isinstance(layer, torch.nn.Linear)]
    for found, layer in zip(layers, linear, strict=True):
        gradients = [layer.weight.grad, layer.bias.grad]
        assert found.gradient_norm == pytest.approx(
            torch.cat([gradient.flatten() for gradient in gradients]).norm().item(), rel=1e-5
        )
        assert found.gradients.low == pytest.approx(layer.weight.grad.min().item(), rel=1e-5)
        assert found.weights.high == layer.weight.max().item()
        assert sum(found.weights.counts) == sum(found.gradients.counts) == layer.weight.numel()


def test_the_layers_have_the_keys_of_the_state_dict():
    _, layers = looked_at(KINDS["dropout, batch norm"])
    assert [layer.key for layer in layers] == ["layers.0", "layers.4", "layers.8"]


@kinds
def test_looking_changes_no_bit_of_the_run(config):
    trainer = Trainer.from_config(config)
    for _ in range(5):
        look_at_layers(trainer.advance(steps=7), trainer.data.train)
    other = Trainer.from_config(config)
    other.advance(steps=35)
    assert same(parts(trainer), parts(other))


def test_a_neuron_that_no_example_wakes_is_dead():
    trainer = Trainer.from_config(dataclasses.replace(PLAIN, hidden=(4, 3)))
    with torch.no_grad():
        trainer.model.layers[0].bias[:3] = -1000
    first, second, last = look_at_layers(trainer.snapshot(), trainer.data.train)
    assert first.dead == 0.75
    assert 0 <= second.dead <= 1
    assert last.dead is None


def test_without_relu_no_neuron_is_called_dead():
    _, layers = looked_at(KINDS["regression"])
    assert [layer.dead for layer in layers] == [None] * 3


def test_a_histogram_counts_what_is_finite():
    histogram = Histogram.of(torch.tensor([0.0, 1.0, 1.0, 4.0, torch.nan, torch.inf]))
    assert (histogram.low, histogram.high, len(histogram.counts)) == (0, 4, BINS)
    assert [count for count in histogram.counts if count] == [1, 2, 1]
    assert sum(Histogram.of(torch.full((5,), torch.nan)).counts) == 0
    assert sum(Histogram.of(torch.full((5,), 0.5)).counts) == 5


def test_norms_over_time_stay_few_and_cover_the_whole_time():
    _, layers = looked_at(PLAIN)
    norms = GradientNorms()
    for step in range(3 * MOST_SAMPLES):
        norms.note(step, layers)
    assert MOST_SAMPLES / 2 <= len(norms.norms) == len(norms.steps) <= MOST_SAMPLES
    assert norms.steps[0] == 0
    assert norms.norms[-1] == tuple(layer.gradient_norm for layer in layers)
    norms.note(100, layers)
    assert norms.steps[-1] == 100
    assert list(norms.steps) == sorted(norms.steps)


# The learning rate over time


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "warmup"])
@pytest.mark.parametrize("length", [1, 7, 10, 60])
def test_the_rates_are_those_that_the_batches_took(schedule, length):
    config = dataclasses.replace(PLAIN, schedule=schedule, step_size=2, t_max=3, warmup_epochs=4)
    trainer = Trainer.from_config(config)
    history = RateHistory(config, 10)
    taken = []
    for step in range(60):
        if step in (0, 13, 20, 27):
            trainer.set_learning_rate(0.5 / (step + 1))
        trainer.step()
        rate = trainer.optimizer.param_groups[0]["lr"]
        # At the end of an epoch the schedule has moved on already.
        taken.append(rate if trainer.batch else None)
        if trainer.steps % length == 0:
            history.extend(trainer.steps, trainer.learning_rates)
    history.extend(60, trainer.learning_rates)
    found = []
    for start, end, rate in zip(history.steps, [*history.steps[1:], 60], history.rates, strict=True):
        found += [rate] * int(end - start)
    assert len(found) == 60
    assert all(known is None or known == rate for known, rate in zip(taken, found, strict=True))
