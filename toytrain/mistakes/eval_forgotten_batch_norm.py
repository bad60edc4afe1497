"""Batch norm goes on normalising over whatever is evaluated together."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="model.eval() forgotten, with batch norm",
    happens="In training mode batch norm uses the mean and the spread of whatever is evaluated "
    "together. What is predicted for a point then depends on its neighbours, and the test points get "
    "into the running mean.",
    look="Here the test points come sorted by class and ten at a time, as from a file: ten of one "
    "class are normalised until nothing tells their class. The test accuracy stays near that of "
    "guessing, although the training loss is right.",
    find="Evaluate the same points all at once and one class at a time: with eval() that makes no "
    "difference. A single point alone ends in an error: Expected more than 1 value per channel when "
    "training.",
    right="""
        model.eval()
    """,
    wrong="""
        # model.eval()
    """,
    given=(
        (
            """
            X = torch.tensor(X...
            """,
            """
            test_rows = test_rows[np.argsort(y[test_rows], kind="stable")]  # sorted by class
            X = torch.tensor(X...
            """,
        ),
        (
            """
            logits, labels = ...
            """,
            """
            logits, labels = torch.cat([model(points) for points in ds.features.split(10)]), ds.labels
            """,
        ),
    ),
    config=Config(dataset="moons", points=500, noise=0.2, batch_norm=True, learning_rate=0.1, epochs=10),
    probe="one_class",
)
