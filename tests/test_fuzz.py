"""Honest files with something changed at random: accepted with equal values, or refused.

An archive has checksums, so that no change of its bytes may pass with other values. The older format
has none, and neither has a changed pickle that is packed again: there what is accepted must at
least be a run that this app can show and train.

`python tests/test_fuzz.py SEED COUNT` runs so many changes and prints how many were accepted and refused.
"""

import io
import math
import pickletools
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import corpus
import pytest
import torch
from conftest import ENVIRONMENT, same

from toytrain import Config, ToytrainError, Trainer, checkpoint

SECONDS = 0.5  # of one file
TRAIN_EVERY = 25  # of the files that pass with other values, one in so many is trained on
NUMBERS = (0, 1, 2, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
OPCODES = b"().0}]NRbctuesahjqrQKMJGX\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95\x92iodPVIFLlgp2\x82\xff"


def bases() -> dict[str, bytes]:
    """The files to change, by name; one that begins with "old" has no checksums."""
    wanted = {
        "the book's model.pth": "bare",
        "the older format": "old bare",
        "a training checkpoint": "wrapped",
        "weights of torch.float16": "half",
        "full: adam": "full",
        "full: batch norm and dropout": "full with batch norm",
        "full: older format": "old full",
        "full: the engine's, without history": "full without history",
    }
    found = {wanted[case.name]: case.data for case in corpus.honest() if case.name in wanted}
    normed = next(case.model for case in corpus.honest() if case.name == "batch norm")
    momentum = torch.load(
        io.BytesIO(corpus.whole(momentum=0.9, batch_norm=True, batch_size=30, drop_last=True))
    )
    return found | {"old bare with batch norm": corpus.saved_legacy(normed.state_dict()),
                    "old full with momentum": corpus.saved_legacy(momentum)}  # fmt: skip


# Changes of bytes


def flip(rng: random.Random, data: bytes, _) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_byte(rng: random.Random, data: bytes, _) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] = rng.choice((0, 1, 0x2E, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(changed)


def set_number(rng: random.Random, data: bytes, _) -> bytes:
    size = rng.choice((2, 4, 8))
    value = rng.choice(NUMBERS) % 2 ** (8 * size)
    at = rng.randrange(len(data) - size)
    return data[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


def cut(rng: random.Random, data: bytes, _) -> bytes:
    start = rng.randrange(len(data))
    if rng.random() < 0.5:
        return data[:start]
    return data[:start] + data[start + rng.choice((1, 2, 16, 100, 1000)) :]


def splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    size = rng.choice((1, 4, 30, 200, 2000))
    start, at = rng.randrange(len(other)), rng.randrange(len(data))
    taken = other[start : start + size]
    return data[:at] + taken + data[at + (len(taken) if rng.random() < 0.5 else 0) :]


def cross(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


# Changes of opcodes, packed again with fitting checksums


def reword(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, pickle_ = _pickle_of(data)
    operations = _operations(pickle_)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(1, len(operations))
        _CHANGES[rng.randrange(len(_CHANGES))](rng, operations, at)
    changed = b"".join(operations)
    if start is not None:
        return data[:start] + changed + data[start + len(pickle_) :]
    records = corpus.records_of(data)
    return corpus.archive([replace(records[0], content=changed), *records[1:]])


def change_storage(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Other numbers in one storage, and the checksum that fits them."""
    if not data.startswith(b"PK"):
        return set_number(rng, data, other)
    records = corpus.records_of(data)
    at = rng.choice(
        [n for n, record in enumerate(records) if b"/data/" in record.name and len(record.content) > 8]
    )
    records[at] = replace(
        records[at], content=rng.choice((flip, set_number, set_byte))(rng, records[at].content, b"")
    )
    return corpus.archive(records)


def _pickle_of(data: bytes) -> tuple[int | None, bytes]:
    """The pickle of a file's object, and where it begins in a file of the older format."""
    if data.startswith(b"PK"):
        return None, corpus.records_of(data)[0].content
    stream = io.BytesIO(data)
    for _ in range(3):
        list(pickletools.genops(stream))
    start = stream.tell()
    list(pickletools.genops(stream))
    return start, data[start : stream.tell()]


def _operations(pickle_: bytes) -> list[bytes]:
    starts = [position for _, _, position in pickletools.genops(pickle_)]
    return [pickle_[start:end] for start, end in zip(starts, [*starts[1:], len(pickle_)], strict=True)]


def _drop(rng, operations, at):
    del operations[at]


def _repeat(rng, operations, at):
    operations.insert(at, operations[at])


def _swap(rng, operations, at):
    other = rng.randrange(len(operations))
    operations[at], operations[other] = operations[other], operations[at]


def _copy(rng, operations, at):
    operations[at] = rng.choice(operations)


def _insert(rng, operations, at):
    operations.insert(at, bytes([rng.choice(OPCODES)]))


def _count(rng, operations, at):
    """Another number: of a size, an offset, a stride, an element count, a step."""
    numbers = [n for n, operation in enumerate(operations) if operation[:1] in b"KMJ"]
    operations[rng.choice(numbers)] = corpus.number(rng.choice((*NUMBERS, -1, 3, 7, 30, 600)))


def _float(rng, operations, at):
    numbers = [n for n, operation in enumerate(operations) if operation[:1] == b"G"]
    if numbers:
        value = rng.choice((math.nan, math.inf, -1.0, 0.0, 1e-300, 0.5, 1e300))
        operations[rng.choice(numbers)] = b"G" + corpus.struct.pack(">d", value)


def _text(rng, operations, at):
    texts = [n for n, operation in enumerate(operations) if operation[:1] == b"X"]
    word = rng.choice(
        ("", "cpu", "0", "1", "format", "toytrain", "config", "layers.0.weight", "x" * 300, "é\n", "1" * 40)
    )
    operations[rng.choice(texts)] = corpus.text(word)


def _recall(rng, operations, at):
    operations[at] = b"h" + bytes([rng.randrange(256)])


_CHANGES = (_drop, _repeat, _swap, _copy, _insert, _count, _count, _float, _text, _recall)
CHANGES = (flip, flip, set_byte, set_number, cut, splice, cross, reword, reword, reword, change_storage)


# What may come of them


def contents(snapshot) -> dict:
    """Everything in a Snapshot that came from its file."""
    names = ("config", "weights", "optimizer_state", "random_state", "epoch_random_state", "steps", "epoch",
             "batch", "learning_rate", "learning_rates", "loss_history", "test_history", "diverged",
             "notes")  # fmt: skip
    return {name: getattr(snapshot, name) for name in names}


def check_is_valid(snapshot, trains: bool) -> None:
    """Whatever it is, it is within what the app permits and can show; `trains`: and can go on."""
    assert Config.from_dict(snapshot.config.to_dict()) == snapshot.config
    own = snapshot.model.state_dict()
    assert list(snapshot.weights) == list(own)
    for key, tensor in snapshot.weights.items():
        assert (tensor.shape, tensor.dtype) == (own[key].shape, own[key].dtype)
        assert tensor.isfinite().all()
    assert len(snapshot.loss_history) in (0, snapshot.steps)
    assert all(map(math.isfinite, snapshot.loss_history))
    assert snapshot.steps == snapshot.epoch * snapshot.batches + snapshot.batch
    assert 1e-6 <= snapshot.learning_rate <= 100
    assert len(snapshot.diverged) <= 200
    assert snapshot.logits(snapshot.data.test.features).shape[1] == snapshot.task.num_outputs(
        snapshot.config.classes
    )
    if trains and snapshot.optimizer_state and not snapshot.diverged:
        with torch.random.fork_rng(devices=[]):
            trainer = Trainer.from_config(replace(snapshot.config, num_workers=0))
            trainer.restore(snapshot)
            trainer.advance(steps=1)


def main(seed: int, count: int) -> None:
    """Try `count` changes. An assertion names the change by number, which with the seed makes it again."""
    torch.set_num_threads(1)
    files = bases()
    names = sorted(files)
    honest = {name: contents(checkpoint.load(data)) for name, data in files.items()}
    watch = corpus.Watch()
    told: Counter[str] = Counter()
    slowest = 0.0
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        name, change = rng.choice(names), rng.choice(CHANGES)
        data = change(rng, files[name], files[rng.choice(names)])
        began = time.process_time()
        with watch as events:
            snapshot, answer = _load(data)
        slowest = max(slowest, seconds := time.process_time() - began)
        told[answer] += 1
        where = f"change {number} of seed {seed}: {change.__name__} of {name}"
        assert not events, f"{where}: {events}"
        assert seconds < SECONDS, f"{where}: {seconds} s"
        if snapshot is None:
            continue
        if same(contents(snapshot), honest[name]):
            told["accepted with equal values"] += 1
            continue
        packed_again = change in (reword, change_storage)
        spliced = any(same(contents(snapshot), other) for other in honest.values())
        assert packed_again or spliced or name.startswith("old"), f"{where}: accepted with other values"
        told["accepted with other, permitted values"] += 1
        try:
            check_is_valid(snapshot, told["accepted with other, permitted values"] % TRAIN_EVERY == 0)
        except Exception as error:
            raise AssertionError(f"{where}: accepted, but {error!r}") from error
    print(f"slowest {slowest:.3f} s; " + ", ".join(f"{many} {answer}" for answer, many in told.most_common()))


def _load(data: bytes):
    """The Snapshot or None, and what was said."""
    try:
        return checkpoint.load(data), corpus.ACCEPTED
    except ToytrainError as error:
        # A failure of the reader itself is made a refusal too, and is a bug.
        is_refusal = error.code and type(error.__cause__) in (type(None), ToytrainError)
        if not is_refusal:
            raise
        return None, error.code


def fuzz(seed: int, count: int, timeout: float) -> None:
    """In a process of its own: what freezes or crashes it is a failed test."""
    done = subprocess.run(
        [sys.executable, __file__, str(seed), str(count)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)


def test_600_changed_files_are_accepted_as_they_were_or_refused():
    fuzz(seed=1, count=600, timeout=120)


@pytest.mark.slow
def test_20_000_changed_files_are_accepted_as_they_were_or_refused():
    fuzz(seed=2, count=20_000, timeout=900)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
