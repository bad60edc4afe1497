"""The gradients are thrown away before the optimizer has seen them."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="zero_grad() between backward() and step()",
    happens="The gradients are found and thrown away before the optimizer sees them: step() has "
    "nothing to follow and changes no weight.",
    look="The loss goes up and down with the batches and never falls. After each epoch the scores are "
    "the same to the last digit.",
    find="Compare one weight before and after step(): it never changes. The gradient is there after "
    "backward() and None before step(): a stack that is emptied too early.",
    right="""
        optimizer.zero_grad()
        loss.backward()
    """,
    wrong="""
        loss.backward()
        optimizer.zero_grad()
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="gradient",
    in_book=True,
)
