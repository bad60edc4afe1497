"""History: what an array would hold, with all but the newest numbers in a file."""

import copy
import io
import pickle
import random
import tempfile
from array import array

import pytest

from toytrain import history
from toytrain.history import History


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(history, "BLOCK", 4)


def in_memory(numbers):
    return len(numbers._newest)


@pytest.mark.parametrize("typecode", ["f", "d"])
@pytest.mark.parametrize("seed", range(5))
def test_it_holds_what_an_array_holds_whatever_is_done_to_it(typecode, seed):
    rng = random.Random(seed)
    found, expected = History(typecode), array(typecode)
    for _ in range(300):
        kind = rng.random()
        if kind < 0.5:
            found.append(number := rng.random())
            expected.append(number)
        elif kind < 0.9:
            numbers = array(typecode, [rng.random() for _ in range(rng.randrange(20))])
            found.extend(numbers)
            expected.extend(numbers)
        else:
            length = rng.randrange(len(expected) + 1)
            found.truncate(length)
            del expected[length:]
        start, stop = sorted(rng.randrange(-3, len(expected) + 3) for _ in range(2))
        assert found[start:stop] == expected[start:stop]
        assert found[::-2] == expected[::-2]
        assert len(found) == len(expected)
        assert in_memory(found) < 3 * history.BLOCK + 20
    assert found == expected == array(typecode, found)
    assert found.tobytes() == expected.tobytes()
    assert found.tolist() == expected.tolist()


def test_single_numbers_and_ends():
    numbers = History("d", range(100))
    assert (numbers[0], numbers[50], numbers[-1]) == (0, 50, 99)
    with pytest.raises(IndexError):
        numbers[100]
    assert numbers[90:10] == array("d")


def test_ten_thousand_numbers_leave_no_more_in_memory_than_ten():
    numbers = History("f")
    for number in range(10_000):
        numbers.append(number)
        assert in_memory(numbers) <= 2 * history.BLOCK
    assert numbers.tolist() == list(range(10_000))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda numbers: pickle.loads(pickle.dumps(numbers))])
def test_a_copy_goes_its_own_way(copied):
    one = History("d", range(50))
    other = copied(one)
    other.append(7)
    one.extend([1, 2])
    assert other.tolist() == [*range(50), 7]
    assert one.tolist() == [*range(50), 1, 2]


def test_where_no_file_can_be_had_nothing_is_lost(monkeypatch):
    def refuse(**settings):
        raise OSError("too many open files")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert History("f", range(100)).tolist() == list(range(100))


def test_a_disk_that_is_full_halfway_loses_nothing(monkeypatch):
    class Disk(io.BytesIO):
        room = 200

        def write(self, data):
            if self.tell() + len(data) > self.room:
                if self.tell() >= self.room:
                    raise OSError("no space left on device")
                data = data[: self.room - self.tell()]  # as a real one does: a part of it
            return super().write(data)

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **settings: Disk())
    numbers = History("d")
    for number in range(100):
        numbers.append(number)
    assert numbers.tolist() == list(range(100))
