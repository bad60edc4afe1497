"""The fast step: what Trainer.step does, bit for bit, without what stands around the arithmetic.

Most of a plain step is not arithmetic: a DataLoader collects 32 rows one by one, autograd builds a graph
and walks it, the optimizer visits each parameter. None of that changes from batch to batch. So the step
is traced once (`trace`), written down as plain operations on one flat tensor of parameters (`source`), and
then repeated (`runner`) on batches that were gathered for a whole epoch (`batches`). On an NVIDIA GPU a
CUDA graph of the plain step is repeated instead (`captured`).

The plain step stays the reference. Every new fast step first runs beside it for a few batches and is
dropped if one bit differs; `reasons` says where it is not even tried. Between two calls of
`Trainer.advance` nothing of it is left: model, optimizer and random state stand where the plain steps
would have left them.
"""

from .reasons import loss_key, traceable
from .runner import FastStep

__all__ = ["FastStep", "loss_key", "traceable"]
