"""An evaluation that moves the random generator."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Evaluating through a DataLoader",
    happens="Every iteration over a DataLoader draws from PyTorch's random generator, even with "
    "shuffle=False. Evaluating through one moves the generator, and the next epoch gets another order "
    "of the batches.",
    look="Nothing is learned worse. But from the second epoch on the losses are others than without "
    "the evaluation: two runs of the same seed differ because one of them was watched.",
    find="Print torch.get_rng_state().sum() before and after evaluating: it must not change. Evaluate "
    "on whole tensors, or give the DataLoader a generator of its own.",
    right="""
        scores.append((*evaluate(train_ds), *evaluate(test_ds)))
    """,
    wrong="""
        for features, labels in DataLoader(test_ds, batch_size=len(test_ds)):
            scores.append((*evaluate(train_ds), *evaluate(ToyDataset(features, labels))))
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="batches",
    in_book=True,
    hides=False,
)
