"""The bytes that a live view reads: what goes in comes out, and a browser can view it where it lies."""

import json
import struct
from array import array

import pytest

from toytrain.engine.frame import ITEM_SIZES, decode, encode

HEADER = {"step": 7, "status": "playing", "message": "lower the learning rate – 学習率", "test_loss": None}
ARRAYS = {
    "losses": ("f4", array("f", [0.75, 0.1, float("nan")]).tobytes()),
    "tests": ("f4", b""),
    "wrong": ("u1", b"\x01\x02\x03"),
    "picture": ("u1", bytes(range(250))),
    "points": ("f4", array("f", [1.5, -2.5]).tobytes()),
}

# Every remainder of the header's length by four, so that its padding is tried too.
headers = pytest.mark.parametrize("header", [{**HEADER, "pad": "x" * n} for n in range(4)])


def layout(message):
    """Where the parts lie, found as a browser finds them: header, then (name, offset, bytes)."""
    (length,) = struct.unpack("<I", message[:4])
    header = json.loads(message[4 : 4 + length].decode("utf-8"))
    offset = -(-(4 + length) // 4) * 4
    found = []
    for name, kind, count in header["arrays"]:
        size = {"f4": 4, "u1": 1}[kind] * count
        found.append((name, offset, message[offset : offset + size]))
        offset = -(-(offset + size) // 4) * 4
    return header, found, offset


@headers
def test_a_message_decodes_to_what_it_was_made_of(header):
    assert decode(encode(header, ARRAYS)) == (header, {name: data for name, (_, data) in ARRAYS.items()})


@headers
def test_a_message_of_no_arrays_decodes_to_its_header(header):
    assert decode(encode(header, {})) == (header, {})


@headers
def test_a_browser_finds_each_array_where_the_header_says(header):
    read, found, _ = layout(encode(header, ARRAYS))
    assert {name: read[name] for name in header} == header
    assert [(name, data) for name, _, data in found] == [(name, data) for name, (_, data) in ARRAYS.items()]


@headers
def test_every_array_begins_at_a_multiple_of_four(header):
    message = encode(header, ARRAYS)
    _, found, _ = layout(message)
    for name, offset, data in found:
        assert offset % 4 == 0, name
        assert message[offset : offset + len(data)] == ARRAYS[name][1]


@headers
def test_nothing_follows_the_last_array_but_its_padding(header):
    message = encode(header, ARRAYS)
    _, found, end = layout(message)
    assert end == len(message)
    _, offset, data = found[-1]
    assert not any(message[offset + len(data) :])


def test_a_list_of_arrays_handed_in_as_part_of_the_header_gives_way_to_the_real_one():
    message = encode({"arrays": [["picture", "u1", 10**9]], "step": 1}, {"wrong": ("u1", b"\x05")})
    assert decode(message) == ({"step": 1}, {"wrong": b"\x05"})


def test_a_type_that_a_browser_would_not_know_is_not_sent():
    assert set(ITEM_SIZES) == {"f4", "u1"}
    with pytest.raises(KeyError):
        encode({}, {"losses": ("f8", bytes(8))})
