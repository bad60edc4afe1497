"""A bound on what uploads may take. Streamlit limits the size of a file, but not how many it keeps: one
that its page was left with stays until the session ends."""

from collections import OrderedDict
from urllib.parse import quote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_FILES = 4  # kept per session at a time: 4 x server.maxUploadSize of memory at the most
MOST_SESSIONS = 10_000  # remembered here; the oldest are forgotten first

UPLOADS = "/_stcore/upload_file/"


class UploadLimit:
    """ASGI middleware: a session's fifth file takes the place of its oldest, and while four are still on
    their way it is refused."""

    def __init__(self, app: ASGIApp):
        self._app = app
        # session -> file -> whether it has arrived
        self._files: OrderedDict[str, dict[str, bool]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, is_upload, place = scope.get("path", "").partition(UPLOADS)
        if scope["type"] != "http" or not is_upload:
            await self._app(scope, receive, send)
            return
        session, _, file = place.partition("/")
        files = self._files_of(session)
        try:
            if scope["method"] == "PUT":
                await self._put(scope, receive, send, files, file)
            elif await self._pass(scope, receive, send) and scope["method"] == "DELETE" and files.get(file):
                del files[file]
        finally:
            if not files:
                self._files.pop(session, None)

    async def _put(
        self, scope: Scope, receive: Receive, send: Send, files: dict[str, bool], file: str
    ) -> None:
        is_full = len(files) >= MOST_FILES
        oldest = next((name for name, arrived in files.items() if arrived), None)
        if file in files or (is_full and oldest is None):
            refusal = PlainTextResponse("Too many files at once; wait a moment.", status_code=429)
            await refusal(scope, receive, send)
            return
        files[file] = False  # before anything is waited for: others may come meanwhile
        try:
            if is_full and oldest is not None:
                await self._remove(scope, oldest, files)
            files[file] = await self._pass(scope, receive, send)
        finally:
            if not files[file]:
                del files[file]

    async def _remove(self, scope: Scope, file: str, files: dict[str, bool]) -> None:
        """Take a file away as its owner's browser would, with the tokens of the request for another."""
        path = scope["path"].rpartition("/")[0] + "/" + file
        request = {**scope, "method": "DELETE", "path": path, "raw_path": quote(path).encode()}

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def unheard(message: Message) -> None:
            pass

        del files[file]  # at once: it is nobody else's to remove
        if not await self._pass(request, nothing, unheard):
            files[file] = True

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Hand the request on; whether it was carried out."""
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, note)
        return status < 300

    def _files_of(self, session: str) -> dict[str, bool]:
        files = self._files.setdefault(session, {})
        self._files.move_to_end(session)
        while len(self._files) > MOST_SESSIONS:
            self._files.popitem(last=False)
        return files
