"""How long one waits for a cold server: to the first paint, to a page one can use, to the first loss.

`python benchmarks/start.py` starts the app as users do, opens it in Chromium with an empty cache the moment
that the server listens, presses Play as soon as it is there, and waits until the first loss is drawn. A
server and a browser context per round; the medians count, the worst is printed too. It needs Playwright
and a Chromium, as the browser tests do.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
STEP = "Number(document.querySelector('.toytrain-live')?.dataset.step ?? 0)"
BOUNDS = {"Play is there, after the server listens": 2.5, "first loss, after Play": 4.0}


def start(folder: str) -> tuple[subprocess.Popen, int]:
    """`streamlit run app.py` on a free port, saving no runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (Path(folder) / "server.txt").open("a") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=Path(__file__).parents[1], env={**os.environ, "TOYTRAIN_RUNS": ""},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    return server, port


def wait_until_listening(port: int) -> None:
    """The socket is bound before the app is imported: the server listens when it answers."""
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.01)


def measure(browser: Browser, folder: str) -> dict[str, float]:
    """Seconds by what was waited for."""
    context = browser.new_context()
    page = context.new_page()
    began = time.perf_counter()
    server, port = start(folder)
    try:
        wait_until_listening(port)
        listens = time.perf_counter()
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        play = page.get_by_role("button", name="Play")
        play.wait_for(timeout=60_000)
        usable = time.perf_counter()
        play.click()
        page.wait_for_function(f"{STEP} > 0", timeout=60_000, polling="raf")
        trained = time.perf_counter()
        return {
            "the server listens, after its start": listens - began,
            "first paint, after the server listens": page.evaluate(PAINT) / 1000,
            "Play is there, after the server listens": usable - listens,
            "first loss, after Play": trained - usable,
        }
    finally:
        context.close()
        server.send_signal(signal.SIGINT)
        server.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        rounds = [measure(browser, folder) for _ in range(options.rounds)]
        browser.close()
    print(f"{options.rounds} cold starts, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in rounds[0]:
        seconds = [one[name] for one in rounds]
        bound = f"   (at most {BOUNDS[name]:g} s wanted)" if name in BOUNDS else ""
        print(f"  {name:<42}{statistics.median(seconds):6.2f} s median{max(seconds):6.2f} worst{bound}")


if __name__ == "__main__":
    main()
