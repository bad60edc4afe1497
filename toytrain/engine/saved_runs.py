"""SavedRuns: a folder in which every run is kept as a full checkpoint, `<run id>.pth`.

What is trained outlives the server. Saving never gets in the way of training: what the disk refuses
becomes a sentence in `problem`, which the page shows.
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path

RUN_ID = re.compile(r"[0-9a-f]{32}")  # nothing else becomes part of a path


class SavedRuns:
    """The folder, with limits on how many files and bytes it holds; the oldest go first."""

    def __init__(self, folder: Path, most_files: int = 1000, most_bytes: int = 500 * 2**20):
        self.folder = folder
        self.most_files = most_files
        self.most_bytes = most_bytes
        self.problem = ""

    def save(self, run_id: str, data: bytes) -> None:
        """Keep the checkpoint, whole or not at all: a crash leaves the one before."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
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
        """The checkpoint of a run, or None where there is none to read."""
        if not RUN_ID.fullmatch(run_id):
            return None
        try:
            return self._path(run_id).read_bytes()
        except OSError:
            return None

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
        files = sorted(((file.stat(), file) for file in self.folder.glob("*.pth")),
                       key=lambda entry: entry[0].st_mtime, reverse=True)  # fmt: skip
        total = 0
        for number, (status, file) in enumerate(files, 1):
            total += status.st_size
            if number > self.most_files or (total > self.most_bytes and number > 1):
                file.unlink(missing_ok=True)
