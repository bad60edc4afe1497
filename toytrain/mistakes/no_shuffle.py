"""Sorted data are dealt in their order."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="shuffle=False on data sorted by class",
    happens="The training data are sorted by class, as many files are. Without shuffling whole "
    "batches are of one class: the network learns to say that class, then forgets it for the next.",
    look="The loss has the same saw teeth in each epoch: near zero as long as one class lasts, a peak "
    "where the next begins. The accuracy after an epoch favours the class that came last.",
    find="Count the labels in each batch: a batch should be a small picture of the data. Print "
    "labels[:5] of the first batches.",
    right="""
        shuffle=True,
    """,
    wrong="""
        shuffle=False,
    """,
    given=(
        (
            """
            X = torch.tensor(X...
            """,
            """
            train_rows = train_rows[np.argsort(y[train_rows], kind="stable")]  # a sorted file
            X = torch.tensor(X...
            """,
        ),
    ),
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="batches",
    in_book=True,
)
