"""What the live views show of a run: the bytes of each view against plain PyTorch and scikit-learn."""

import math
from array import array
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import same
from sklearn.decomposition import PCA

from toytrain import Config, Trainer
from toytrain.config import ACTIVATIONS, FEATURES
from toytrain.data import compute_features, grid_points
from toytrain.engine.neurons import BENT_LINES, RESOLUTION, describe_network, map_resolution
from toytrain.engine.views import VIEWS, Look

SMALL = Config(points=60, hidden=(5, 4), batch_size=8, learning_rate=0.3)
ODD = {
    "batch norm and dropout": replace(SMALL, batch_norm=True, dropout=0.4),
    "five classes": replace(SMALL, dataset="spirals", classes=5),
    "regression": replace(SMALL, dataset="plane"),
    "features": replace(SMALL, features=("x1*x2", "x1", "sin(x2)")),
    "one neuron": replace(SMALL, hidden=(1,), activation="tanh"),
    "six layers": replace(SMALL, hidden=(3, 3, 3, 3, 3, 3), activation="tanh"),
    **{activation: replace(SMALL, activation=activation) for activation in ACTIVATIONS},
}
configs = pytest.mark.parametrize("config", ODD.values(), ids=ODD)


def trained(config, steps=15):
    torch.manual_seed(0)
    trainer = Trainer.from_config(config)
    trainer.advance(steps=steps)
    return trainer


def look(trainer):
    return Look(trainer, trainer.snapshot(), trainer.config, trainer.data, (0.0, 1.0))


def values(kept):
    """The numbers of an array as a view gives it."""
    kind, content = kept
    return torch.tensor(array({"f4": "f", "u1": "B"}[kind], content))


def grid(trainer, resolution):
    return compute_features(grid_points(trainer.data.extent, resolution), trainer.config.features)


def layer_by_layer(trainer, features):
    """What each hidden layer hands on and the logits, by PyTorch's own hooks, in eval mode."""
    kinds = (torch.nn.Linear, torch.nn.BatchNorm1d, torch.nn.Dropout)
    found = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: found.append(output))
        for module in trainer.model.layers
        if not isinstance(module, kinds) or module is trainer.model.layers[-1]
    ]
    trainer.model.eval()
    with torch.no_grad():
        trainer.model(features)
    trainer.model.train()
    for hook in hooks:
        hook.remove()
    return found


def signed(activations):
    """Bytes around 128 and the scale of one neuron's activations, number by number."""
    scale = activations.abs().max().item()
    return [round(128 + 127 * value / scale) if scale else 128 for value in activations.tolist()], scale


@configs
def test_the_maps_are_each_neurons_activation_over_the_plane(config):
    trainer = trained(config)
    seen = look(trainer).arrays("network")
    resolution = map_resolution(config)
    activations = torch.cat(layer_by_layer(trainer, grid(trainer, resolution)), dim=1).T
    maps = values(seen["maps"]).reshape(len(activations), -1)
    assert len(activations) == sum(config.hidden) + trainer.model.layers[-1].out_features
    for drawn, scale, expected in zip(maps, values(seen["map_scales"]), activations, strict=True):
        levels, largest = signed(expected)
        assert scale.item() == pytest.approx(largest, rel=1e-5)
        assert (drawn - torch.tensor(levels)).abs().max() <= 1  # a tie may round either way


@configs
def test_the_weights_are_the_parameters_in_the_order_of_their_description(config):
    trainer = trained(config)
    described, _ = describe_network(trainer.model, config, trainer.data)
    weights = values(look(trainer).arrays("network")["parameters"])
    state, start = trainer.model.state_dict(), 0
    for key, shape in described["parameters"]:
        end = start + math.prod(shape)
        assert torch.equal(weights[start:end].reshape(shape), state[key])
        start = end
    assert start == len(weights)
    assert len(described["layers"]) == len(config.hidden) + 1
    assert {f"{name}.weight" for name in described["layers"]} <= state.keys()


@configs
def test_one_neuron_is_shown_as_fine_as_the_boundary(config):
    trainer = trained(config)
    layers = layer_by_layer(trainer, grid(trainer, RESOLUTION))
    for layer, activations in enumerate(layers):
        index = activations.shape[1] - 1
        name = f"neuron:{layer}:{index}"
        seen = look(trainer).arrays(name)
        levels, scale = signed(activations[:, index])
        assert values(seen[f"{name}:scale"]).item() == pytest.approx(scale, rel=1e-6)
        assert (values(seen[name]) - torch.tensor(levels)).abs().max() <= 1


@configs
def test_the_hidden_space_lies_along_the_principal_components_of_the_training_points(config):
    trainer = trained(config)
    data = trainer.data
    features = torch.cat([data.train.features, data.test.features, grid(trainer, BENT_LINES)])
    last = layer_by_layer(trainer, features)[-2].double().numpy()
    seen = look(trainer).arrays("hidden")
    rows = values(seen["hidden"]).reshape(-1, 2).numpy()
    width = min(2, last.shape[1])
    pca = PCA(width).fit(last[: len(data.train)])
    expected = pca.transform(last)
    assert rows.shape == (len(features), 2)
    np.testing.assert_allclose(np.abs(rows[:, :width]), np.abs(expected), atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(values(seen["hidden:share"])[:width], pca.explained_variance_ratio_, atol=1e-5)
    assert not rows[:, width:].any()


def test_the_hidden_space_of_two_neurons_is_what_they_hand_on():
    trainer = trained(SMALL)
    data = trainer.data
    features = torch.cat([data.train.features, data.test.features, grid(trainer, BENT_LINES)])
    expected = layer_by_layer(trainer, features)[-2][:, [3, 1]]
    rows = values(look(trainer).arrays("hidden:3:1")["hidden:3:1"]).reshape(-1, 2)
    torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-6)


def test_a_neuron_that_is_silent_everywhere_is_zero_and_not_nothing():
    trainer = trained(SMALL)
    with torch.no_grad():
        trainer.model.layers[0].bias[2] = -1e6
    seen = look(trainer).arrays("network")
    assert values(seen["map_scales"])[2] == 0
    assert set(values(seen["maps"]).reshape(11, -1)[2].tolist()) == {128}


@pytest.mark.parametrize("view", ["network", "hidden", "neuron:0:0", "hidden:0:1"])
def test_weights_that_are_not_finite_still_make_a_picture(view):
    trainer = trained(SMALL)
    with torch.no_grad():
        trainer.model.layers[0].weight.fill_(float("nan"))
    assert look(trainer).arrays(view)


@pytest.mark.parametrize(
    "view",
    ["neuron", "neuron:0", "neuron:0:5", "neuron:2:2", "neuron:3:0", "neuron:-1:0", "neuron:0:0:0",
     "hidden:1", "hidden:0:4", "hidden:0:1:2", "neuron:²:0", "neuron:0:" + "9" * 5000, "network:0"],
)  # fmt: skip
def test_what_the_network_does_not_have_is_not_shown(view):
    assert look(trained(SMALL)).arrays(view) == {}


def test_the_maps_of_all_features_come_with_the_description():
    trainer = trained(SMALL)
    described, arrays = describe_network(trainer.model, SMALL, trainer.data)
    side = described["map_resolution"]
    maps = values(arrays["feature_maps"]).reshape(len(FEATURES), side, side)
    assert described["all_features"] == list(FEATURES)
    assert (maps[0, 0].diff() >= 0).all()  # x1 grows from left to right
    assert (maps[1, :, 0].diff() >= 0).all()  # x2 upwards, and row 0 is the lowest
    assert maps.amax() == 255


@configs
def test_looking_at_everything_changes_no_bit_of_a_run(config):
    trainer, other = trained(config, 5), trained(config, 5)
    before = torch.get_rng_state()
    for view in VIEWS:
        look(trainer).arrays(view)
    look(trainer).arrays("neuron:0:0")
    look(trainer).arrays("hidden:0:0")
    assert torch.equal(torch.get_rng_state(), before)
    assert trainer.model.training
    one = trainer.advance(steps=5)
    torch.set_rng_state(before)
    two = other.advance(steps=5)
    assert same(one.losses, two.losses)
    assert same(one.weights, two.weights)
