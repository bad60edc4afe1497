"""`python -m toytrain.book`: experiments in a process of their own, because they start processes themselves.

Its argument is JSON: {"settings": {...}, "experiments": [[section, experiment], ...]}.
On standard output a line per experiment: {"computed": {...}}, or {"error": a sentence}.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    # Whatever prints must not get into the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = json.loads(sys.argv[1])

    import torch

    from ..errors import ToytrainError
    from .run import run
    from .settings import Settings

    torch.set_num_threads(1)
    settings = Settings(**asked["settings"])
    for section, experiment in asked["experiments"]:
        try:
            answer: dict[str, Any] = {"computed": run(section, experiment, settings)}
        except ToytrainError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
