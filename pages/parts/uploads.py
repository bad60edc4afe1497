"""A bound on what uploads may take. Streamlit limits the size of a file, but not how many it keeps."""

from collections import OrderedDict

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_FILES = 4  # kept per session at a time: 4 x server.maxUploadSize of memory at the most
MOST_SESSIONS = 10_000  # remembered here; the oldest are forgotten first

UPLOADS = "/_stcore/upload_file/"


class UploadLimit:
    """ASGI middleware: a session's fifth file at a time is refused until one is taken away."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._files: OrderedDict[str, set[str]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or UPLOADS not in path:
            await self._app(scope, receive, send)
            return
        session, _, file = path.split(UPLOADS, 1)[1].partition("/")
        files = self._files.get(session, set())
        if scope["method"] == "PUT" and file not in files and len(files) >= MOST_FILES:
            refusal = PlainTextResponse("Too many files; remove one first.", status_code=429)
            await refusal(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                self._note(scope["method"], session, file)
            await send(message)

        await self._app(scope, receive, note)

    def _note(self, method: str, session: str, file: str) -> None:
        if method == "PUT":
            self._files.setdefault(session, set()).add(file)
            self._files.move_to_end(session)
            while len(self._files) > MOST_SESSIONS:
                self._files.popitem(last=False)
        elif method == "DELETE":
            self._files.get(session, set()).discard(file)
