"""What several test files share: one thread, the book's Config, and processes with a clean start.

A figure is compared with PyTorch in another process, because PyTorch's global generator is part of
every experiment. There are two ways to such a process:

`python`   a new interpreter, as a user starts one. It pays about 3 s for importing PyTorch.
`forked`   a child of a warmed process that has imported PyTorch and scikit-learn and done nothing
           else. It pays a few milliseconds, and its generator is as untouched as in a new one.
"""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from browser import FLAGS, SCREEN, Server, Visitor, browser_or_skip
from places import ENVIRONMENT, ROOT

sys.path.insert(0, str(ROOT))

# The number of threads is part of the bits: the exported script takes one thread too.
torch.set_num_threads(1)

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
    # Not by closing its input alone: a process that a test has forked since may hold that open.
    warmed.terminate()
    warmed.wait()
    warmed.stdin.close()
    warmed.stdout.close()


# Pages without a browser (see driven.py)


@pytest.fixture(scope="module")
def pool():
    """The engine behind the pages, with one worker; it writes nothing into the tree."""
    from toytrain import distributed, engine

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOYTRAIN_RUNS", "")
        pool = engine.start(workers=1)
        wait_until(lambda: pool.warm, 60)
        yield pool
        engine.stop()
        distributed.stop()


@pytest.fixture
def own_runs(pool):
    """Runs are closed when the test ends, so that none trains on beside the next."""
    yield
    for run in list(pool.runs.values()):
        pool.close(run)


# A browser (these are of use to test_browser*.py; each starts what it needs)


@pytest.fixture(scope="module")
def chromium():
    path = browser_or_skip()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory, chromium):
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def own_server(tmp_path, chromium):
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def unsaving_server(tmp_path, chromium):
    server = Server(tmp_path, saves=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def profile(chromium):
    """A browser profile that most tests share, so that it fetches Streamlit and Plotly.js once."""
    return chromium.new_context(viewport=SCREEN)


@pytest.fixture
def visits(chromium, profile):
    """Makes Visitors: tabs of the shared profile, or of another with these settings. None may err."""
    visitors, contexts = [], []

    def visit(server, **settings):
        context = profile
        if settings:
            context = chromium.new_context(**{"viewport": SCREEN, **settings})
            contexts.append(context)
        visitor = Visitor(context.new_page(), server.url)
        visitors.append(visitor)
        return visitor

    yield visit
    for visitor in visitors:
        visitor.leave()
    for context in contexts:
        context.close()
    assert [visitor.errors for visitor in visitors] == [[] for _ in visitors]


@pytest.fixture
def visit(visits, shared_server):
    """Opens the page at an address, as somebody new."""

    def visit(query="", **settings):
        return visits(shared_server, **settings).open(query)

    return visit


@pytest.fixture
def rerun(forked, tmp_path):
    """Runs a downloaded script in a fresh process: the losses it prints."""

    def rerun(path):
        output = forked(Path(path).read_text(encoding="utf-8"), cwd=tmp_path)
        return printed_losses(output)

    return rerun


def printed_losses(output):
    line = next(line for line in output.splitlines() if line.startswith("losses = "))
    return ast.literal_eval(line.removeprefix("losses = "))


@pytest.fixture
def book_config():
    """The training of the book's section A.7."""
    from toytrain import Config

    return Config(dataset="book", batch_size=2, drop_last=True, learning_rate=0.5, seed=123, epochs=3)
