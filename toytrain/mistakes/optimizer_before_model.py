"""The optimizer holds the weights of a model that nobody uses."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Optimizer made before the model was replaced",
    happens="An optimizer holds the weights it was made with. The model was replaced by a new one "
    "afterwards, so that step() changes the weights of the old model, which nobody uses any more.",
    look="The loss goes up and down with the batches and never falls, although every gradient is there.",
    find="Check that the optimizer holds the weights of the model: compare id(weight) of "
    "model.parameters() with those in optimizer.param_groups.",
    right="""
        model = NeuralNetwork()  # a new one in place of the first
        optimizer = ...
    """,
    wrong="""
        model = NeuralNetwork()  # a new one in place of the first
        # optimizer = ...
    """,
    given=(
        (
            """
            optimizer = ...
            """,
            """
            optimizer = ...
            model = NeuralNetwork()  # a new one in place of the first
            optimizer = ...
            """,
        ),
    ),
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="held",
)
