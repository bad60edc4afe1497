"""All neurons of a layer are one neuron."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="All weights start at zero",
    happens="Neurons that start equal get equal gradients and stay equal: a layer is then one neuron. "
    "With zeros everywhere nothing flows back at all, and only the last bias learns.",
    look="The loss starts at ln(K) and stays there, the accuracy at that of guessing.",
    find="Count the neurons of the first layer that differ: one. PyTorch's own random initial weights "
    "are what keeps neurons apart.",
    right="""
        model = NeuralNetwork()...
    """,
    wrong="""
        model = NeuralNetwork()...
        for weight in model.parameters():
            torch.nn.init.zeros_(weight)
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="neurons",
)
