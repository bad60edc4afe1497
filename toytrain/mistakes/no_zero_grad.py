"""The gradients of all batches pile up."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="optimizer.zero_grad() is missing",
    happens="backward() adds to the gradients that are there. Without zero_grad() each step follows "
    "the sum of the gradients of all batches so far: it goes on in old directions like a ball without "
    "friction.",
    look="On the book's five points the loss looks better than the right one. On more data it falls "
    "quickly at first, then comes back and jumps; the accuracy falls to that of guessing.",
    find="Print the gradient of one bias after backward(): it is a stack to which each batch adds, "
    "and it swings far beyond what a single batch says.",
    right="""
        optimizer.zero_grad()
    """,
    wrong="""
        # optimizer.zero_grad()
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=20),
    probe="gradient",
    in_book=True,
)
