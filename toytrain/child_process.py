"""What the child processes of a page have in common: commands in, answers out, and a warm PyTorch.

Commands come in on standard input and answers go out on standard output, both as pickles between a
program and its own child. When the input ends, the parent is gone, and so is the process.
"""

import os
import pickle
import queue
import sys
import threading
from typing import Any, BinaryIO

NICENESS = 10  # the page that people click on comes first


def open_channel() -> tuple[queue.SimpleQueue[Any], BinaryIO]:
    """The commands as they arrive, and the file that answers are pickled into."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # Whatever prints must not get into the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, commands), daemon=True).start()
    return commands, answers


def send(answers: BinaryIO, message: tuple) -> None:
    """Pickle one message to the parent."""
    pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
    answers.flush()


def warm_up() -> None:
    """Import PyTorch, for one thread: after `open_channel`, so that a parent's end meanwhile is noticed."""
    import torch

    torch.set_num_threads(1)
    # The first optimizer imports PyTorch's compiler, a second that the first step need not wait for.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


def _read(source: BinaryIO, commands: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            commands.put(pickle.load(source))
        except (EOFError, pickle.UnpicklingError):  # the second where the parent died in mid-sentence
            os._exit(0)
