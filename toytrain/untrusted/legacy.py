"""PyTorch's first file format (before 1.6, and today with _use_new_zipfile_serialization=False).

Five pickles one after the other: a magic number, the format's version, what machine wrote it, the
saved object, and the list of the storages' keys. Then for each key, in that order, the number of
elements (8 bytes) and their bytes. There are no checksums: a changed weight cannot be noticed.
"""

from .pickled import PickleReader
from .refusals import ANOTHER_MACHINE, SAVE, Cause, refusal
from .tensors import DTYPES, Storage

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
PROTO = 0x80


def is_pickle(data: bytes) -> bool:
    """Whether the bytes look like a pickle: one that begins with PROTO, or one of the oldest kind that
    begins with a name or a mark and ends with a call."""
    return data[0] == PROTO or (data[:1] in b"c(" and data.endswith((b"R.", b"o.", b"b.", b"\n.")))


def read(data: bytes) -> object:
    """The saved object. Raises a ToytrainError, whose code is OTHER for a pickle without PyTorch's magic."""
    storages: dict[str, Storage] = {}
    reader = PickleReader(data, lambda kind, key, count: _find(storages, kind, key, count))
    if reader.read() != MAGIC:
        raise refusal(Cause.OTHER, f"This file was written by pickle, not by torch.save; save {SAVE}.")
    if reader.read() != VERSION:
        raise refusal(Cause.DAMAGED)
    machine = reader.read()
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise refusal(Cause.OTHER, ANOTHER_MACHINE)
    value = reader.read()
    keys = reader.read()
    _fill(storages, keys, memoryview(data)[reader.position :])
    return value


def _find(storages: dict[str, Storage], kind: str, key: str, count: int) -> Storage:
    """The storage of that key, whose bytes come later; each mention of it must agree with the first."""
    storage = storages.setdefault(key, Storage(DTYPES[kind], count))
    if (storage.dtype, storage.count) != (DTYPES[kind], count):
        raise refusal(Cause.DAMAGED)
    return storage


def _fill(storages: dict[str, Storage], keys: object, rest: memoryview) -> None:
    """Give every storage its bytes. None may be left without, and no byte may be left over."""
    if type(keys) is not list or any(type(key) is not str for key in keys):
        raise refusal(Cause.DAMAGED)
    if len(keys) != len(storages) or set(keys) != storages.keys():
        raise refusal(Cause.DAMAGED)
    position = 0
    for key in keys:
        storage = storages[key]
        start = position + 8
        if int.from_bytes(rest[position:start], "little") != storage.count:
            raise refusal(Cause.DAMAGED)
        position = start + storage.count * storage.dtype.itemsize
        storage.fill(rest[start:position])
    if position != len(rest):
        raise refusal(Cause.DAMAGED)
