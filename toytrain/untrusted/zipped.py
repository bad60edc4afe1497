"""PyTorch's file format since 1.6: a zip archive, read as torch.save writes it and in no other way.

    root/data.pkl      the pickle of the saved object
    root/data/0, ...   the bytes of each storage
    root/version, ...  a few short notes of PyTorch's

Zip leaves much open that only trickery needs: two directories, records under one name or over one
another, sizes said twice and differently, folders with content, compression. Readers differ on
these. Here the records must lie one after the other from the first byte to the directory, each
header must say what the directory says, and every checksum is computed.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from .pickled import PickleReader
from .refusals import ANOTHER_MACHINE, SAVE, Cause, refusal
from .tensors import DTYPES, Storage

MAX_RECORDS = 1_000  # an honest file of this app's largest network has about 130

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
DESCRIPTOR = struct.Struct("<4s3I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR64 = struct.Struct("<4sIQI")

# What a name begins with in archives of PyTorch's that hold programs, not a state_dict.
PROGRAMS = ("constants.pkl", "code/", ".data/extern_modules", "archive_format", "models/")
# One of these is in each archive of PyTorch's: a saved object, a package, an export.
MARKS = (b"/data.pkl", b"/.data/version", b"/archive_format")
NOTES = {"version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}

HAS_DESCRIPTOR, IS_UTF8 = 0x8, 0x800


@dataclass(frozen=True)
class _Entry:
    """A record as the directory describes it."""

    name: bytes
    version: int  # that a reader needs
    flags: int
    method: int
    checksum: int
    packed: int  # bytes in the file
    size: int  # bytes unpacked
    extras: int  # bytes of anything else that the directory says of it
    disk: int
    attributes: int
    offset: int


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\3\4", b"PK\5\6")


def read(data: bytes) -> object:
    """The saved object of a zip archive. Raises a ToytrainError with its Cause."""
    if b"PK\5\6" in data and not any(mark in data for mark in MARKS):
        raise refusal(Cause.FOREIGN)  # a whole archive of pictures, documents, ...
    directory, count = _find_directory(data)
    entries = list(_entries(data[directory.start : directory.stop], count))
    names = _names(entries)
    records = _records(data, entries, names, directory.start)
    if bytes(records.get("byteorder", b"little")) != b"little":
        raise refusal(Cause.OTHER, ANOTHER_MACHINE)
    return _object(records)


def _object(records: dict[str, memoryview]) -> object:
    """What data.pkl says, its storages found among the records; each of them must be used."""
    storages: dict[str, Storage] = {}

    def find(kind: str, key: str, count: int) -> Storage:
        if key not in storages:
            if f"data/{key}" not in records:
                raise refusal(Cause.DAMAGED)
            storages[key] = Storage(DTYPES[kind], count)
            storages[key].fill(records[f"data/{key}"])
        if (storages[key].dtype, storages[key].count) != (DTYPES[kind], count):
            raise refusal(Cause.DAMAGED)
        return storages[key]

    pickle = records["data.pkl"]
    reader = PickleReader(pickle, find)
    value = reader.read()
    if reader.position != len(pickle):
        raise refusal(Cause.DAMAGED)
    if len(storages) != sum(name.startswith("data/") for name in records):
        raise refusal(Cause.DAMAGED)
    return value


def _find_directory(data: bytes) -> tuple[range, int]:
    """Where the directory lies and how many entries it has, as the end of the file says."""
    end = len(data) - END.size
    if end < 0:
        raise refusal(Cause.DAMAGED)
    signature, disk, start_disk, here, count, size, start, comment = END.unpack_from(data, end)
    # The end record is the very last thing: behind a comment another directory could be meant.
    if signature != b"PK\5\6" or comment or disk or start_disk or here != count:
        raise refusal(Cause.DAMAGED)
    if count > MAX_RECORDS:
        raise refusal(Cause.BIG)
    last = _check_end64(data, end, count, size, start)
    if start + size != last:
        raise refusal(Cause.DAMAGED)
    return range(start, last), count


def _check_end64(data: bytes, end: int, count: int, size: int, start: int) -> int:
    """Where the directory must end: torch.save adds the end once more for large files, saying the same."""
    locator = end - LOCATOR64.size
    if locator < 0 or data[locator : locator + 4] != b"PK\6\7":
        return end
    position = locator - END64.size
    if position < 0 or LOCATOR64.unpack_from(data, locator)[1:] != (0, position, 1):
        raise refusal(Cause.DAMAGED)
    signature, length, _, _, *numbers = END64.unpack_from(data, position)
    if signature != b"PK\6\6" or length != END64.size - 12:
        raise refusal(Cause.DAMAGED)
    if numbers != [0, 0, count, count, size, start]:
        raise refusal(Cause.DAMAGED)
    return position


def _entries(directory: bytes, count: int) -> Iterator[_Entry]:
    """The directory's entries: as many as were told, and nothing behind them."""
    position = 0
    for _ in range(count):
        if position + CENTRAL.size > len(directory):
            raise refusal(Cause.DAMAGED)
        (signature, _, version, flags, method, _, _, checksum, packed, size, name_length, extra, comment,
         disk, internal, external, offset) = CENTRAL.unpack_from(directory, position)  # fmt: skip
        position += CENTRAL.size
        name = directory[position : position + name_length]
        position += name_length + extra + comment
        if signature != b"PK\1\2" or position > len(directory):
            raise refusal(Cause.DAMAGED)
        yield _Entry(name, version, flags, method, checksum, packed, size, extra + comment, disk,
                     internal | external, offset)  # fmt: skip
    if position != len(directory):
        raise refusal(Cause.DAMAGED)


def _names(entries: list[_Entry]) -> list[str]:
    """Each entry's name within the one folder that holds all; refused if it is not PyTorch's."""
    roots, names = set(), []
    for entry in entries:
        try:
            root, _, name = entry.name.decode().partition("/")
        except UnicodeDecodeError:
            raise refusal(Cause.FOREIGN) from None
        roots.add(root)
        names.append(name)
    if any(name.startswith(PROGRAMS) for name in names):
        raise refusal(
            Cause.OTHER,
            f"This file holds a program for PyTorch (TorchScript or an export), no state_dict; save {SAVE}.",
        )
    if "data.pkl" not in names:
        raise refusal(Cause.FOREIGN)
    if any(entry.method for entry in entries):
        raise refusal(
            Cause.DAMAGED, "This checkpoint was packed once more; take the file as torch.save wrote it."
        )
    if len(roots) != 1 or len(set(names)) != len(names) or not all(_is_known(name) for name in names):
        raise refusal(Cause.DAMAGED)
    return names


def _is_known(name: str) -> bool:
    folder, _, key = name.partition("/")
    is_storage = folder == "data" and key.isascii() and key.isdecimal() and len(key) <= 20
    return name == "data.pkl" or name in NOTES or is_storage


def _records(data: bytes, entries: list[_Entry], names: list[str], end: int) -> dict[str, memoryview]:
    """The bytes of each record, in the order of the file: from the first byte to the directory."""
    records: dict[str, memoryview] = {}
    position = 0
    for entry, name in sorted(zip(entries, names, strict=True), key=lambda pair: pair[0].offset):
        if entry.offset != position:
            raise refusal(Cause.DAMAGED)
        _check_entry(entry)
        start = _check_local(data, entry)
        records[name] = memoryview(data)[start : start + entry.size]
        position = _check_descriptor(data, entry, start + entry.size)
        if position > end or zlib.crc32(records[name]) != entry.checksum:
            raise refusal(Cause.DAMAGED)
    if position != end:
        raise refusal(Cause.DAMAGED)
    return records


def _check_entry(entry: _Entry) -> None:
    """Nothing that torch.save never writes: encryption, folders, attributes, disks."""
    if entry.packed != entry.size or entry.flags & ~(HAS_DESCRIPTOR | IS_UTF8):
        raise refusal(Cause.DAMAGED)
    if entry.attributes or entry.disk or entry.extras:
        raise refusal(Cause.DAMAGED)


def _check_local(data: bytes, entry: _Entry) -> int:
    """Where the record's bytes begin. Its header must say what the directory says."""
    if entry.offset + LOCAL.size > len(data):
        raise refusal(Cause.DAMAGED)
    (signature, version, flags, method, _, _, checksum, packed, size, name_length,
     padding) = LOCAL.unpack_from(data, entry.offset)  # fmt: skip
    said_later = bool(entry.flags & HAS_DESCRIPTOR)
    expected = (0, 0, 0) if said_later else (entry.checksum, entry.packed, entry.size)
    if signature != b"PK\3\4" or (checksum, packed, size) != expected:
        raise refusal(Cause.DAMAGED)
    if (version, flags, method) != (entry.version, entry.flags, entry.method):
        raise refusal(Cause.DAMAGED)
    start = entry.offset + LOCAL.size + name_length
    if data[entry.offset + LOCAL.size : start] != entry.name:
        raise refusal(Cause.DAMAGED)
    # PyTorch pads with an extra field, so that a storage begins at a multiple of 64.
    if padding and data[start : start + 2] != b"FB":
        raise refusal(Cause.DAMAGED)
    return start + padding


def _check_descriptor(data: bytes, entry: _Entry, position: int) -> int:
    """Where the record ends: behind the checksum and sizes that PyTorch repeats after the bytes."""
    if not entry.flags & HAS_DESCRIPTOR:
        return position
    said = b"PK\7\x08", entry.checksum, entry.packed, entry.size
    if data[position : position + DESCRIPTOR.size] != DESCRIPTOR.pack(*said):
        raise refusal(Cause.DAMAGED)
    return position + DESCRIPTOR.size
