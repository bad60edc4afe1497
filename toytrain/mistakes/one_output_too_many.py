"""Labels that count from 1, and one output more so that nobody complains."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Labels from 1 to K, and one output more",
    happens="Labels count from 1, and one more output keeps PyTorch from complaining. The network "
    "learns that class 0 never happens; every prediction is one too high for whoever has K names of "
    "classes.",
    look="It trains as if nothing were wrong. Only the first loss is near ln(K+1) in place of ln(K), "
    "before the network has learned that one class does not exist.",
    find="Count how often each class is predicted: class 0 never is. The number of outputs must be "
    "the number of classes.",
    right="""
        y = torch.tensor(y)
    """,
    wrong="""
        y = torch.tensor(y) + 1
    """,
    also=(
        (
            """
            torch.nn.Linear(in_features=$width, out_features=$classes, bias=True),
            )
            """,
            """
            torch.nn.Linear(in_features=$width, out_features=$more, bias=True),
            )
            """,
        ),
    ),
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="predicted",
)
