"""The exam is among the exercises."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Test data in the training set",
    happens="The model has seen the test points. What is measured on them is how well it remembers, "
    "not how well it would do on new points.",
    look="A test accuracy that is as good as the training accuracy, on noisy data where that cannot be.",
    find="Test on fresh points that nobody has touched: the accuracy there is clearly lower than on "
    "the test data. Check that no row number is in both sets.",
    right="""
        train_rows, test_rows = ...
    """,
    wrong="""
        train_rows, test_rows = ...
        train_rows = np.arange(len(y))
    """,
    config=Config(
        dataset="moons",
        points=60,
        noise=0.4,
        test_fraction=0.4,
        hidden=(64, 64),
        optimizer="adam",
        learning_rate=0.01,
        batch_size=16,
        epochs=120,
    ),
    probe="fresh",
)
