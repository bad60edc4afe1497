"""Labels that count from 1."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Labels from 1 to K",
    happens="The file counts its classes from 1, and PyTorch from 0. With K outputs there is no "
    "output number K.",
    look="The first batch that holds the last class ends the run with an error.",
    find="Read the message: the target is out of bounds. Print labels.min() and labels.max(): they "
    "must be 0 and K - 1. (On a GPU the same mistake is an assertion of the device that names no "
    "line.)",
    right="""
        y = torch.tensor(y)
    """,
    wrong="""
        y = torch.tensor(y) + 1
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="predicted",
    in_book=True,
    raises=True,
    hides=False,
)
