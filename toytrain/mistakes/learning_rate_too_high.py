"""Steps too long for the valley."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Learning rate too high",
    happens="A step follows the slope at one place. Too long a step leaps over the valley and lands "
    "higher than it started; neurons are thrown where no input reaches them any more.",
    look="Huge losses at the start, then a loss that stays where guessing is, or no finite loss at all.",
    find="Compare the length of a step with the length of the weights: about a thousandth of it is "
    "usual. Divide the learning rate by ten until the first losses fall.",
    right="""
        lr=$learning_rate
    """,
    wrong="""
        lr=20.0
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="update",
)
