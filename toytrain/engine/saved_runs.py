"""SavedRuns: a folder in which every run is kept as a full checkpoint, `<run id>.pth`.

What is trained outlives the server. Saving never gets in the way of training: what the disk refuses
becomes a sentence in `problem`, which the page shows.

Several servers may share the folder if each has a name. A run then belongs to the server in its file
`<run id>.of`, as long as that one touches its file `<name>.alive`: no two train the same run.
"""

import contextlib
import os
import re
import tempfile
import time
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
        self.problem = ""

    def save(self, run_id: str, data: bytes) -> None:
        """Keep the checkpoint, whole or not at all: a crash leaves the one before."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._claim(run_id):  # where another server has it now, what is here is the past
                self._write(self._path(run_id), data)
            self._remove_oldest()
        except OSError as error:
            self.problem = (
                f"Runs are not being saved ({error.strerror}). Training goes on, but a restart of the server "
                "would lose it: download a checkpoint of what you want to keep."
            )
        else:
            self.problem = ""

    def load(self, run_id: str) -> bytes | None:
        """The checkpoint of a run, or None where there is none to read.

        A ToytrainError where the run is on another server.
        """
        if not RUN_ID.fullmatch(run_id):
            return None
        try:
            data = self._path(run_id).read_bytes()
            if self._claim(run_id):
                return data
        except OSError:
            return None
        raise ToytrainError("This run is open on another server of this class; open it by its address there.")

    def release(self, run_id: str) -> None:
        """Let another server open the run."""
        with contextlib.suppress(OSError):
            if self.replica and self._claim_of(run_id).read_text() == self.replica:
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
        with contextlib.suppress(OSError):  # nobody has claimed it, or the one who did was never alive
            owner = self._claim_of(run_id).read_text()
            if owner == self.replica:
                return True
            if time.time() - self._alive(owner).stat().st_mtime < ALIVE_FOR:
                return False
        self._write(self._claim_of(run_id), self.replica.encode())
        return True

    def _claim_of(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.of"

    def _alive(self, replica: str) -> Path:
        return self.folder / f"{re.sub(r'[^0-9A-Za-z_-]', '_', replica)}.alive"

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.pth"

    def _write(self, path: Path, data: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

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
