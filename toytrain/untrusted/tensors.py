"""Tensors as a file holds them: bytes, an element type, and a view on them.

A StoredTensor is checked against its bytes when it is made and copied out only when `read` is
called, so that a file cannot make anyone copy what nobody asked for. It knows nothing of
pickles and containers, nor what the numbers are for.
"""

import math
from dataclasses import dataclass
from typing import TypeGuard

import torch

from .refusals import Cause, refusal

# By the names under which torch.save records them.
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
MAX_DIMENSIONS = 8
MAX_COUNT = 2**40  # elements, strides, steps: far beyond any file, and safe to multiply


@dataclass(eq=False)
class Storage:
    """`count` elements of one type. `data` is None until the container has found their bytes."""

    dtype: torch.dtype
    count: int
    data: memoryview | None = None

    def fill(self, data: memoryview) -> None:
        """Take the bytes, which must be exactly as many as the elements need."""
        if len(data) != self.count * self.dtype.itemsize:
            raise refusal(Cause.DAMAGED)
        self.data = data


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A view on a Storage, all of it within the storage; make one with `view`."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        return self.storage.dtype

    def read(self) -> torch.Tensor:
        """A copy in memory of its own, contiguous, on the CPU."""
        if self.storage.data is None:
            # Such tensors would show whatever the memory held before.
            raise refusal(Cause.DAMAGED)
        if 0 in self.shape:
            return torch.empty(self.shape, dtype=self.dtype)
        size = self.dtype.itemsize
        used = bytearray(self.storage.data[self.offset * size : (self._last() + 1) * size])
        flat = torch.frombuffer(used, dtype=self.dtype)
        return flat.as_strided(self.shape, self.strides).clone(memory_format=torch.contiguous_format)

    def _last(self) -> int:
        """The greatest element of the storage that the view reaches."""
        return self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )


def view(storage: object, offset: object, shape: object, strides: object) -> StoredTensor:
    """The tensor that a file describes so; refused if it is not within its storage."""
    if type(storage) is not Storage or not is_count(offset):
        raise refusal(Cause.DAMAGED)
    if not _are_counts(shape) or not _are_counts(strides):
        raise refusal(Cause.DAMAGED)
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise refusal(Cause.DAMAGED)
    tensor = StoredTensor(storage, offset, shape, strides)
    elements = math.prod(shape)
    # A stride of 0 repeats one element: written out, 4 bytes would become gigabytes.
    if any(size > 1 and stride == 0 for size, stride in zip(shape, strides, strict=True)):
        raise refusal(Cause.DAMAGED)
    if elements > storage.count or offset > storage.count:
        raise refusal(Cause.DAMAGED)
    if elements and tensor._last() >= storage.count:
        raise refusal(Cause.DAMAGED)
    return tensor


def is_count(value: object) -> TypeGuard[int]:
    """Whether this is a whole number that can count something; True and False are none."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def _are_counts(values: object) -> TypeGuard[tuple[int, ...]]:
    return type(values) is tuple and all(is_count(value) for value in values)
