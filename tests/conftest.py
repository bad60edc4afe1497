"""What several test files share: one thread, the book's Config, and processes with a clean start.

A figure is compared with PyTorch in another process, because PyTorch's global generator is part of
every experiment. There are two ways to such a process:

`python`   a new interpreter, as a user starts one. It pays about 3 s for importing PyTorch.
`forked`   a child of a warmed process that has imported PyTorch and scikit-learn and done nothing
           else. It pays a few milliseconds, and its generator is as untouched as in a new one.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

# The number of threads is part of the bits: the exported script takes one thread too.
torch.set_num_threads(1)

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

WARMED = """
import os, runpy, sys, traceback
import sklearn.datasets
import torch

torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])  # the first one imports the compiler
for line in sys.stdin:
    script = line.rstrip()
    if child := os.fork():
        print(os.waitpid(child, 0)[1], flush=True)
        continue
    output = os.open(script + ".out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(os.path.dirname(script))
    status = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)
"""


def same(one, other) -> bool:
    """Whether two values are equal bit for bit, tensors within dicts and lists included."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def wait_until(condition, seconds=30):
    """Return as soon as the condition holds; it is asked again and again, for so long at the most."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture(scope="session")
def python():
    """Runs a new interpreter with these arguments in a folder: the finished process."""

    def run(*arguments, cwd, timeout=120):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout
        )

    return run


@pytest.fixture(scope="session")
def forked():
    """Runs the text of a script in a folder, in a child of the warmed process: what it printed."""
    warmed = subprocess.Popen(
        [sys.executable, "-c", WARMED],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(script, cwd):
        path = cwd / "script.py"
        path.write_text(script, encoding="utf-8")
        print(path, file=warmed.stdin, flush=True)
        status = warmed.stdout.readline().strip()
        output = Path(f"{path}.out").read_text(encoding="utf-8")
        assert status == "0", output
        return output

    yield run
    warmed.stdin.close()
    warmed.wait()
    warmed.stdout.close()


@pytest.fixture
def book_config():
    """The training of the book's section A.7."""
    from toytrain import Config

    return Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
