"""LocalProcess: a worker in a process of this machine, seen from the pool: commands in, messages out."""

import contextlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any


class LocalProcess(subprocess.Popen):
    """`python -m toytrain.engine.process`, with pickles on its standard input and output."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        # A group of its own keeps Ctrl-C in the terminal from the workers: the pool ends them. A session of
        # its own would do too, but Linux shares the processor among sessions first, whatever their niceness.
        super().__init__(
            [sys.executable, "-m", "toytrain.engine.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            process_group=0,
        )

    def write(self, command: tuple) -> None:
        """Send a command. Where the process has died, nothing happens: `read` tells."""
        with contextlib.suppress(OSError, ValueError):
            pickle.dump(command, self.stdin, protocol=pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
            self.stdin.flush()  # type: ignore[union-attr]

    def read(self) -> Any:
        """The next message; an EOFError where the process has ended."""
        try:
            return pickle.load(self.stdout)  # type: ignore[arg-type]
        except (pickle.UnpicklingError, OSError, ValueError) as error:
            raise EOFError from error

    def close(self) -> None:
        """Close the pipe, at which the process ends by itself."""
        with contextlib.suppress(OSError):  # it is gone already
            self.stdin.close()  # type: ignore[union-attr]
