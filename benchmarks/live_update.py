"""What one live frame costs the process that serves pages: processor time and bytes.

`python benchmarks/live_update.py` plays a run of 1,000 points (2-30-20-2, batch 32) at full speed with
at least 1,000 losses told, and watches it over the app's own WebSocket route, one frame in flight, as
a browser does. Beside it, in the same process and from the same numbers: what the same news cost as
JSON text, and as the Plotly figures that `st.plotly_chart` would send. Bars: 1 ms and 15 KB.
"""

import asyncio
import dataclasses
import itertools
import json
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import plotly.graph_objects as go
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import connect

from pages.parts.live.routes import ROUTES, STREAM
from toytrain import Config, engine
from toytrain.engine.frame import decode

FRAMES = 300
WARM_UP = 5  # the first of them bring what was trained while nobody looked
FRAMES_PER_SECOND = 30


class Server(uvicorn.Server):
    """The route alone, on a thread of its own whose processor time can be read."""

    def __init__(self):
        super().__init__(uvicorn.Config(Starlette(routes=ROUTES), port=0, log_level="warning"))
        self.cpu_seconds = 0.0
        threading.Thread(target=self._run_alone, daemon=True).start()
        while not self.started:
            time.sleep(0.01)
        self.port = self.servers[0].sockets[0].getsockname()[1]

    def _run_alone(self):
        async def serve():
            serving = asyncio.create_task(self.serve())
            while not serving.done():
                self.cpu_seconds = time.thread_time()
                await asyncio.sleep(0.05)

        asyncio.run(serve())


async def watch(server: Server, run) -> tuple[list[bytes], float]:
    """The messages that a viewer gets, and the seconds of processor time they cost the server."""
    async with connect(f"ws://127.0.0.1:{server.port}{STREAM}/{run.stream_token}", max_size=None) as socket:
        await socket.recv()  # the whole history, once
        await socket.send("ok boundary")
        await asyncio.sleep(0.2)
        before = server.cpu_seconds
        messages = []
        for _ in range(WARM_UP + FRAMES):
            messages.append(await socket.recv())
            await socket.send("ok boundary")
        await asyncio.sleep(0.2)
        return messages, server.cpu_seconds - before


async def idle(server: Server, seconds: float) -> float:
    """Processor seconds per second of a server that nobody watches: this measurement's own."""
    before = server.cpu_seconds
    await asyncio.sleep(seconds)
    return (server.cpu_seconds - before) / seconds


def as_json(message: bytes) -> str:
    header, arrays = decode(message)
    return json.dumps({**header, **{name: list(data) for name, data in arrays.items()}})


def as_figures(losses: list[float], picture: bytes) -> str:
    rows = [list(picture[at : at + 100]) for at in range(0, len(picture), 100)]
    return go.Figure(go.Scatter(y=losses)).to_json() + go.Figure(go.Heatmap(z=rows)).to_json()


def timed(make, times: int = 30) -> tuple[float, int]:
    """Median milliseconds and the size of what is made."""
    took, size = [], 0
    for _ in range(times):
        start = time.perf_counter()
        size = len(make())
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took), size


def row(name: str, milliseconds: float, size: float) -> None:
    print(f"{name:<52}{milliseconds:>9.3f} ms{size / 1000:>10.1f} KB")


async def main() -> None:
    pool = engine.start(1)
    run = pool.open(Config(points=1000))
    run.wait_until_open(30)
    run.set_speed(0)
    run.play()
    while run.steps < 1000:
        run.want_frame()
        await asyncio.sleep(0.02)
    server = Server()
    resting = await idle(server, 2)
    start = time.perf_counter()
    messages, cpu = await watch(server, run)
    seconds = time.perf_counter() - start
    losses = run.losses[:1000]
    run.pause()

    pictured = [message for message in messages[WARM_UP:] if "picture" in decode(message)[1]]
    sizes = sorted(map(len, pictured))
    views = ("boundary",)
    cursor = dataclasses.replace(run.message(None, views)[1], views={})  # another picture is due
    fresh = (
        dataclasses.replace(cursor, version=-number) for number in itertools.count(1)
    )  # nothing is shared
    print(
        f"{len(messages)} messages, {len(pictured)} with a picture, {len(messages) / seconds:.1f} a second\n"
    )
    print(f"{'':<52}{'CPU':>12}{'size':>13}")
    row("a live frame, all that the server does for it", 1000 * (cpu - resting * seconds) / len(pictured),
        statistics.median(sizes))  # fmt: skip
    print(f"{'  its largest':<52}{'':>12}{sizes[-1] / 1000:>10.1f} KB")
    print(f"{'  bars':<52}{1:>9} ms{15:>10} KB")
    row(
        "  of that: putting the message together",
        *timed(lambda: run.message(next(fresh), views)[0]),
    )
    middle = pictured[len(pictured) // 2]
    row("the same news as JSON text", *timed(lambda: as_json(middle)))
    picture = decode(middle)[1]["picture"]
    row("as two Plotly figures with 1,000 losses", *timed(lambda: as_figures(losses, picture)))
    server.should_exit = True
    engine.stop()


if __name__ == "__main__":
    asyncio.run(main())
