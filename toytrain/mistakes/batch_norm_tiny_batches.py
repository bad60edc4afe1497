"""The mean of two examples is no mean."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Batch norm with tiny batches",
    happens="Batch norm takes mean and spread from the batch. Of two examples they are an accident: "
    "after normalising, each value is +1 or -1, whatever it was.",
    look="A restless loss that does not fall far, and scores that jump from epoch to epoch, because "
    "evaluating with the running mean is another network than the one that was trained.",
    find="Compare the mean of one neuron over the batch with the running mean: it should stay near "
    "it. Use batches of at least 16, or a norm that does not look at the batch (LayerNorm).",
    right="""
        batch_size=$batch_size,
    """,
    wrong="""
        batch_size=2,
    """,
    config=Config(dataset="moons", points=250, noise=0.2, batch_norm=True, learning_rate=0.1, epochs=10),
    probe="batch_mean",
)
