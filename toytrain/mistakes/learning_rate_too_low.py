"""Steps too short to arrive."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Learning rate too low",
    happens="Each step goes the right way and hardly moves. In the time given the network does not arrive.",
    look="The loss falls along a line that is nearly level, without noise of its own: only the "
    "batches differ.",
    find="Compare the length of a step with the length of the weights: about a thousandth of it is "
    "usual. Multiply the learning rate by ten until the loss begins to jump, then go back one step.",
    right="""
        lr=$learning_rate
    """,
    wrong="""
        lr=0.0005
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="update",
)
