"""A.8: a trained network as a file, and back."""

import tempfile
from pathlib import Path

import torch

from ...model import NeuralNetwork
from .training import begin, train


def save_and_load(settings):
    model = train(begin(settings), settings).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pth"
        torch.save(model.state_dict(), path)

        model = NeuralNetwork(2, 2)  # needs to match the original model exactly
        answer = model.load_state_dict(torch.load(path, weights_only=True))
    return {"keys": list(model.state_dict()), "keys_matched": str(answer)}


SHOWN = (save_and_load,)
