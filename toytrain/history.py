"""History: the numbers that a run notes, such as each batch loss. It grows for hours in bounded memory.

What is old goes to a temporary file without a name, which the system takes away with the process. A class
of thirty notes 100 kB a second; in memory that would be a gigabyte in a morning. Where no file can be
written the numbers stay in memory: none is ever lost.
"""

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

BLOCK = 8192  # numbers that go to the file together


class History(Sequence):
    """Numbers of one type code of `array`: what runs need of an array. A slice is an array."""

    def __init__(self, typecode: str, numbers: Iterable = ()):
        self.typecode = typecode
        self._newest: array = array(typecode)
        self._older = 0  # how many numbers the file holds
        self._file: IO[bytes] | None = None
        self.extend(numbers)

    def append(self, number: float) -> None:
        self._newest.append(number)
        if len(self._newest) >= 2 * BLOCK:
            self._put_away()

    def extend(self, numbers: Iterable) -> None:
        self._newest.extend(numbers)
        if len(self._newest) >= 2 * BLOCK:
            self._put_away()

    def truncate(self, length: int) -> None:
        """Forget all numbers but the first `length`."""
        if length < self._older:
            self._newest, self._older = self._read(length - length % BLOCK, length), length - length % BLOCK
        else:
            del self._newest[length - self._older :]

    def tobytes(self) -> bytes:
        return self[:].tobytes()

    def tolist(self) -> list[float]:
        return self[:].tolist()

    def __len__(self) -> int:
        return self._older + len(self._newest)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                return self[:][at]
            if start >= self._older:
                return self._newest[start - self._older : max(stop, start) - self._older]
            found = self._read(start, min(stop, self._older))
            found.extend(self._newest[: max(0, stop - self._older)])
            return found
        number = range(len(self))[at]  # an IndexError where there is none
        return self[number : number + 1][0]

    def __iter__(self) -> Iterator[float]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return self[:] == (other[:] if isinstance(other, History) else other)

    __hash__ = None  # type: ignore[assignment]  # as of a list: it changes

    def __repr__(self) -> str:
        return f"History({self.typecode!r}, {len(self)} numbers)"

    def __reduce__(self):
        return History, (self.typecode, self[:])

    def _put_away(self) -> None:
        """Move whole blocks to the file, but the last."""
        count = len(self._newest) - len(self._newest) % BLOCK - BLOCK
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (open as long as the run)
            self._file.seek(self._older * self._newest.itemsize)
            data = self._newest[:count].tobytes()
            while data:
                data = data[self._file.write(data) :]
        except OSError:
            return  # no room on the disk, no file to be had: the numbers stay here
        self._older += count
        del self._newest[:count]

    def _read(self, start: int, stop: int) -> array:
        """The numbers start..stop of the file."""
        found = array(self.typecode, bytes(max(0, stop - start) * self._newest.itemsize))
        if self._file is not None:
            self._file.seek(start * self._newest.itemsize)
            data = memoryview(found).cast("B")
            while data and (count := self._file.readinto(data)):  # type: ignore[attr-defined]
                data = data[count:]
        return found
