"""What one viewer sees: frames drawn a second and epochs trained a second, in a real Chromium.

`python benchmarks/viewer.py` starts the real server, opens the train page in Chromium (through
Playwright), plays at speed "max" and watches for ten seconds. A frame counts where the network, the
boundary and the loss have all been drawn: both canvases were emptied for a new picture and Plotly told
of its own. Bars: 15 frames a second of all three without a remount, and 250 epochs a second on 2-8-8-2
(batch 10, 250 points), 150 on 2-30-20-2 (batch 32, 1,000 points).
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
WORKS = {
    "2-8-8-2, batch 10, 250 points": ("hidden=8,8&batch_size=10&points=250", 250),
    "2-30-20-2, batch 32, 1,000 points": ("hidden=30,20&batch_size=32&points=1000", 150),
}
FRAMES_BAR = 15
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
VIEWS = [".toytrain-network canvas", ".toytrain-boundary canvas", ".toytrain-plot"]

COUNT = """([seconds, views]) => new Promise((resolve) => {
    const names = ["network", "boundary", "loss"];
    const elements = views.map((name) => document.querySelector(name));
    const counts = Object.fromEntries(names.map((name) => [name, 0]));
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...rectangle) {
        const view = elements.indexOf(this.canvas);
        if (view >= 0) counts[names[view]]++;
        return clear.apply(this, rectangle);
    };
    elements[2].on("plotly_afterplot", () => counts.loss++);
    const epoch = () => Number(document.querySelector("[data-figure=epoch]").textContent.replace(/\\D/g, ""));
    const start = performance.now(), first = epoch();
    setTimeout(() => {
        const passed = (performance.now() - start) / 1000;
        const rates = Object.fromEntries(names.map((name) => [name, counts[name] / passed]));
        const isSame = views.every((name, i) => document.querySelector(name) === elements[i]);
        CanvasRenderingContext2D.prototype.clearRect = clear;
        resolve({ ...rates, epochs: (epoch() - first) / passed, isSame });
    }, 1000 * seconds);
})"""


@contextmanager
def server():
    """The address of `streamlit run app.py` on a free port, ended with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as runs:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "TOYTRAIN_RUNS": runs},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + 60
            while not answers(f"{address}/_stcore/health"):
                if time.monotonic() > until:
                    raise SystemExit("the server does not answer")
                time.sleep(0.1)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def measure(page, seconds: float) -> dict:
    """Frames of each view and epochs, a second, while the open page plays."""
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.toytrain-live').dataset.step > 500")
    found = page.evaluate(COUNT, [seconds, VIEWS])
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function("document.querySelector('.toytrain-live').dataset.status === 'paused'")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="how long each work is watched")
    seconds = parser.parse_args().seconds
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    print(f"{'':<36}{'network/s':>10}{'boundary/s':>11}{'loss/s':>8}{'bar':>5}{'epochs/s':>10}{'bar':>5}")
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for name, (query, bar) in WORKS.items():
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.goto(f"{address}/?{query}&speed=0")
            page.wait_for_function(
                "document.querySelector('.toytrain-live')?.dataset.connection === 'open' && window.Plotly",
                timeout=60_000,
            )
            found = measure(page, seconds)
            print(
                f"{name:<36}{found['network']:>10.1f}{found['boundary']:>11.1f}{found['loss']:>8.1f}"
                f"{FRAMES_BAR:>5}{found['epochs']:>10,.0f}{bar:>5}"
                + ("" if found["isSame"] else "  a view was mounted anew")
            )
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
