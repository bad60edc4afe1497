"""Frame: what a live view gets to see of a run, as typed bytes.

A message is the length of its header (uint32), the header (JSON), zeros up to a multiple of four,
then the arrays that header["arrays"] lists as [name, type, length], each padded to a multiple of
four. Types are f4 (float32) and u1 (uint8), little-endian: a browser views them without a copy.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

ITEM_SIZES = {"f4": 4, "u1": 1}
Array = tuple[str, bytes]  # type and content
FIGURES = "figures"  # the view that everybody has: losses and scores in the header


@dataclass(frozen=True)
class Frame:
    """One look at a run: where it stands, and what is new since the last Frame.

    `header` holds step, epoch, batch, batches, samples, rate (steps per second), status,
    message, slowed_by (how many runs share the process, where that slows the frames; else 0),
    learning_rate, and where somebody looked train_loss, test_loss, train_score, test_score. `views`
    holds the arrays, by name, of each view that somebody looks at (see views.py). `losses` are float32
    from index `losses_from` on; `tests` rows of three float64 (step, loss, score) from row `tests_from`
    on. `checkpoint`, where present, is what the run can be brought back from: a full checkpoint without
    losses and tests.
    """

    header: dict[str, Any]
    losses_from: int = 0
    losses: bytes = b""
    tests_from: int = 0
    tests: bytes = b""
    views: dict[str, dict[str, Array]] = field(default_factory=dict, repr=False)
    checkpoint: bytes | None = field(default=None, repr=False)


def encode(header: dict[str, Any], arrays: dict[str, Array]) -> bytes:
    """One message of a header and named arrays of (type, bytes)."""
    listed = [[name, kind, len(data) // ITEM_SIZES[kind]] for name, (kind, data) in arrays.items()]
    text = json.dumps({**header, "arrays": listed}, separators=(",", ":")).encode()
    parts = [struct.pack("<I", len(text)), text]
    for data in (text, *(data for _, data in arrays.values())):
        if data is not text:
            parts.append(data)
        parts.append(bytes(-len(data) % 4))
    return b"".join(parts)


def decode(message: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The header and the arrays of a message, as `encode` was given them."""
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    at = 4 + length + -length % 4
    arrays = {}
    for name, kind, count in header.pop("arrays"):
        size = count * ITEM_SIZES[kind]
        arrays[name] = message[at : at + size]
        at += size + -size % 4
    return header, arrays
