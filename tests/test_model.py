"""NeuralNetwork: the book's network where nothing is asked for, and layers in a known order otherwise."""

import pytest
import torch
from conftest import same

from toytrain import Config, NeuralNetwork
from toytrain.config import FEATURES, limits
from toytrain.model import ACTIVATIONS

NAMES = limits("activation").choices


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_network_of_the_defaults_equals_the_layers_written_out():
    torch.manual_seed(5)
    model = NeuralNetwork(2, 3)
    torch.manual_seed(5)
    written = torch.nn.Sequential(
        torch.nn.Linear(2, 30),
        torch.nn.ReLU(),
        torch.nn.Linear(30, 20),
        torch.nn.ReLU(),
        torch.nn.Linear(20, 3),
    )
    assert same(model.layers.state_dict(), written.state_dict())
    assert torch.equal(model(torch.ones(4, 2)), written(torch.ones(4, 2)))


def test_the_keys_are_those_of_the_book():
    assert list(NeuralNetwork(2, 2).state_dict()) == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.2.weight",
        "layers.2.bias",
        "layers.4.weight",
        "layers.4.bias",
    ]


def test_batch_norm_stands_before_an_activation_and_dropout_after_it():
    model = NeuralNetwork(2, 2, hidden=(4,), activation="tanh", dropout=0.5, batch_norm=True)
    assert kinds(model) == ["Linear", "BatchNorm1d", "Tanh", "Dropout", "Linear"]


@pytest.mark.parametrize("hidden", [(1,), (7, 3, 5), (64,) * 6])
def test_the_layers_have_the_widths_asked_for(hidden):
    linear = [layer for layer in NeuralNetwork(3, 2, hidden).layers if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == list(
        zip((3, *hidden), (*hidden, 2), strict=True)
    )


def test_every_activation_of_a_config_has_its_layer():
    assert tuple(ACTIVATIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_follows_each_hidden_layer_and_not_the_last(name):
    kind = ACTIVATIONS[name].__name__
    assert kinds(NeuralNetwork(2, 2, (3, 3), activation=name)) == ["Linear", kind, "Linear", kind, "Linear"]


def test_a_config_has_an_input_for_each_feature_and_an_output_for_each_class():
    model = NeuralNetwork.from_config(Config(dataset="blobs", classes=4, features=FEATURES, hidden=(3,)))
    assert (model.layers[0].in_features, model.layers[-1].out_features) == (7, 4)


def test_a_regression_has_one_output():
    assert NeuralNetwork.from_config(Config(dataset="plane")).layers[-1].out_features == 1


def test_a_config_makes_the_network_of_its_settings():
    config = Config(hidden=(5,), activation="gelu", dropout=0.25, batch_norm=True)
    model = NeuralNetwork.from_config(config)
    assert kinds(model) == ["Linear", "BatchNorm1d", "GELU", "Dropout", "Linear"]
    assert model.layers[3].p == 0.25


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"batch_norm": True}, {"activation": "linear"}])
def test_activations_are_what_each_hidden_layer_hands_on_and_last_the_logits(settings):
    model = NeuralNetwork(2, 3, hidden=(5, 4), **settings).eval()
    features = torch.randn(6, 2)
    *hidden, logits = model.activations(features)
    assert [values.shape for values in hidden] == [(6, 5), (6, 4)]
    assert torch.equal(logits, model(features))
    assert torch.equal(model.layers[-1](hidden[-1]), logits)


def test_activations_of_relu_are_none_of_them_negative():
    first, _, _ = NeuralNetwork(2, 2).activations(torch.randn(50, 2))
    assert first.min() == 0
