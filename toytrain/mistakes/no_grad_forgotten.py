"""Evaluating builds graphs, and the kept losses keep them."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="torch.no_grad() forgotten",
    happens="Evaluating builds a computation graph as training does. The list of scores keeps each "
    "loss as a tensor, and with it the whole graph and all activations that backward() might want.",
    look="Loss and accuracy are right, to the last digit. Only the memory grows with every epoch, "
    "until it runs out: a real run dies after hours.",
    find="Print loss.grad_fn of what you keep: it should be None. Watch the memory of the process "
    "over the epochs. Keep loss.item(), a number, not the tensor.",
    right="""
        @torch.no_grad()
    """,
    wrong="""
        # @torch.no_grad()
    """,
    config=Config(dataset="moons", points=300, noise=0.2, learning_rate=0.5, epochs=30),
    probe="memory",
)
