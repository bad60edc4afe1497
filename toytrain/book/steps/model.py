"""A.5: a multilayer neural network, its trainable parameters and its first weights."""

import torch

from ...model import NeuralNetwork


def count_parameters(settings):
    counts = {}
    for num_inputs, num_outputs in (50, 3), (2, 2):
        model = NeuralNetwork(num_inputs, num_outputs)
        num_params = sum(p.numel() for p in model.parameters() if p.requires_grad)
        counts[f"parameters_{num_inputs}_{num_outputs}"] = num_params
    return counts


def seeded_weights(settings):
    torch.manual_seed(settings.seed)
    model = NeuralNetwork(50, 3)
    row = model.layers[0].weight[0].tolist()  # type: ignore[index]

    torch.manual_seed(settings.seed)
    X = torch.rand((1, 50))
    with torch.no_grad():
        logits = model(X)
    return {
        "first_weights": row[:3],
        "last_weights": row[-3:],
        "logits_of_random_numbers": logits[0].tolist(),
        "probas_of_random_numbers": torch.softmax(logits, dim=1)[0].tolist(),
    }


SHOWN = (NeuralNetwork, count_parameters, seeded_weights)
