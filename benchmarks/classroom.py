"""A class at one small server: thirty students for ten minutes, and what each of them gets.

`python benchmarks/classroom.py` starts the app as users do and opens thirty sessions over Streamlit's own
WebSocket protocol. Each opens the page by an address of its own, plays its run at full speed, watches the
stream one frame in flight as a browser does, and now and then pauses, plays or changes the learning rate.
A click counts as effective when the stream shows it. `--largest` lets one student take the largest
network and batch that are permitted, beside the same class without.

The students run on the same machine, so their own processor share is printed too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

from toytrain.engine.frame import decode

DRAWING = 0.016  # seconds that a browser takes for a frame
CLICK_EVERY = (5, 20)  # seconds between two clicks of a student
EFFECT_WITHIN = 10.0  # seconds after which a click counts as lost
WARM_UP = 5.0  # seconds after the last student's Play that no figure counts
MEMORY_EVERY = 5.0
LARGEST = ("dataset=blobs&classes=10&features=x1,x2,x1^2,x2^2,x1*x2,sin(x1),sin(x2)&hidden=64,64,64,64,64,64"
           "&batch_norm=True&points=5000&batch_size=1024&optimizer=adam&learning_rate=0.001")  # fmt: skip
VIEWS = ("boundary", "network")  # that a train page looks at


class Server:
    """`streamlit run app.py` on a free port."""

    def __init__(self, folder: str):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._log = (Path(folder) / "server.txt").open("w")
        self.process = psutil.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
            cwd=Path(__file__).parents[1], env={**os.environ, "TOYTRAIN_RUNS": folder},
            stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def megabytes(self) -> float:
        return sum(process.memory_info().rss for process in self.family()) / 1e6

    def cpu_seconds(self) -> dict[str, float]:
        """By what the process is: the server, or the workers together."""
        spent = {"server": 0.0, "workers": 0.0}
        for process in self.family():
            times = process.cpu_times()
            spent["server" if process.pid == self.process.pid else "workers"] += times.user + times.system
        return spent

    def stop(self) -> int:
        """End it; how many of its processes are left."""
        family = self.family()
        self.process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=20)
        self._log.close()
        return len(alive)


@dataclass
class Student:
    """One session: Streamlit's protocol on one socket, the stream of its run on the other."""

    number: int
    server: Server
    query: str
    widgets: dict = field(default_factory=dict)
    header: dict = field(default_factory=dict)
    told: asyncio.Condition = field(default_factory=asyncio.Condition)
    clicks: list[float] = field(default_factory=list)
    lost: int = 0
    frames: int = 0
    gaps: int = 0
    losses: int = 0

    async def attend(self, until: asyncio.Event) -> None:
        """Open the page, play, and click now and then, until told to stop."""
        address = f"ws://127.0.0.1:{self.server.port}"
        origin = f"http://127.0.0.1:{self.server.port}"
        async with connect(f"{address}/_stcore/stream", max_size=None, origin=origin,
                           subprotocols=["streamlit"], ping_interval=None) as page:  # fmt: skip
            reading = asyncio.create_task(self._read(page))
            await self._rerun(page, {})
            stream = await self._stream_of_page()
            async with connect(
                f"{address}{stream}", max_size=None, origin=origin, ping_interval=None
            ) as frames:
                watching = asyncio.create_task(self._watch(frames))
                async with self.told:
                    await self.told.wait_for(lambda: self.header)
                await self._press(page, "Play", lambda header: header["status"] == "playing")
                self.clicks.clear()
                rng = random.Random(self.number)
                while not until.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(until.wait(), rng.uniform(*CLICK_EVERY))
                        break
                    await self._click(page, rng)
                watching.cancel()
            reading.cancel()

    async def _click(self, page, rng: random.Random) -> None:
        if rng.random() < 0.3:
            rate = round(rng.uniform(0.01, 0.2), 4)
            state = {"id": self.widgets["learning rate"], "double_value": rate}
            await self._measure(page, state, lambda header: abs(header["learning_rate"] - rate) < 1e-9)
        else:
            await self._press(page, "Pause", lambda header: header["status"] == "paused")
            await self._press(page, "Play", lambda header: header["status"] == "playing")

    async def _press(self, page, label: str, effective) -> None:
        deadline = time.perf_counter() + EFFECT_WITHIN
        while label not in self.widgets and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)  # the rerun that shows the button is under way
        if label not in self.widgets:
            self.lost += 1
            return
        await self._measure(page, {"id": self.widgets.pop(label), "trigger_value": True}, effective)

    async def _measure(self, page, state: dict, effective) -> None:
        """Send a widget's value, and wait until a frame shows its effect."""
        began = time.perf_counter()
        await self._rerun(page, state)
        try:
            async with self.told:
                await asyncio.wait_for(self.told.wait_for(lambda: effective(self.header)), EFFECT_WITHIN)
            self.clicks.append(time.perf_counter() - began)
        except TimeoutError:
            self.lost += 1

    async def _rerun(self, page, state: dict) -> None:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        if state:
            message.rerun_script.widget_states.widgets.add(**state)
        await page.send(message.SerializeToString())

    async def _read(self, page) -> None:
        """Note the widgets and the stream's address that the page's elements hold."""
        async for data in page:
            message = ForwardMsg()
            message.ParseFromString(data)
            if message.WhichOneof("type") != "delta":
                continue
            element = message.delta.new_element
            kind = element.WhichOneof("type")
            if kind == "button":
                self.widgets[element.button.label] = element.button.id
            elif kind == "number_input":
                self.widgets[element.number_input.label] = element.number_input.id
            elif kind == "bidi_component":
                self.widgets["live"] = element.bidi_component.json

    async def _stream_of_page(self) -> str:
        while "live" not in self.widgets:
            await asyncio.sleep(0.01)
        return json.loads(self.widgets["live"])["stream"]

    async def _watch(self, frames) -> None:
        """Take a frame, draw it, say so; the news must follow on one another without a gap."""
        async for message in frames:
            header, arrays = decode(message)
            self.gaps += header["losses_from"] > self.losses
            self.losses = header["losses_from"] + len(arrays["losses"]) // 4
            self.frames += "picture" in arrays
            async with self.told:
                self.header = header
                self.told.notify_all()
            await asyncio.sleep(DRAWING)
            await frames.send(f"ok {' '.join(VIEWS)}")


async def attend(server: Server, queries: list[str], seconds: float) -> list[dict]:
    """Let a class attend: what each student got per second, and what the server took over time."""
    students = [Student(number, server, query) for number, query in enumerate(queries)]
    until = asyncio.Event()
    tasks = [asyncio.create_task(student.attend(until)) for student in students]
    while not all(student.header.get("status") == "playing" for student in students):
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(WARM_UP)
    began, before = time.perf_counter(), server.cpu_seconds()
    own = time.process_time()
    steps = [student.header["step"] for student in students]
    frames = [student.frames for student in students]
    memory = []
    while time.perf_counter() - began < seconds:
        memory.append((time.perf_counter() - began, server.megabytes()))
        await asyncio.sleep(min(MEMORY_EVERY, seconds / 10))
    passed = time.perf_counter() - began
    got = [
        {"steps": (student.header["step"] - step) / passed, "frames": (student.frames - drawn) / passed}
        for student, step, drawn in zip(students, steps, frames, strict=True)
    ]
    until.set()
    await asyncio.wait(tasks, timeout=EFFECT_WITHIN + 5)
    report(students, got, memory, passed)
    for name, spent in server.cpu_seconds().items():
        print(f"  {name:<28}{(spent - before[name]) / passed:8.2f} of a core")
    print(f"  {'the students themselves':<28}{(time.process_time() - own) / passed:8.2f} of a core")
    return got


def report(
    students: list[Student], got: list[dict], memory: list[tuple[float, float]], passed: float
) -> None:
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{len(students)} students, {passed:.0f} s, {load}")
    for name in ("steps", "frames"):
        rates = sorted(one[name] for one in got)
        print(f"  {name + ' per second and student':<28}{statistics.median(rates):8.1f} median"
              f"{rates[0]:8.1f} least{rates[-1]:8.1f} most")  # fmt: skip
    clicks = sorted(seconds for student in students for seconds in student.clicks)
    p50, p95, p99 = (
        1000 * clicks[min(len(clicks) - 1, int(len(clicks) * part))] for part in (0.5, 0.95, 0.99)
    )
    print(f"  {'click to effect':<28}{p50:8.0f} ms p50{p95:8.0f} p95{p99:8.0f} p99"
          f"   ({len(clicks)} clicks)")  # fmt: skip
    print(f"  {'lost clicks, gaps in news':<28}{sum(s.lost for s in students):8d}"
          f"{sum(s.gaps for s in students):8d}")  # fmt: skip
    for part in range(2, 11, 2):
        at, megabytes = memory[min(len(memory) - 1, len(memory) * part // 10)]
        print(f"  {f'server and workers, {at:.0f} s':<28}{megabytes:8.0f} MB")
    half = [megabytes for at, megabytes in memory if at >= passed / 2]
    print(f"  {'server and workers':<28}{max(megabytes for _, megabytes in memory):8.0f} MB most,"
          f"{half[-1] - half[0]:+8.0f} MB over the second half")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--largest", action="store_true", help="then again, with the largest net for one of them"
    )
    options = parser.parse_args()
    queries = [f"speed=0&seed={number}" for number in range(options.students)]
    with tempfile.TemporaryDirectory() as folder:
        for title, some in [("", queries), ("one student with the largest net", [LARGEST, *queries[1:]])]:
            if title and not options.largest:
                break
            print(title)
            server = Server(folder)
            try:
                wait_until_healthy(server)
                got = asyncio.run(attend(server, some, 60 * options.minutes))
                others = statistics.median(one["steps"] for one in got[1:])
                print(f"  {'steps of the other students':<28}{others:8.1f} median")
            finally:
                print(f"  {'processes left at the end':<28}{server.stop():8d}")


def wait_until_healthy(server: Server) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
