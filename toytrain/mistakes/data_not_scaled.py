"""Features in units that differ a thousandfold."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Data not scaled",
    happens="One feature is in metres, the other in millimetres. The second is a thousand times as "
    "large, so are its gradients: a step that suits one feature is far too long for the other.",
    look="Losses of thousands and millions at first, then a loss that stays at that of guessing: the "
    "first steps have thrown the neurons where no point reaches them.",
    find="Print features.mean(dim=0) and features.std(dim=0) of a batch: they should be near 0 and 1 "
    "for every feature. Take mean and spread from the training rows only.",
    right="""
        X = (X - X[train_rows].mean(axis=0)) / X[train_rows].std(axis=0)
    """,
    wrong="""
        # X = (X - X[train_rows].mean(axis=0)) / X[train_rows].std(axis=0)
    """,
    given=(
        (
            """
            X = torch.tensor(X...
            """,
            """
            X = X * [1, 1000]  # x1 in metres, x2 in millimetres
            X = (X - X[train_rows].mean(axis=0)) / X[train_rows].std(axis=0)
            X = torch.tensor(X...
            """,
        ),
    ),
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="scale",
)
