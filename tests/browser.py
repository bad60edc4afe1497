"""A real server and a real browser for the tests, in the words of a visitor.

`Server` is `streamlit run app.py` in processes of its own; `Visitor` is one tab of Chromium. Neither
sleeps: everything waits for something that the page says of itself, with a time-out.
"""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
from places import ENVIRONMENT, ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREEN = {"width": 1280, "height": 720}
# What a browser itself says while a server is away.
SERVER_AWAY = (
    "WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE"
    "|Cannot send rerun backMessage when disconnected"
)
LIVE = "document.querySelector('.toytrain-live')"
PLOT = "document.querySelector('.toytrain-plot')"
SINGLY = 500  # so many losses the chart shows each for itself
SCRIPT_STATE = "document.querySelector('[data-test-script-state]')?.dataset.testScriptState"


def browser_or_skip():
    """The path of a Chromium. Without one the tests are left out loudly, and fail where CI=true."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    reason = f"NO BROWSER: none of {', '.join(NAMES)} is installed, so no page was tested in a browser"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def wait_until(condition, seconds, what):
    """Wait for a condition of this process, looking 50 times a second."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Server:
    """`streamlit run app.py` on a free port of 127.0.0.1, with its output in a file."""

    def __init__(self, folder, saves=True):
        self.log = folder / "output.txt"
        self.runs = folder / "runs"
        self._environment = {**ENVIRONMENT, "TOYTRAIN_RUNS": str(self.runs) if saves else ""}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = None

    def start(self):
        """Start, also again on the same port, and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("a") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        wait_until(self.is_healthy, 60, f"the server answers, see {self.log}")

    def workers(self):
        """The processes that train."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        return [child for child in children if "toytrain.engine.process" in child.cmdline()]

    def memory(self):
        """The memory of the process that serves pages, in MiB."""
        return psutil.Process(self._process.pid).memory_info().rss / 2**20

    def saved(self):
        """The files of the runs that the server has saved."""
        return list(self.runs.glob("*.pth"))

    def stop(self, how=signal.SIGINT):
        """End the server. Whatever of it is left after that is a failure."""
        family = [*self.workers(), psutil.Process(self._process.pid)]
        self._process.send_signal(how)
        self._process.wait(20)
        try:
            wait_until(lambda: all(map(_is_gone, family)), 10, f"every process of {family} has ended")
        finally:
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def get(self, path, **headers):
        """The status of an answer to a GET with these headers (underscores stand for hyphens)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            return connection.getresponse().status
        finally:
            connection.close()

    def is_healthy(self):
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.get("/_stcore/health") == 200
        except OSError:
            return False


def _is_gone(process):
    # An orphan in a container may stay a zombie: nobody there asks how it ended.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


class Visitor:
    """One tab on the train page. `errors` holds what the console and the page complained of."""

    def __init__(self, page, url):
        self.page = page
        self.url = url
        self.errors = []
        self.allowed = None  # a pattern of complaints that this journey makes unavoidable
        page.set_default_timeout(30_000)
        page.on("console", lambda message: message.type == "error" and self._complain(message.text))
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text):
        if self.allowed is None or not re.search(self.allowed, text):
            self.errors.append(text)

    # Coming and going

    def open(self, query=""):
        self.page.goto(f"{self.url}/?{query}" if query else self.url)
        self.ready()
        return self

    def reload(self):
        self.page.reload()
        self.ready()

    def ready(self, within=60):
        """The run is there, and Streamlit has nothing left to do."""
        self.until(f"{LIVE}?.dataset.connection === 'open' && {LIVE}.dataset.status !== 'starting'", within)
        self.until("window.Plotly !== undefined", within)  # which draws the losses
        self.idle()

    def idle(self, within=60):
        self.until(
            f"{SCRIPT_STATE} === 'notRunning' && "
            "document.querySelector('[data-test-connection-state]').dataset.testConnectionState"
            " === 'CONNECTED'",
            within,
        )

    def leave(self):
        """Nobody trains on for a test that is over."""
        with contextlib.suppress(Exception):  # the server may be gone, or the page half drawn
            if self.status == "playing":
                self.button("Pause").click(timeout=2000)
                self.until(f"{LIVE}.dataset.status !== 'playing'", 2)
        self.page.close()

    # Looking

    def until(self, expression, within=30):
        self.page.bring_to_front()  # a page behind another one draws nothing and takes no notice
        self.page.wait_for_function(expression, timeout=1000 * within)

    def evaluate(self, expression):
        return self.page.evaluate(expression)

    @property
    def step(self):
        return int(self.evaluate(f"{LIVE}.dataset.step"))

    @property
    def status(self):
        return self.evaluate(f"{LIVE}.dataset.status")

    @property
    def query(self):
        """What stands in the address behind the question mark, as a dict."""
        return self.evaluate("Object.fromEntries(new URLSearchParams(location.search))")

    def figure(self, name):
        return self.page.locator(f"[data-figure={name}]").inner_text()

    def losses(self):
        """Each batch loss in the chart, once all are there."""
        steps = self.step
        losses = []
        for first in range(1, steps + 1, SINGLY):
            last = min(first + SINGLY - 1, steps)
            if steps > SINGLY:  # of more the chart shows an outline, and each one again to who looks closer
                self.evaluate(f"Plotly.relayout({PLOT}, {{ 'xaxis.range': [{first}, {last}] }}) && 0")
            here = f"[...({PLOT}.data?.[0].x ?? []).keys()].filter((i) => {PLOT}.data[0].x[i] >= {first} " + (
                f"&& {PLOT}.data[0].x[i] <= {last})"
            )
            self.until(f"{here}.length === {last - first + 1}")
            losses += self.evaluate(f"{here}.map((i) => {PLOT}.data[0].y[i])")
        if steps > SINGLY:
            whole = "{ 'xaxis.autorange': true, 'yaxis.autorange': true }"
            self.evaluate(f"Plotly.relayout({PLOT}, {whole}) && 0")
        return losses

    def sentences(self):
        """What the page says in boxes: refusals at the controls, notices on top."""
        return self.page.locator("[data-testid=stAlert]").all_inner_texts()

    def says(self, *parts, times=1):
        """Wait until so many boxes say all of this."""
        boxes = self.page.locator("[data-testid=stAlert]")
        for part in parts:
            boxes = boxes.filter(has_text=part)
        try:
            boxes.nth(times - 1).wait_for()
        except Exception as error:
            raise AssertionError(f"no box says {parts}, but {self.sentences()}") from error
        assert boxes.count() == times, self.sentences()

    # Doing

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    def click(self, name):
        self.button(name).click()

    def play(self, until_step=None):
        self.click("Play")
        self.until(f"{LIVE}.dataset.status === 'playing'")
        if until_step:
            self.until(f"Number({LIVE}.dataset.step) >= {until_step}", 30)

    def pause(self):
        self.click("Pause")
        self.until(f"{LIVE}.dataset.status === 'paused'")
        self.button("Play").wait_for()
        self.idle()

    def train(self, steps):
        """Play for at least so many batches, and pause."""
        self.play(self.step + steps)
        self.pause()

    def goes_on(self, by=5):
        """Wait until the run has trained some more batches."""
        self.until(f"Number({LIVE}.dataset.step) >= {self.step + by}")

    def unfold(self):
        """Open every folded part of the sidebar."""
        closed = self.page.locator(".stSidebar details:not([open]) > summary")
        while closed.count():
            closed.first.click()

    def _unfolded(self, field):
        field.wait_for(state="attached")
        if not field.is_visible():
            self.unfold()
        return field

    def write(self, label, value):
        """Type into the field of that label."""
        field = self._unfolded(self.page.get_by_label(label, exact=True))
        field.fill(str(value))
        field.press("Enter")

    def tick(self, label):
        box = self.page.locator("[data-testid=stCheckbox]").filter(has_text=label).locator("label").first
        self._unfolded(box).click()

    def choose(self, label, choice):
        """Take a choice by the keyboard: where the list opens beside a field that moves, no pointer can."""
        field = self._unfolded(self.page.get_by_label(label, exact=True))
        options = self.page.get_by_role("option")
        focused = self.page.locator("[role=option][data-focused=true]")
        field.focus()
        deadline = time.monotonic() + 30
        while not options.count():  # a list that opens while the sidebar still scrolls closes again
            assert time.monotonic() < deadline, f"the list of {label} does not open"
            field.press("ArrowDown")
            self.page.wait_for_timeout(300)
        choices = [text.strip() for text in options.all_inner_texts()]
        assert choice in choices
        while (here := choices.index(focused.inner_text().strip())) != choices.index(choice):
            field.press("ArrowDown" if here < choices.index(choice) else "ArrowUp")
        field.press("Enter")
        options.first.wait_for(state="detached")

    def download(self, name):
        """The path of what a button of the download menu gives."""
        menu = self.page.locator("[data-testid=stPopover] button").first
        menu.click()
        with self.page.expect_download() as download:
            self.click(name)
        path = download.value.path()
        menu.click()
        return path
