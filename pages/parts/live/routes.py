"""What the live views fetch from this server: their modules, Plotly.js, and the stream of a run.

Streamlit checks nothing on routes of one's own, so the stream checks the Origin itself and asks for
the run's stream token, which only lets one watch.
"""

import asyncio
import hashlib
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from toytrain import engine
from toytrain.engine import Run

from ..words import ENGLISH, LANGUAGES, said
from . import traces
from .base import BASE

_FILES = {path.name: path for path in (Path(__file__).parent / "static").iterdir()}
_VERSION = hashlib.sha256(b"".join(_FILES[name].read_bytes() for name in sorted(_FILES))).hexdigest()[:16]
_PLOTLY_FILE = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
_TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

STATIC = f"{BASE}/live/static/{_VERSION}"
PLOTLY = f"{BASE}/live/plotly-{_PLOTLY_FILE.stat().st_size}.min.js"
STREAM = f"{BASE}/live/stream"

LANGUAGE = "lang"  # of the sentences in a stream

UNKNOWN_RUN = 4404
MOST_VIEWS = 16  # that one viewer may look at at once


async def serve_module(request: Request) -> Response:
    path = _FILES.get(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    return FileResponse(path, media_type=_TYPES.get(path.suffix), headers=_FOREVER)


async def serve_plotly(request: Request) -> Response:
    return FileResponse(_PLOTLY_FILE, media_type="text/javascript", headers=_FOREVER)


async def stream(websocket: WebSocket) -> None:
    """Send the newest of a run; after the browser has drawn it, the next. Never more than one at once.

    The browser says "show" and the names of the views that it shows, and after each message that it has
    drawn "ok" and the same: only these views are made and sent.
    """
    origin = websocket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
        await websocket.close()  # before accepting: refused with 403
        return
    await websocket.accept()
    run = engine.pool().watched(websocket.path_params["token"])
    if run is None:
        await websocket.close(UNKNOWN_RUN)
        return
    asked = parse_qs(websocket.url.query).get(LANGUAGE, [ENGLISH])[0]
    viewer = _Viewer(websocket, run, _saying(asked if asked in LANGUAGES else ENGLISH))
    try:
        await viewer.serve()
    except WebSocketDisconnect:
        pass
    finally:
        viewer.leave()


@cache
def _saying(code: str) -> Callable[[str], str]:
    """What turns a sentence of the core into one of that language."""
    return partial(said, code=code)


class _Viewer:
    """One open stream: what it has been sent, whether it has drawn that, and which views it shows."""

    def __init__(self, websocket: WebSocket, run: Run, say: Callable[[str], str]):
        self._websocket = websocket
        self._run = run
        self._say = say
        self._woken = asyncio.Event()
        self._drawn = True
        self._views: tuple[str, ...] = ()
        self._gone = False
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._woken.set)

        self._unlisten = run.listen(wake)
        self._receiving = asyncio.create_task(self._receive())

    async def serve(self) -> None:
        cursor = None
        self._run.want_frame()
        while not self._gone:
            if self._run.status == "closed" or self._run.refusal:
                # Not UNKNOWN_RUN: who has just reset the run gets another, and need not be told that this
                # one is gone. Who comes again for it learns that.
                await self._websocket.close()
                return
            if self._drawn and self._run.description and self._run.has_news(cursor, self._views):
                message, cursor = self._run.message(cursor, self._views, self._say)
                self._drawn = False
                await self._websocket.send_bytes(message)
            await self._woken.wait()
            self._woken.clear()

    def leave(self) -> None:
        self._unlisten()
        self._receiving.cancel()

    async def _receive(self) -> None:
        """Note what the browser says, and the end of the connection."""
        try:
            while True:
                word, *views = (await self._websocket.receive_text()).split() or [""]
                if word not in ("ok", "show"):
                    continue
                self._drawn |= word == "ok"
                self._views = tuple(views[:MOST_VIEWS])
                self._run.want_frame(self._views)
                self._woken.set()
        except (WebSocketDisconnect, KeyError):  # KeyError: bytes, which no live view sends
            self._gone = True
            self._woken.set()


ROUTES = [
    Route(f"{STATIC}/{{name}}", serve_module),
    Route(PLOTLY, serve_plotly),
    WebSocketRoute(f"{STREAM}/{{token}}", stream),
    *traces.ROUTES,
]
