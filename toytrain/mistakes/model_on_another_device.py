"""The model was moved, the batches were not."""

from ..config import Config
from .mistake import Mistake

MISTAKE = Mistake(
    title="Model moved to another device, batches not",
    happens="Model and batches must be on the same device. Here the model is moved to the GPU and the "
    "batches stay on the CPU. Where there is no GPU, PyTorch's device meta, which holds no numbers, "
    "takes its place.",
    look="The first batch ends the run with an error.",
    find="Read the message: it names both devices. Print next(model.parameters()).device and "
    "features.device.",
    right="""
        model = NeuralNetwork()
    """,
    wrong="""
        model = NeuralNetwork().to("cuda" if torch.cuda.is_available() else "meta")
    """,
    config=Config(dataset="moons", points=500, noise=0.2, learning_rate=0.5, epochs=10),
    probe="gradient",
    raises=True,
    hides=False,
)
