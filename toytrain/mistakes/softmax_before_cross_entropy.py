"""cross_entropy gets probabilities where it wants logits."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Softmax before cross_entropy",
    happens="F.cross_entropy applies softmax itself and wants logits. Given probabilities it applies "
    "softmax twice; these lie between 0 and 1, so that even a perfect prediction has a loss, and "
    "gradients are small.",
    look="The loss falls more slowly and stops at a floor, ln(1 + (K-1)/e) for K classes: 0.313 for "
    "two, 0.551 for three. The accuracy may well be good: the model learns, only worse.",
    find="Compare the loss that is printed with the cross-entropy of the logits: the true loss is far "
    "below the printed one and no floor stops it. Look for a softmax in the model or before the loss.",
    right="""
        loss = F.cross_entropy(logits, labels)
    """,
    wrong="""
        loss = F.cross_entropy(torch.softmax(logits, dim=1), labels)
    """,
    config=Config(dataset="moons", points=500, noise=0.1, learning_rate=0.5, epochs=20),
    probe="true_loss",
    in_book=True,
)
