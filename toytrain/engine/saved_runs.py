"""SavedRuns: a folder in which every run is kept as a full checkpoint, `<run id>.pth`.

What is trained outlives the server. Saving never gets in the way of training: what is refused becomes
a sentence in `problem_of` the run, which the page shows.

Several servers may share the folder if each has a name. A run then belongs to the server in its file
`<run id>.of`, as long as that one touches its file `<name>.alive`. Only its server saves it: what another
one still trains after it lost the run is a fork, and its user is told.
"""

import contextlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ..errors import ToytrainError

ALIVE_FOR = 30.0  # seconds after which a server that has not been heard of has lost its runs
RUN_ID = re.compile(r"[0-9a-f]{32}")  # nothing else becomes part of a path


class SavedRuns:
    """The folder, with limits on how many files and bytes it holds; the oldest go first."""

    def __init__(
        self, folder: Path, replica: str = "", most_files: int = 1000, most_bytes: int = 500 * 2**20
    ):
        self.folder = folder
        self.replica = replica
        self._told_alive = -ALIVE_FOR
        self.most_files = most_files
        self.most_bytes = most_bytes
        self.problem = ""  # of the folder
        self._lost: set[str] = set()  # runs that are open here and that another server has taken over

    def save(self, run_id: str, data: bytes) -> None:
        """Keep the checkpoint, whole or not at all: a crash leaves the one before."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if run_id not in self._lost and self._claim(run_id):
                self._write(self._path(run_id), data)
            else:  # for good: when the other server lets go of the run, what is here is its past
                self._lost.add(run_id)
            self._remove_oldest()
        except OSError as error:
            self.problem = (
                f"Runs are not being saved ({error.strerror}). Training goes on, but a restart of the server "
                "would lose it: download a checkpoint of what you want to keep."
            )
        else:
            self.problem = ""

    def problem_of(self, run_id: str) -> str:
        """The sentence that says why a run is not being saved, or nothing."""
        if run_id in self._lost:
            return (
                "This run is not being saved any more, because another server of this class has taken it "
                "over; download a checkpoint of what you want to keep."
            )
        return self.problem

    def load(self, run_id: str) -> bytes | None:
        """The checkpoint of a run, or None where there is none to read.

        A ToytrainError where the run is on another server.
        """
        if not RUN_ID.fullmatch(run_id):
            return None
        try:
            if self._claim(run_id):  # before it is read: from then on nobody else saves it
                return self._path(run_id).read_bytes()
        except OSError:
            self.release(run_id)
            return None
        raise ToytrainError("This run is open on another server of this class; open it by its address there.")

    def release(self, run_id: str) -> None:
        """Let another server open the run."""
        self._lost.discard(run_id)
        with contextlib.suppress(OSError):
            if self.replica and self._server_of(run_id) == self.replica:
                self._claim_of(run_id).unlink()

    def tell_alive(self) -> None:
        """Say that the runs of this server are taken; to be called every few seconds."""
        if self.replica and time.monotonic() - self._told_alive > ALIVE_FOR / 6:
            self._told_alive = time.monotonic()
            with contextlib.suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._alive(self.replica).touch()

    def _claim(self, run_id: str) -> bool:
        """Make the run this server's, unless it is that of another one which is alive."""
        if not self.replica:
            return True
        self.tell_alive()  # else the claim would count for nothing
        server = self._server_of(run_id)
        if server == self.replica:
            return True
        if server and self._is_alive(server):
            return False
        if server:
            self._take_away(run_id, server)
        with contextlib.suppress(FileExistsError):  # of several that come this far, one creates it
            self._write(self._claim_of(run_id), self.replica.encode(), os.link)
        return self._server_of(run_id) == self.replica

    def _server_of(self, run_id: str) -> str:
        """The server that has claimed the run, or nothing."""
        try:
            return self._claim_of(run_id).read_text()
        except FileNotFoundError:
            return ""

    def _is_alive(self, server: str) -> bool:
        try:
            return time.time() - self._alive(server).stat().st_mtime < ALIVE_FOR
        except FileNotFoundError:
            return False

    def _take_away(self, run_id: str, dead: str) -> None:
        """Remove the claim of a dead server; that of one which took the run over meanwhile is put back."""
        aside = self.folder / f"{uuid.uuid4().hex}.tmp"
        with contextlib.suppress(FileNotFoundError):  # another server was quicker
            self._claim_of(run_id).rename(aside)
            if aside.read_text() != dead:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self._claim_of(run_id))
            aside.unlink()

    def _claim_of(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.of"

    def _alive(self, replica: str) -> Path:
        return self.folder / f"{re.sub(r'[^0-9A-Za-z_-]', '_', replica)}.alive"

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.pth"

    def _write(self, path: Path, data: bytes, put: Callable[[str, Path], None] = os.replace) -> None:
        """Put a file in its place whole: `os.replace` what is there, or `os.link` if nothing is there."""
        descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            put(name, path)
        finally:
            with contextlib.suppress(OSError):  # where it was renamed it is gone
                os.unlink(name)

    def _remove_oldest(self) -> None:
        files = []
        for file in self.folder.glob("*.pth"):
            with contextlib.suppress(FileNotFoundError):  # another server was quicker
                files.append((file.stat(), file))
        files.sort(key=lambda entry: entry[0].st_mtime, reverse=True)
        total = 0
        for number, (status, file) in enumerate(files, 1):
            total += status.st_size
            if number > self.most_files or (total > self.most_bytes and number > 1):
                file.unlink(missing_ok=True)
                self._claim_of(file.stem).unlink(missing_ok=True)
