"""Dropout goes on while the model is evaluated."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="model.eval() forgotten, with dropout",
    happens="Dropout goes on while the model is evaluated: each evaluation drops other neurons. It "
    "also draws from the random generator, so that from the second epoch on even the training goes "
    "another way.",
    look="The scores after each epoch are lower and restless, on the training data too.",
    find="Evaluate the same points several times: with eval() the accuracy is the same each time, "
    "without it each time another.",
    right="""
        model.eval()
    """,
    wrong="""
        # model.eval()
    """,
    config=Config(dataset="moons", points=500, noise=0.2, dropout=0.5, learning_rate=0.5, epochs=20),
    probe="repeated",
)
