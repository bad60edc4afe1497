"""Files to upload: what honest students save, and what nobody should be able to do with a file.

`honest()` and `hostile(canary)` build them afresh, each with the answer that is expected: ACCEPTED or
a code of `untrusted.Cause`. Whatever a hostile file would run makes a folder named `canary`.

Hostile pickles are put together opcode by opcode, and archives record by record, because neither
pickle nor zipfile would write them.
"""

import io
import json
import pickle
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.package
from torch import nn

from toytrain import Config, Trainer, checkpoint
from toytrain.untrusted import MAX_BYTES

ACCEPTED = "accepted"


@dataclass(frozen=True)
class Case:
    """A file, what `checkpoint.load` must say to it, and of an honest bare one the model that it is of."""

    name: str
    data: bytes
    expected: str
    model: nn.Module | None = None


class Watch:
    """Notes, within a with block, what a loading file must not make Python do: by audit events, with which
    Python itself reports an import, an opened file or a started program. It cannot be taken off again."""

    FORBIDDEN = ("compile", "ctypes.", "exec", "import", "open", "os.", "pickle.", "shutil.", "socket.",
                 "subprocess.")  # fmt: skip

    def __init__(self):
        self.events: list[str] = []
        self._looks = False
        sys.addaudithook(self._note)

    def _note(self, event: str, _) -> None:
        if self._looks and event.startswith(self.FORBIDDEN):
            self.events.append(event)

    def __enter__(self) -> list[str]:
        self.events = []
        self._looks = True
        return self.events

    def __exit__(self, *_) -> None:
        self._looks = False


# Writing files


def saved(value, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def saved_legacy(value, **options) -> bytes:
    return saved(value, _use_new_zipfile_serialization=False, **options)


@dataclass
class Record:
    """A record of an archive. The dicts replace fields of its two headers, by name."""

    name: bytes
    content: bytes
    central: dict | None = None
    local: dict | None = None
    alignment: int = 64


def archive(records: list[Record], end: dict | None = None, comment: bytes = b"", gap: bytes = b"") -> bytes:
    """A zip archive laid out as torch.save lays it out, but for what is asked to be different."""
    out, directory = bytearray(), bytearray()
    for record in records:
        offset = len(out)
        fields = {"version": 0, "flags": 0x808, "method": 0, "crc": zlib.crc32(record.content),
                  "packed": len(record.content), "size": len(record.content),
                  "name": record.name}  # fmt: skip
        local = fields | {"crc": 0, "packed": 0, "size": 0} | (record.local or {})
        start = offset + 30 + len(local["name"]) + 4
        padding = -start % record.alignment
        out += struct.pack("<4s5H3I2H", b"PK\3\4", local["version"], local["flags"], local["method"], 0, 0,
                           local["crc"], local["packed"], local["size"], len(local["name"]),
                           padding + 4)  # fmt: skip
        out += local["name"] + struct.pack("<2sH", b"FB", padding) + b"Z" * padding + record.content
        out += struct.pack("<4s3I", b"PK\7\x08", fields["crc"], fields["packed"], fields["size"]) + gap
        central = fields | {"extra": b"", "comment": b"", "disk": 0, "attributes": 0, "offset": offset}
        central |= record.central or {}
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 0, central["version"], central["flags"], central["method"], 0, 0,
            central["crc"], central["packed"], central["size"], len(central["name"]), len(central["extra"]),
            len(central["comment"]), central["disk"], 0, central["attributes"], central["offset"],
        )  # fmt: skip
        directory += central["name"] + central["extra"] + central["comment"]
    told = {"count": len(records), "size": len(directory), "start": len(out), "disk": 0}
    told64 = told | {key[:-2]: value for key, value in (end or {}).items() if key.endswith("64")}
    told |= {key: value for key, value in (end or {}).items() if not key.endswith("64")}
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0, 45, told64["disk"], 0, told64["count"],
                        told64["count"], told64["size"], told64["start"])  # fmt: skip
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(out) + len(directory), 1)
    last = struct.pack("<4s4H2IH", b"PK\5\6", told["disk"], told["disk"], told["count"], told["count"],
                       told["size"], told["start"], len(comment))  # fmt: skip
    return bytes(out + directory + end64 + locator + last + comment)


def records_of(data: bytes) -> list[Record]:
    """The records of an archive that torch.save has written."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return [Record(info.filename.encode(), file.read(info)) for info in file.infolist()]


def zipped(body: bytes, *storages: bytes, protocol: int = 2, **options) -> bytes:
    """An archive with these opcodes as its pickle, and these bytes as data/0, data/1, ..."""
    records = [Record(b"archive/data.pkl", b"\x80" + bytes([protocol]) + body + b".")]
    records += [Record(b"archive/data/%d" % number, content) for number, content in enumerate(storages)]
    return archive([*records, Record(b"archive/version", b"3\n")], **options)


def legacy(body: bytes, keys: object = (), rest: bytes = b"", magic: bytes | None = None) -> bytes:
    """A file of the older format with these opcodes as its object."""
    machine = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    first = magic or pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    parts = [first, pickle.dumps(1001, 2), pickle.dumps(machine, 2), b"\x80\x02" + body + b"."]
    return b"".join([*parts, pickle.dumps(list(keys), 2), rest])


# Writing opcodes


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def tupled(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def dictionary(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def storage(key: str, count: int, kind: str = "FloatStorage") -> bytes:
    return tupled(text("storage"), named("torch", kind), text(key), text("cpu"), number(count)) + b"Q"


def tensor(stored: bytes, shape: tuple, strides: tuple, offset: int = 0) -> bytes:
    hooks = named("collections", "OrderedDict") + b")R"
    arguments = (stored, number(offset), tupled(*map(number, shape)), tupled(*map(number, strides)))
    return named("torch._utils", "_rebuild_tensor_v2") + tupled(*arguments, b"\x89", hooks) + b"R"


def state(**tensors: bytes) -> bytes:
    """A state_dict's opcodes: name_part -> name.part."""
    return dictionary(**{key.replace("_", "."): value for key, value in tensors.items()})


def small_state(first: bytes) -> bytes:
    """A 2-3-2 network whose first weight (3, 2) is given; the others share storage 1 of six numbers."""
    six = storage("1", 6)
    return state(fc1_weight=first, fc1_bias=tensor(six, (3,), (1,)),
                 fc2_weight=tensor(six, (2, 3), (3, 1)), fc2_bias=tensor(six, (2,), (1,)))  # fmt: skip


SIX = bytes(24)


# Honest files


class Book(nn.Module):
    """The book's class (section A.5)."""

    def __init__(self, num_inputs=2, num_outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(num_inputs, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(),
                                    nn.Linear(20, num_outputs))  # fmt: skip

    def forward(self, x):
        return self.layers(x)


class Named(nn.Module):
    """Layers as attributes, in the given order; they are applied in the order of `path`."""

    def __init__(self, path: str, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.path = path.split()

    def forward(self, x):
        for name in self.path:
            x = torch.relu(x) if name == "relu" else getattr(self, name)(x)
        return x


class Listed(nn.Module):
    """A ModuleList: layers are numbered without a gap, the activation is a function."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 7), nn.Linear(7, 5), nn.Linear(5, 3)])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def chain(*widths: int, between=lambda width: [nn.ReLU()]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, width in pairwise(widths):
        layers += [nn.Linear(before, width), *between(width)]
    return nn.Sequential(*layers[: -len(between(1))])


def normed(*widths: int) -> nn.Sequential:
    model = chain(*widths, between=lambda width: [nn.BatchNorm1d(width), nn.ReLU()])
    for _ in range(3):
        model(torch.randn(16, widths[0]))  # so that the running statistics are not the initial ones
    return model.eval()


def prefixed(model: nn.Module, prefix: str) -> dict:
    return {prefix + key: tensor for key, tensor in model.state_dict().items()}


def trained(steps: int = 20, **settings) -> Trainer:
    with torch.random.fork_rng(devices=[]):
        trainer = Trainer.from_config(Config(**({"points": 100, "hidden": (6, 4)} | settings)))
        trainer.advance(steps=steps)
    return trainer


def whole(steps: int = 20, **settings) -> bytes:
    with torch.random.fork_rng(devices=[]):
        return checkpoint.save(trained(steps, **settings).snapshot())


def honest() -> list[Case]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return [*_bare_files(), *_full_files()]


def _bare_files() -> Iterator[Case]:
    def case(name, data, model):
        return Case(name, data, ACCEPTED, model)

    book, plain = Book(), chain(2, 8, 2)
    yield case("the book's model.pth", saved(book.state_dict()), book)
    yield case("the older format", saved_legacy(book.state_dict()), book)
    for protocol in (3, 4, 5):
        yield case(f"protocol {protocol}", saved(book.state_dict(), pickle_protocol=protocol), book)
    yield case("older format, protocol 4", saved_legacy(book.state_dict(), pickle_protocol=4), book)
    yield case("a plain dict", saved(dict(book.state_dict())), book)
    yield case("ten classes", saved((model := Book(2, 10)).state_dict()), model)
    yield case("three inputs", saved((model := Book(3, 2)).state_dict()), model)
    yield case("seven inputs", saved((model := Book(7, 5)).state_dict()), model)
    yield case("one input", saved((model := chain(1, 4, 2)).state_dict()), model)
    yield case("one output", saved((model := chain(2, 4, 1)).state_dict()), model)
    yield case("six hidden layers", saved((model := chain(2, 64, 1, 9, 8, 7, 64, 3)).state_dict()), model)
    yield case("a bare Sequential", saved(plain.state_dict()), plain)
    yield case("a ModuleList", saved((model := Listed()).state_dict()), model)
    layers = {"fc1": nn.Linear(2, 9), "fc2": nn.Linear(9, 9), "out": nn.Linear(9, 4)}
    yield case(
        "fc1, fc2, out", saved((model := Named("fc1 relu fc2 relu out", **layers)).state_dict()), model
    )
    layers = {"fc3": nn.Linear(6, 2), "fc2": nn.Linear(6, 6), "fc1": nn.Linear(2, 6)}
    model = Named("fc1 relu fc2 relu fc3", **layers)
    yield case("numbers out of order", saved(model.state_dict()), model)
    layers = {"fc1": nn.Linear(2, 5), "fc2": nn.Linear(5, 2), "bn1": nn.BatchNorm1d(5)}
    model = Named("fc1 bn1 relu fc2", **layers).eval()
    yield case("batch norm by name", saved(model.state_dict()), model)
    yield case("batch norm", saved((model := normed(2, 8, 6, 2)).state_dict()), model)
    model = chain(2, 6, 5, 2, between=lambda width: [nn.ReLU(), nn.Dropout(0.5)]).eval()
    yield case("dropout", saved(model.state_dict()), model)
    between = lambda width: [nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3)]  # noqa: E731
    yield case("both", saved((model := chain(2, 6, 5, 2, between=between).eval()).state_dict()), model)
    for prefix in ("module.", "_orig_mod.", "model.", "module._orig_mod.model."):
        yield case(f"prefix {prefix}", saved(prefixed(book, prefix)), book)
    model = Book()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    around = {"epoch": 3, "model_state_dict": model.state_dict(), "loss": torch.tensor(0.5),
              "optimizer_state_dict": optimizer.state_dict()}  # fmt: skip
    yield case("a training checkpoint", saved(around), model)
    yield case("a training checkpoint, older format", saved_legacy(around), model)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    beside = {"scheduler": schedule.state_dict(), "device": torch.device("cuda", 0), "state": 2**128 - 1}
    yield case("a schedule, a device and a long number beside", saved({**around, **beside}), model)
    yield case("a model's name beside", saved({"model": "mlp", "state_dict": model.state_dict()}), model)
    yield case("wrapped as state_dict", saved({"state_dict": prefixed(book, "model.")}), book)
    yield case("wrapped as model", saved({"model": book.state_dict(), "args": {"lr": 0.1}}), book)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        model = chain(2, 8, 2).to(dtype)
        data = saved(model.state_dict())
        yield case(f"weights of {dtype}", data, model.to(torch.float32))
    yield case("parameters", saved(dict(plain.named_parameters())), plain)
    noncontiguous = {key: value.t().contiguous().t() for key, value in plain.state_dict().items()}
    yield case("strides", saved(noncontiguous), plain)
    types = (torch.float64, torch.float16, torch.bfloat16, torch.float32)
    mixed = {
        key: value.to(dtype) for (key, value), dtype in zip(plain.state_dict().items(), types, strict=True)
    }
    model = chain(2, 8, 2)
    model.load_state_dict(mixed)
    yield case("weights of four types", saved_legacy(mixed), model)
    numbers = torch.randn(100)
    shared = {"0.weight": numbers[10:14].view(2, 2), "0.bias": numbers[:2],
              "1.weight": numbers[20:24].view(2, 2), "1.bias": numbers[98:]}  # fmt: skip
    model = chain(2, 2, 2, between=lambda width: [nn.ReLU()])
    model.load_state_dict({key.replace("1.", "2."): value for key, value in shared.items()})
    yield case("views of one storage", saved(shared), model)
    yield case("views of one storage, older format", saved_legacy(shared), model)
    layers = {name: nn.Linear(2, 2) for name in ("вход", "выход")}
    model = Named("вход relu выход", **layers)
    yield case("names in other letters", saved(model.state_dict()), model)
    layers = {"encoder": nn.Sequential(nn.Linear(2, 5), nn.ReLU()), "head": nn.Linear(5, 3)}
    model = Named("encoder head", **layers)
    yield case("layers within modules", saved(prefixed(model, "_orig_mod.module.")), model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my model.v2.pth.tar"
        torch.save(plain.state_dict(), path)
        yield case("a path with blanks and dots", path.read_bytes(), plain)


def _full_files() -> Iterator[Case]:
    def case(name, data):
        return Case(name, data, ACCEPTED)

    yield case("full: untrained", whole(0))
    yield case("full: at an epoch's end", whole(6))
    for optimizer in ("sgd", "adam", "adamw", "rmsprop"):
        yield case(f"full: {optimizer}", whole(optimizer=optimizer, learning_rate=0.01, weight_decay=0.01))
    yield case("full: momentum", whole(momentum=0.9, nesterov=True))
    yield case("full: rmsprop with momentum", whole(optimizer="rmsprop", learning_rate=0.01, momentum=0.5))
    yield case(
        "full: batch norm and dropout", whole(batch_norm=True, dropout=0.2, batch_size=30, drop_last=True)
    )
    yield case("full: the book", whole(2, dataset="book", batch_size=2, drop_last=True, epochs=3))
    yield case("full: finished", whole(99, dataset="book", batch_size=2, drop_last=True, epochs=3))
    yield case("full: regression", whole(dataset="plane", features=("x1", "x2", "x1^2")))
    yield case("full: R2 of one point", whole(dataset="plane", points=10, test_fraction=0.1))
    snapshot = trained().snapshot()
    loading = replace(snapshot, config=replace(snapshot.config, num_workers=2))
    yield case("full: processes that load batches", checkpoint.save(loading))
    wide = {"hidden": (64,) * 6, "features": ("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")}
    yield case("full: the largest", whole(**wide, dataset="blobs", classes=10, points=5000, batch_norm=True,
                                          optimizer="adam", learning_rate=0.001))  # fmt: skip
    bare = checkpoint.load(checkpoint.save_weights(snapshot))
    yield case("full: made of weights alone", checkpoint.save(bare))
    kept = replace(snapshot, loss_history=array("f"), test_history=array("d"), num_tests=0)
    yield case("full: the engine's, without history", checkpoint.save(kept))
    yield case("full: older format", saved_legacy(torch.load(io.BytesIO(checkpoint.save(snapshot)))))
    diverging = trained(500, dataset="plane", learning_rate=100.0, momentum=0.9)
    yield case("full: diverged", checkpoint.save(diverging.snapshot()))
    overflown = trained(5, dataset="plane", hidden=(64,) * 5, optimizer="adam", learning_rate=100.0)
    yield case("full: squares that overflowed", checkpoint.save(overflown.snapshot()))
    overflown = trained(70, points=500, hidden=(30, 20), batch_norm=True, drop_last=True, learning_rate=50.0)
    yield case("full: a variance that overflowed", checkpoint.save(overflown.snapshot()))
    changed = trained(5)
    changed.set_learning_rate(0.5)
    changed.advance(steps=2)
    changed.set_learning_rate(0.25)
    yield case("full: a changed learning rate", checkpoint.save(changed.snapshot()))
    changed.learning_rates = {20: 0.1, **changed.learning_rates}
    yield case("full: thrown back before a change of the learning rate", checkpoint.save(changed.snapshot()))
    minus_zero = torch.load(io.BytesIO(whole(6, noise=0.0)))
    minus_zero["config"]["noise"] = -0.0
    yield case("full: noise of minus zero", saved(minus_zero))
    shortened = replace(snapshot, config=replace(snapshot.config, epochs=1))
    yield case("full: resumed with fewer epochs than were done", checkpoint.save(shortened))


# Hostile files


def hostile(canary: str) -> list[Case]:
    """Every hostile file. `canary` is the path of a folder that none of them may get made."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        groups = (_gadgets(canary), _time_bombs(), _memory_bombs(), _leaks(), _containers(),
                  _cuts_and_flips(), _other_formats(), _shapes(), _numbers(), _metadata(), _random_states(),
                  _optimizers())  # fmt: skip
        return [case for group in groups for case in group]


def _gadgets(canary: str) -> Iterator[Case]:
    """Every way in which a pickle calls something, in each place where a reader unpickles."""
    path = text(canary)
    mkdir = named("os", "mkdir")
    argument = path + b"\x85"
    styles = {
        "GLOBAL, REDUCE": mkdir + argument + b"R",
        "STACK_GLOBAL": text("os") + text("mkdir") + b"\x93" + argument + b"R",
        "INST": b"(" + path + b"ios\nmkdir\n",
        "OBJ": b"(" + mkdir + path + b"o",
        "NEWOBJ": mkdir + argument + b"\x81",
        "NEWOBJ_EX": mkdir + argument + b"}\x92",
        "BUILD": mkdir + argument + b"R}b",
        "BUILD on a dict": named("collections", "OrderedDict") + b")R" + dictionary(__class__=mkdir) + b"b",
        "EXT1": b"\x82\x01" + argument + b"R",
        "EXT2": b"\x83\x01\x00" + argument + b"R",
        "EXT4": b"\x84\x01\x00\x00\x00" + argument + b"R",
        "PERSID": b"Pos.mkdir\n",
        "BINPERSID of a text": path + b"Q",
        "BINPERSID of a module": tupled(text("module"), mkdir, text("x.py"), path) + b"Q",
        "BINPERSID with a function": tupled(text("storage"), mkdir, text("0"), path, number(1)) + b"Q",
        "memoised": mkdir + b"q\x000h\x00" + argument + b"R",
        "dotted name": text("collections") + text("OrderedDict.fromkeys") + b"\x93" + argument + b"R",
        "name of torch's os": named("torch.serialization", "os.mkdir") + argument + b"R",
        "eval": named("builtins", "eval") + text(f"__import__('os').mkdir({canary!r})") + b"\x85R",
        "Python 2's exec": named("__builtin__", "exec") + text(f"import os; os.mkdir({canary!r})") + b"\x85R",
        "getattr": named("builtins", "getattr") + tupled(named("builtins", "dict"), text("get")) + b"R",
        "pickle in a pickle": named("pickle", "loads") + b"C\x01.\x85R",
        "storage from bytes": named("torch.storage", "_load_from_bytes") + b"C\x01.\x85R",
        "torch.load": named("torch", "load") + argument + b"R",
        "torch.hub": named("torch.hub", "load") + argument + b"R",
        "partial": named("functools", "partial") + tupled(mkdir, path) + b"R",
        "reconstructor": named("copyreg", "_reconstructor") + tupled(mkdir, mkdir, b"N") + b"R",
        "numpy": named("numpy.lib.npyio", "load") + argument + b"R",
        "Counter": named("collections", "Counter") + b")R",
        "defaultdict": named("collections", "defaultdict") + mkdir + b"\x85R",
        "REDUCE of a tensor's function with a list": named("torch", "Size") + b"]R",
        "REDUCE of a text": text("os.mkdir") + argument + b"R",
        "REDUCE of a tuple": b")" + argument + b"R",
        "a storage's type called": named("torch", "FloatStorage") + number(1000) + b"\x85R",
        "a name that is not text": number(1) + number(2) + b"\x93",
        "a very long name": named("o" * 5000, "mkdir") + argument + b"R",
    }  # fmt: skip
    damaged = {"a very long name"}
    for name, body in styles.items():
        expected = "damaged" if name in damaged else "unsafe"
        yield Case(f"gadget: {name}", zipped(body), expected)
        yield Case(f"gadget in the older format: {name}", legacy(body), expected)
    reduce = styles["GLOBAL, REDUCE"]
    yield Case("gadget behind weights", zipped(small_state(tensor(storage("0", 6), (3, 2), (2, 1)))[:-1]
                                               + text("x") + reduce + b"u", SIX, SIX), "unsafe")  # fmt: skip
    yield Case("gadget as a key", zipped(b"}" + reduce + b"Ns"), "unsafe")
    yield Case(
        "gadget instead of the magic number", legacy(b"}", magic=b"\x80\x02" + reduce + b"."), "unsafe"
    )
    yield Case("gadget in the list of keys", legacy(b"}")[: -len(pickle.dumps([], 2))] + b"\x80\x02" + reduce
               + b".", "unsafe")  # fmt: skip
    yield Case("gadget in a bare pickle", b"\x80\x04" + reduce + b".", "unsafe")
    yield Case("gadget in a pickle of protocol 0", f"cos\nmkdir\n(V{canary}\ntR.".encode(), "unsafe")
    yield Case("gadget in hooks", zipped(named("torch._utils", "_rebuild_tensor_v2") + tupled(
        storage("0", 6), number(0), tupled(number(6)), tupled(number(1)), b"\x89", reduce) + b"R", SIX),
        "unsafe")  # fmt: skip
    yield Case("gadget behind the end", zipped(b"}." + reduce), "damaged")


def _time_bombs() -> Iterator[Case]:
    doubled = b")" + b"q\x00" + b"".join(b"h%c" % n * 2 + b"\x86q%c" % (n + 1) for n in range(60))
    nested = b"]" + b"q\x00" + b"".join(b"](h%c" % n + b"h%c" % n + b"eq%c" % (n + 1) for n in range(60))
    yield Case("time: a key whose hash takes 2^60 steps", zipped(b"}" + doubled + b"Ns"), "damaged")
    yield Case("time: such a key, older format", legacy(b"}" + doubled + b"Ns"), "damaged")
    yield Case("time: such a value", zipped(b"}" + text("x") + doubled + b"s"), "damaged")
    yield Case("time: lists that double 60 times", zipped(b"}" + text("x") + nested + b"s"), "damaged")
    yield Case("time: such lists as a setting", _with(config=None, raw_config=nested), "damaged")
    yield Case("time: a deep tuple as a key", zipped(b"})" + b"\x85" * 45_000 + b"Ns"), "damaged")
    yield Case("time: a deep tuple", zipped(b")" + b"\x85" * 45_000), "damaged")
    yield Case("time: a deep tuple, 4 MB of it", zipped(b")" + b"\x85" * 4_000_000), "big")
    yield Case("time: a deep list", zipped(b"]" * 20_000 + b"a" * 19_999), "damaged")
    yield Case(
        "time: a deep list reduced",
        zipped(named("torch", "Size") + b")" + b"\x85" * 45_000 + b"R"),
        "damaged",
    )
    yield Case("time: a deep dict", zipped(b"}" + (text("a") + b"}") * 15_000 + b"s" * 15_000), "damaged")
    yield Case("time: a list that holds itself", zipped(b"]q\x00h\x00a"), "damaged")
    yield Case("time: a dict that holds itself", zipped(b"}q\x00" + text("model") + b"h\x00s"), "damaged")
    many = range(1, 20_001)
    collide = b"}(" + b"".join(number(n * (2**61 - 1)) + b"N" for n in many) + b"u"
    yield Case("time: numbers of one hash as keys", zipped(collide), "damaged")
    yield Case("time: a negative key", zipped(b"}" + number(-2) + b"Ns"), "damaged")
    yield Case("time: a fraction as a key", zipped(b"}G" + struct.pack(">d", 0.5) + b"Ns"), "damaged")
    yield Case("time: None as a key", zipped(b"}NNs"), "damaged")
    yield Case("time: a number of a million digits", zipped(b"I" + b"9" * 1_000_000 + b"\n"), "unsafe")
    yield Case(
        "time: LONG4 of 4 MB", zipped(b"\x8b" + struct.pack("<i", 4_000_000) + b"\x7f" * 4_000_000), "unsafe"
    )
    yield Case("time: LONG1 of 255 bytes", zipped(b"\x8a\xff" + b"\x7f" * 255), "damaged")
    yield Case("time: LONG4 of negative length", zipped(b"\x8b\xff\xff\xff\xff"), "unsafe")
    yield Case("time: 4 million marks", zipped(b"(" * 4_000_000), "big")
    yield Case("time: 4 million dicts", zipped(b"}" * 4_000_000), "big")
    yield Case("time: 4 million opcodes, older format", legacy(b"N" * 4_000_000), "big")
    yield Case("time: 49,000 dicts that are lost", zipped(b"}" * 49_000), "damaged")
    wide = b"](" + b"N" * 30_000 + b"eq\x00"
    yield Case("time: a long list, many times", zipped(wide + b"](" + b"h\x00" * 15_000 + b"e"), "damaged")
    yield Case(
        "time: a long list, many times in a list", zipped(b"](" + wide + b"h\x00" * 15_000 + b"e"), "big"
    )
    yield Case("time: memo at 2^32", zipped(b"}r\xff\xff\xff\xff"), "damaged")
    yield Case("time: memo from nowhere", zipped(b"h\x05"), "damaged")
    yield Case("time: memo of a mark", zipped(b"(q\x00h\x00t"), "damaged")
    yield Case("time: 20,000 keys of one prefix", zipped(dictionary(**{
        "module." * 20 + str(n): b"N" for n in range(20_000)})), "nostate")  # fmt: skip
    key = "module." * 500 + "fc.weight"
    six = tensor(storage("0", 6), (3, 2), (2, 1))
    yield Case("time: a key of 500 prefixes", zipped(dictionary(**{key: six}), SIX), "unfit")
    yield Case("time: 2,000 tensors", zipped(
        b"}(" + text("x") + six + b"q\x00" + b"".join(text(f"fc{n}.weight") + b"h\x00" for n in range(2000))
        + b"u", SIX), "unfit")  # fmt: skip
    yield Case(
        "time: 40,000 records",
        archive(
            [Record(b"a/data.pkl", b""), *(Record(b"a/%d" % n, b"", alignment=1) for n in range(40_000))]
        ),
        "big",
    )
    yield Case("time: a long name with prefix of digits", zipped(
        dictionary(**{"9" * 4000 + ".weight": six}), SIX), "unfit")  # fmt: skip
    yield Case("time: only STOP", zipped(b""), "damaged")
    yield Case("time: stack underflow", zipped(b"R"), "damaged")
    yield Case("time: TUPLE3 of nothing", zipped(b"\x87"), "damaged")
    yield Case("time: SETITEMS on a tensor", zipped(six + b"(NNu", SIX), "damaged")
    yield Case("time: odd SETITEMS", zipped(b"}(" + text("a") + b"u"), "damaged")
    yield Case("time: APPEND on a tuple", zipped(b")Na"), "damaged")
    yield Case("time: two values", zipped(b"}}"), "damaged")
    yield Case("time: a mark is left", zipped(b"(}"), "damaged")
    yield Case("time: one key twice", zipped(b"}(" + text("a") + b"N" + text("a") + b"Nu"), "damaged")
    yield Case("time: protocol 255", zipped(b"}", protocol=255), "damaged")
    yield Case("time: an opcode that does not exist", zipped(b"\xff"), "damaged")


def _memory_bombs() -> Iterator[Case]:
    def one(name, first, expected="damaged", **options):
        return Case(f"memory: {name}", zipped(small_state(first), SIX, SIX, **options), expected)

    six = storage("0", 6)
    yield one("stride 0 makes 2 GiB of 4 bytes", tensor(six, (2**15, 2**14), (0, 0)))
    yield one("stride 0 within the storage", tensor(six, (3, 2), (0, 1)))
    yield one("a huge shape", tensor(six, (2**40, 2**40), (1, 1)))
    yield one("a huge empty shape", tensor(six, (0, 2**62), (1, 1)))
    yield one("a shape beyond 64 bits", tensor(six, (2**100, 2), (1, 1)))
    yield one("beyond the storage", tensor(six, (3, 2), (2, 1), offset=1))
    yield one("strides beyond the storage", tensor(six, (3, 2), (3, 1)))
    yield one("overlapping rows", tensor(six, (3, 3), (1, 1)))
    yield one("a negative offset", tensor(six, (3, 2), (2, 1), offset=-1))
    yield one("a negative stride", tensor(six, (3, 2), (-2, 1)))
    yield one("a negative size", tensor(six, (-3, -2), (2, 1)))
    yield one("a huge offset", tensor(six, (3, 2), (2, 1), offset=2**62))
    yield one("nine dimensions", tensor(six, (1,) * 9, (1,) * 9))
    yield one("more strides than sizes", tensor(six, (6,), (1, 1)))
    yield one("True for a size", named("torch._utils", "_rebuild_tensor_v2") + tupled(
        six, number(0), tupled(b"\x88"), tupled(number(1)), b"\x89", b"}") + b"R")  # fmt: skip
    yield one("a storage of 2^40 numbers", tensor(storage("0", 2**40), (3, 2), (2, 1)))
    yield one("a storage of 2^70 numbers", tensor(storage("0", 2**70), (3, 2), (2, 1)))
    yield one("a storage of -1 numbers", tensor(storage("0", -1), (3, 2), (2, 1)))
    yield one("a storage with a number too many", tensor(storage("0", 5), (2, 2), (2, 1)))
    yield one("a storage of two types", tensor(six, (3, 2), (2, 1)) + b"0" * 0 + tensor(
        storage("0", 3, "DoubleStorage"), (3,), (1,)))  # fmt: skip
    yield one("a storage that is not there", tensor(storage("7", 6), (3, 2), (2, 1)))
    yield one("a storage by a path", tensor(storage("../data/0", 6), (3, 2), (2, 1)))
    yield one("a window on a storage", tensor(
        tupled(text("storage"), named("torch", "FloatStorage"), text("0"), text("cpu"), number(6),
               tupled(text("0"), number(0), number(6))) + b"Q", (3, 2), (2, 1)))  # fmt: skip
    million = bytes(4_000_000)
    views = {f"fc{n}.weight": tensor(storage("0", 1_000_000), (1000, 1000), (1000, 1)) for n in range(150)}
    yield Case("memory: 150 views of 4 MB", zipped(dictionary(**views), million), "unfit")
    wide = small_state(tensor(storage("0", 1_000_000), (500_000, 2), (2, 1)))
    yield Case("memory: a weight of 4 MB", zipped(wide, million, SIX), "unfit")
    yield Case("memory: BINBYTES8 of 2^62", zipped(b"\x8e" + struct.pack("<Q", 2**62)), "unsafe")
    yield Case("memory: BINUNICODE8 of 2^62", zipped(b"\x8d" + struct.pack("<Q", 2**62)), "unsafe")
    yield Case("memory: BYTEARRAY8 of 2^40", zipped(b"\x96" + struct.pack("<Q", 2**40)), "unsafe")
    yield Case("memory: BINUNICODE of 4 GiB", zipped(b"X\xff\xff\xff\xff"), "damaged")
    yield Case(
        "memory: a frame of 2^60", zipped(b"\x95" + struct.pack("<Q", 2**60) + b"}", protocol=4), "damaged"
    )
    yield Case("memory: a text of 4 MB", zipped(b"}" + text("x" * 4_000_000) + b"Ns"), "big")
    yield Case("memory: DUP", zipped(b"](" + b"N2" * 1000 + b"e"), "unsafe")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + b"}" * 400_000_000 + b".")
    yield Case("memory: a zip bomb", buffer.getvalue(), "damaged")
    yield Case("memory: one byte above the limit", bytes(MAX_BYTES + 1), "big")
    yield Case("memory: far above the limit", whole() + bytes(2 * MAX_BYTES), "big")
    yield Case("memory: zeros up to the limit", bytes(MAX_BYTES), "foreign")
    counted = legacy(small_state(tensor(storage("0", 2**40), (3, 2), (2, 1))), ["0", "1"],
                     struct.pack("<Q", 2**40) + SIX + struct.pack("<Q", 6) + SIX)  # fmt: skip
    yield Case("memory: an older storage of 4 TiB", counted, "damaged")


def _leaks() -> Iterator[Case]:
    """Files that torch.load turns into tensors of whatever the memory held before."""
    weights = small_state(tensor(storage("0", 6), (3, 2), (2, 1)))
    filled = struct.pack("<Q", 6) + SIX
    yield Case("leak: older storages never filled", legacy(weights), "damaged")
    yield Case("leak: one of two filled", legacy(weights, ["0"], filled), "damaged")
    yield Case("leak: a storage filled in part", legacy(weights, ["0", "1"], filled + filled[:-4]), "damaged")
    yield Case("leak: a storage of another length", legacy(weights, ["0", "1"],
               filled + struct.pack("<Q", 5) + SIX[:20]), "damaged")  # fmt: skip
    yield Case("leak: one filled twice", legacy(weights, ["0", "0"], filled * 2), "damaged")
    yield Case("leak: a key that nobody uses", legacy(weights, ["0", "1", "2"], filled * 3), "damaged")
    yield Case("leak: keys that are no texts", legacy(weights, [0, 1], filled * 2), "damaged")
    yield Case("leak: keys that are no list", legacy(weights)[: -len(pickle.dumps([], 2))]
               + pickle.dumps({"0": 1}, 2), "damaged")  # fmt: skip
    yield Case(
        "leak: bytes behind the last storage", legacy(weights, ["0", "1"], filled * 2 + b"x"), "damaged"
    )
    yield Case("leak: FloatTensor(30, 2)", zipped(named("torch", "FloatTensor") + number(30) + number(2)
               + b"\x86R"), "unsafe")  # fmt: skip
    yield Case(
        "leak: UntypedStorage(1000)",
        zipped(named("torch", "UntypedStorage") + number(100) + b"\x85R"),
        "unfit",
    )
    yield Case(
        "leak: a meta tensor",
        zipped(named("torch._utils", "_rebuild_meta_tensor_no_storage") + b")R"),
        "unfit",
    )
    yield Case(
        "leak: a sparse tensor", zipped(named("torch._utils", "_rebuild_sparse_tensor") + b")R"), "unfit"
    )
    yield Case("leak: a real sparse tensor", saved({"fc.weight": torch.eye(3).to_sparse()}), "unfit")
    yield Case("leak: torch.empty", zipped(named("torch", "empty") + number(9) + b"\x85R"), "unsafe")
    records = records_of(saved(Book().state_dict()))
    folder = [replace(record, central={"attributes": 0x10}) if record.name.endswith(b"data/0") else record
              for record in records]  # fmt: skip
    yield Case("leak: a directory flag on a record", archive(folder), "damaged")
    short = [
        replace(record, content=b"") if record.name.endswith(b"data/0") else record for record in records
    ]
    yield Case("leak: an empty record", archive(short), "damaged")


def _containers() -> Iterator[Case]:
    book = saved(Book().state_dict())
    records = records_of(book)

    def changed(name, expected="damaged", at=4, central=None, local=None, **options):
        list_ = [replace(r, central=central, local=local) if n == at else r for n, r in enumerate(records)]
        return Case(f"container: {name}", archive(list_, **options), expected)

    def built(name, list_, expected="damaged"):
        return Case(f"container: {name}", archive(list_), expected)

    yield built("a record twice", [*records, records[0]])
    yield built("two data.pkl, one hostile", [Record(records[0].name, b"\x80\x02cos\nabort\n)R."), *records])
    yield built("two roots", [replace(records[0], name=b"other/data.pkl"), *records[1:]])
    yield built("a second root beside", [*records, Record(b"other/version", b"3\n")])
    yield built("no folder", [replace(r, name=r.name.partition(b"/")[2]) for r in records], "foreign")
    yield built("a record of unknown name", [*records, Record(b"archive/extra", b"x")])
    yield built("a record that climbs out", [*records, Record(b"archive/../../etc/passwd", b"x")])
    yield built("a storage that nobody uses", [*records, Record(b"archive/data/99", SIX)])
    yield built("a storage's name in other digits", [*records, Record("archive/data/٣".encode(), SIX)])
    yield built("no pickle", records[1:], "foreign")
    yield built("a folder as a record", [*records, Record(b"archive/data/", b"")])
    yield built("a name that is no text", [*records, Record(b"archive/\xff\xfe", b"")], "foreign")
    yield built(
        "big-endian",
        [replace(r, content=b"big") if r.name.endswith(b"order") else r for r in records],
        "other",
    )
    yield changed("another name in the local header", local={"name": b"archive/data/9"})
    yield changed("another method in the local header", local={"method": 8})
    yield changed("another flag in the local header", local={"flags": 0x800})
    yield changed("sizes in the local header", local={"size": 10**6})
    yield changed("encrypted", central={"flags": 0x809}, local={"flags": 0x809})
    yield changed("compressed, it says", central={"method": 8}, local={"method": 8})
    yield changed("a size too large", central={"size": 10**6, "packed": 10**6})
    yield changed("a size too small", central={"size": 8, "packed": 8})
    yield changed("packed and unpacked sizes differ", central={"size": 10**9})
    yield changed("zip64's 0xFFFFFFFF as a size", central={"size": 2**32 - 1, "packed": 2**32 - 1})
    yield changed("a zip64 extra field", central={"extra": struct.pack("<HHQQ", 1, 16, 2**60, 2**60)})
    yield changed("a record's comment", central={"comment": b"hello"})
    yield changed("another disk", central={"disk": 1})
    yield changed("a wrong checksum", central={"crc": 1})
    yield changed("overlapping records", central={"offset": 0})
    yield changed("a record behind the end", central={"offset": 2**31})
    yield changed("a Unix link", central={"attributes": 0xA1FF0000})
    yield changed("a count too small", end={"count": 3, "count64": 3})
    yield changed("a count too large", end={"count": 999, "count64": 999})
    yield changed("a count of 65,535", end={"count": 65_535, "count64": 65_535}, expected="big")
    yield changed("two ends that disagree", end={"count64": 3})
    yield changed("zip64 says another start", end={"start64": 0})
    yield changed("zip64 says 2^60 entries", end={"count64": 2**60})
    yield changed("another disk at the end", end={"disk": 1})
    yield changed("the directory starts elsewhere", end={"start": 0, "start64": 0})
    yield changed("a comment at the end", comment=b"PK\5\6" + bytes(18))
    yield changed("gaps between the records", gap=b"gap")
    other = archive([Record(b"archive/data.pkl", b"\x80\x02cos\nabort\n)R.")])
    yield Case("container: two archives one after the other", other + book, "damaged")
    yield Case("container: an archive behind a picture", b"\x89PNG\r\n" + book, "foreign")
    yield Case("container: bytes behind the archive", book + b"\0", "damaged")
    yield Case("container: an archive as another's comment", archive(records, comment=other), "damaged")
    directory = book.rindex(b"PK\6\6")
    yield Case("container: no zip64 end", book[:directory] + book[directory + 8 :], "damaged")
    yield Case("container: an empty archive", b"PK\5\6" + bytes(18), "foreign")
    for name, compression in (("stored again", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as file:
            for record in records:
                file.writestr(record.name.decode(), record.content)
        yield Case(f"container: {name}", buffer.getvalue(), "damaged")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("archive/data")
        for record in records:
            file.writestr(record.name.decode(), record.content)
    yield Case("container: unpacked and zipped by a file manager", buffer.getvalue(), "damaged")


def _cuts_and_flips() -> Iterator[Case]:
    new, old = saved(Book().state_dict()), saved_legacy(Book().state_dict())
    for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        yield Case(f"cut at {share:g}", new[: int(share * len(new))], "damaged")
        yield Case(f"older format, cut at {share:g}", old[: int(share * len(old))], "damaged")
    yield Case("the last byte is missing", new[:-1], "damaged")
    yield Case("older format, the last byte is missing", old[:-1], "damaged")
    yield Case("the first byte is missing", new[1:], "foreign")
    weights = new.index(b"data/0") + 80
    for bit in (weights * 8, weights * 8 + 6, 8 * 400, 8 * (len(new) - 30), 8 * (len(new) - 100)):
        flipped = bytearray(new)
        flipped[bit // 8] ^= 1 << bit % 8
        yield Case(f"bit {bit} flipped", bytes(flipped), "damaged")
    swapped = new.replace(b"FloatStorage", b"DoubleStorag")
    yield Case("a type changed without its checksum", swapped, "damaged")
    infinite = bytearray(old)
    infinite[-4:] = struct.pack("<f", float("inf"))
    yield Case("older format, a weight flipped to infinity", bytes(infinite), "nonfinite")
    yield Case("zeros in the middle", new[:3000] + bytes(100) + new[3100:], "damaged")


def _other_formats() -> Iterator[Case]:
    yield Case("nothing", b"", "empty")
    yield Case("format: one byte", b"P", "foreign")
    yield Case("format: text", b"not a checkpoint", "foreign")
    yield Case("format: text in brackets", b"(see the book).", "foreign")
    yield Case("format: png", b"\x89PNG\r\n\x1a\n" + bytes(200), "foreign")
    yield Case("format: pdf", b"%PDF-1.7\n" + bytes(200), "foreign")
    yield Case("format: csv", b"x1,x2,label\n0.1,0.2,1\n", "foreign")
    yield Case("format: csv that begins like a pickle", b"class,x1\nred,2\n", "foreign")
    yield Case("format: json", b'{"layers.0.weight": [[1, 2]]}', "foreign")
    yield Case("format: html", b"<!doctype html><title>404</title>", "foreign")
    header = json.dumps({"layers.0.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    yield Case("format: safetensors", struct.pack("<Q", len(header)) + header + bytes(4), "other")
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    yield Case("format: npy", buffer.getvalue(), "foreign")
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    yield Case("format: npz", buffer.getvalue(), "foreign")
    pictures = [Record(b"pictures/code/%d.png" % n, b"\x89PNG") for n in range(1500)]
    yield Case("format: a zip of pictures", archive(pictures[:3]), "foreign")
    yield Case("format: a zip of 1,500 pictures", archive(pictures), "foreign")
    yield Case("format: a zip of a repository, with its comment", archive(pictures[:3], comment=b"a" * 40),
               "foreign")  # fmt: skip
    packed = [Record(b"checkpoint/model.pth", saved(Book().state_dict()))]
    yield Case("format: a zip of a checkpoint", archive(packed), "foreign")
    exported = io.BytesIO()
    torch.export.save(torch.export.export(Book(), (torch.zeros(1, 2),)), exported)
    yield Case("format: an export", exported.getvalue(), "other")
    exported = io.BytesIO()
    with torch.package.PackageExporter(exported) as package:
        package.save_text("model", "readme.txt", "the model")
    yield Case("format: a package", exported.getvalue(), "other")
    yield Case("format: a pointer of git's", b"version https://git-lfs.github.com/spec/v1\n", "foreign")
    yield Case("format: onnx", b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(100), "foreign")
    yield Case("format: hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100), "foreign")
    yield Case("format: gzip", b"\x1f\x8b\x08" + bytes(100), "foreign")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            file.addfile(tarfile.TarInfo(name))
    yield Case("format: torch's tar of 2016", buffer.getvalue(), "foreign")
    script = torch.jit.trace(Book(), torch.zeros(1, 2))
    buffer = io.BytesIO()
    torch.jit.save(script, buffer)
    yield Case("format: TorchScript", buffer.getvalue(), "other")
    yield Case("format: a whole model", saved(Book()), "other")
    yield Case("format: a whole model, older format", saved_legacy(chain(2, 3, 2)), "other")
    yield Case("format: a whole Sequential", saved(chain(2, 3, 2)), "other")
    yield Case("format: a method, not called", saved(Book().state_dict), "other")
    yield Case("format: a model among others", saved({"epoch": 3, "model": Book()}), "other")
    yield Case("format: a pickled model", pickle.dumps(chain(2, 3, 2)), "other")
    yield Case("format: a pickled state_dict", pickle.dumps(Book().state_dict()), "unsafe")
    yield Case("format: a pickled dict", pickle.dumps({"fc.weight": [1.0]}), "other")
    yield Case("format: a pickled array, as joblib writes it", pickle.dumps(np.zeros(3)), "unsafe")
    with_numpy = {"state_dict": Book().state_dict(), "loss": np.float64(1)}
    yield Case("format: numpy in a checkpoint", saved(with_numpy), "unsafe")
    yield Case("format: a word document", archive([Record(b"word/document.xml", b"<x/>")]), "foreign")
    yield Case("format: a tensor", saved(torch.zeros(3)), "nostate")
    yield Case("format: a list of parameters", saved(list(Book().parameters())), "nostate")
    yield Case("format: lists of numbers", saved({"fc.weight": [[1.0, 2.0]], "fc.bias": [0.0]}), "nostate")
    yield Case("format: a list", saved([Book().state_dict()]), "nostate")
    yield Case("format: an empty dict", saved({}), "nostate")
    yield Case("format: an empty OrderedDict", saved(OrderedDict()), "nostate")
    yield Case("format: None", saved(None), "nostate")
    yield Case("format: a text", saved("model"), "nostate")
    yield Case("format: an optimizer", saved(torch.optim.SGD(Book().parameters()).state_dict()), "nostate")
    yield Case("format: a wrapper around nothing", saved({"model_state_dict": {}}), "nostate")
    yield Case("format: a wrapper of another name", saved({"net": Book().state_dict()}), "nostate")
    yield Case("format: a number for a weight", saved({"layers.0.weight": 3}), "nostate")
    yield Case("format: tensors under numbers", saved({0: torch.zeros(2, 2)}), "nostate")
    with_attribute = torch.zeros(2, 2)
    with_attribute.note = "mine"
    yield Case("format: a tensor with an attribute", saved({"fc.weight": with_attribute}), "unfit")


def _shapes() -> Iterator[Case]:
    def state_of(*layers: nn.Module) -> dict:
        return nn.Sequential(*layers).state_dict()

    linear, relu = nn.Linear, nn.ReLU()
    small = chain(2, 4, 2).state_dict()
    odd = {
        "one Linear layer": linear(2, 2).state_dict(),
        "no hidden layer": state_of(linear(2, 2)),
        "seven hidden layers": chain(2, *[5] * 7, 2).state_dict(),
        "65 neurons": chain(2, 65, 2).state_dict(),
        "8 inputs": chain(8, 4, 2).state_dict(),
        "11 outputs": chain(2, 4, 11).state_dict(),
        "layers that are no chain": state_of(linear(2, 4), relu, linear(5, 2)),
        "a convolution": state_of(nn.Conv2d(1, 2, 3), linear(2, 2), linear(2, 2)),
        "no bias": state_of(linear(2, 4, bias=False), relu, linear(4, 2)),
        "an embedding": state_of(nn.Embedding(4, 2), linear(2, 4), linear(4, 2)),
        "an LSTM": nn.LSTM(2, 4).state_dict(),
        "layer norm": state_of(linear(2, 4), nn.LayerNorm(4), relu, linear(4, 2)),
        "batch norm without weights": state_of(linear(2, 4), nn.BatchNorm1d(4, affine=False), linear(4, 2)),
        "batch norm without statistics": state_of(
            linear(2, 4), nn.BatchNorm1d(4, track_running_stats=False), linear(4, 2)),
        "batch norm of another width": state_of(linear(2, 4), nn.BatchNorm1d(5), relu, linear(4, 2)),
        "batch norm after the output": state_of(linear(2, 4), relu, linear(4, 4), nn.BatchNorm1d(4)),
        "batch norm after the activation": state_of(linear(2, 4), relu, nn.BatchNorm1d(4), linear(4, 2)),
        "batch norm after one of two": state_of(
            linear(2, 4), nn.BatchNorm1d(4), relu, linear(4, 4), relu, linear(4, 2)),
        "batch norm alone": state_of(nn.BatchNorm1d(4)),
        "a bias of another length": {**small, "0.bias": torch.zeros(3)},
        "a weight of three dimensions": {**small, "0.weight": torch.zeros(4, 2, 1)},
        "no inputs": {**small, "0.weight": torch.zeros(4, 0)},
        "no neurons": {"0.weight": torch.zeros(0, 2), "0.bias": torch.zeros(0), "2.weight": torch.zeros(2, 0),
                       "2.bias": torch.zeros(2)},
        "one name twice, with and without a dot": {
            "weight": torch.zeros(4, 2), "bias": torch.zeros(4), ".weight": torch.ones(4, 2),
            ".bias": torch.ones(4), "2.weight": torch.zeros(2, 4), "2.bias": torch.zeros(2)},
        "weights parametrised": state_of(
            nn.utils.parametrizations.weight_norm(linear(2, 4)), relu, linear(4, 2)),
        "an unknown tensor beside": {**small, "mask": torch.zeros(3)},
        "a transformer": nn.TransformerEncoderLayer(4, 2).state_dict(),
        "whole numbers for weights": {key: value.long() for key, value in small.items()},
        "truth values for weights": {key: value.bool() for key, value in small.items()},
        "complex weights": {key: value.cfloat() for key, value in small.items()},
        "batches counted in fractions": {
            **normed(2, 4, 2).state_dict(), "1.num_batches_tracked": torch.tensor(3.0)},
    }  # fmt: skip
    for name, state_dict in odd.items():
        yield Case(f"shape: {name}", saved(state_dict), "unfit")


def _numbers() -> Iterator[Case]:
    base = chain(2, 4, 2).state_dict()
    for value in (float("nan"), float("inf"), -float("inf")):
        for key in base:
            broken = {name: tensor.clone() for name, tensor in base.items()}
            broken[key].view(-1)[-1] = value
            yield Case(f"number: {value} in {key}", saved(broken), "nonfinite")
    large = {key: value.double() for key, value in base.items()}
    large["0.bias"][0] = 1e300
    yield Case("number: too large for float32", saved(large), "nonfinite")
    half = {key: value.half() for key, value in base.items()}
    half["0.bias"][0] = float("inf")
    yield Case("number: infinite as float16", saved(half), "nonfinite")
    for part, value, expected in (
        ("running_var", -1.0, "unfit"), ("running_var", float("nan"), "nonfinite"),
        ("running_var", float("inf"), "nonfinite"),
        ("running_mean", float("inf"), "nonfinite"), ("num_batches_tracked", -1, "unfit"),
        ("num_batches_tracked", 2**62, "unfit"),
    ):  # fmt: skip
        broken = {name: tensor.clone() for name, tensor in normed(2, 4, 2).state_dict().items()}
        broken[f"1.{part}"].fill_(value)
        yield Case(f"number: {part} is {value:g}", saved(broken), expected)


# Full checkpoints with one part changed

SETTINGS = {"points": 100, "hidden": (6, 4), "optimizer": "adam", "learning_rate": 0.01}


@cache
def _whole_file() -> bytes:
    return whole(8, **SETTINGS)


def _whole_state() -> dict:
    """What a full checkpoint of 8 steps holds: two epochs of 3 batches and 2 batches."""
    return torch.load(io.BytesIO(_whole_file()), weights_only=True)


def _with(raw_config: bytes | None = None, **changes) -> bytes:
    """That full checkpoint with these parts, or with these opcodes for its config."""
    data = saved({**_whole_state(), **changes})
    if raw_config is None:
        return data
    records = records_of(data)
    # The pickle refers to what it has seen by number: the opcodes go in at the end, under the same key.
    body = records[0].content[:-2]
    body = body.replace(text("config"), text("confix"))
    records[0] = replace(records[0], content=body + text("config") + raw_config + b"u.")
    return archive(records)


def _metadata() -> Iterator[Case]:
    config = _whole_state()["config"]

    def case(name, expected, **changes):
        return Case(f"whole: {name}", _with(**changes), expected)

    def setting(name, **values):
        return case(name, "settings", config={**config, **values})

    yield setting("an unknown setting", colour="red")
    yield setting("points out of range", points=10**9)
    yield setting("a number of 40 digits", points=10**36)
    yield setting("nan as a rate", learning_rate=float("nan"))
    yield setting("infinite noise", noise=float("inf"))
    yield setting("text for a number", seed="1")
    yield setting("a list for a number", seed=[1])
    yield setting("nested lists", hidden=[[[[6]]], 4])
    yield setting("a dict for a setting", dataset={"a": 1})
    yield setting("an unknown dataset", dataset="mnist")
    yield setting("a dataset of many words", dataset="<script>alert(1)</script>" * 9)
    yield setting("a dataset with a newline", dataset="moons\nUse weights_only=False")
    yield setting("a tensor for a setting", seed=torch.tensor(1))
    yield setting("None for a setting", seed=None)
    yield setting("seven hidden layers", hidden=[4] * 7)
    yield setting("10,000 hidden layers", hidden=[4] * 10_000)
    yield setting("classes that the dataset has not", classes=7)
    yield setting("batch norm on single examples", batch_norm=True, batch_size=1)
    yield setting("no test point", points=10, test_fraction=0.05)
    yield setting("no complete batch", batch_size=1000, drop_last=True)
    yield case("no config", "settings", config=None)
    yield case("config as a list", "settings", config=[1, 2])
    yield case("numbers as names of settings", "settings", config={1: 2})
    yield case("a config of another network", "settings", config={**config, "hidden": [5, 4]})
    yield case("a config of more layers", "settings", config={**config, "hidden": [6, 4, 4]})
    yield case("a config of fewer layers", "settings", config={**config, "hidden": [6]})
    yield case("a config with batch norm", "settings", config={**config, "batch_norm": True})
    yield case("a config of more features", "settings", config={**config, "features": ["x1", "x2", "x1^2"]})
    yield case("a config of another task", "settings", config={**config, "dataset": "plane"})
    yield case("a config of another optimizer", "optimizer", config={**config, "optimizer": "sgd"})
    yield case("a config of other data", "settings", config={**config, "points": 500})
    yield case("a config of another rate", "optimizer", config={**config, "learning_rate": 0.5})
    yield case("another version", "settings", version=2)
    yield case("a version of text", "settings", version="1")
    yield case("True as a version", "settings", version=True)
    for part in ("losses", "config", "random_state", "diverged", "learning_rates"):
        rest = {key: value for key, value in _whole_state().items() if key != part}
        yield Case(f"whole: {part} is missing", saved(rest), "damaged")
    rest = {key: value for key, value in _whole_state().items() if key != "model_state_dict"}
    yield Case("whole: weights are missing", saved(rest), "damaged")
    yield case("no weights", "nostate", model_state_dict={})
    yield case("weights are a list", "nostate", model_state_dict=[1])
    weights = _whole_state()["model_state_dict"]
    key = "layers.0.weight"
    yield case("a weight of another shape", "settings", model_state_dict={**weights, key: torch.zeros(6, 3)})
    yield case(
        "a weight of another type", "settings", model_state_dict={**weights, key: torch.zeros(6, 2).half()}
    )
    yield case("a weight that is a number", "nostate", model_state_dict={**weights, key: 1.0})
    normed_state = torch.load(io.BytesIO(whole(8, batch_norm=True, drop_last=True, batch_size=30)))
    for name, part, value, expected in (
        ("a mean that is infinite", "running_mean", torch.inf, "nonfinite"),
        ("a variance that is nan", "running_var", torch.nan, "nonfinite"),
        ("a variance of minus infinity", "running_var", -torch.inf, "unfit"),
    ):
        broken = {**normed_state["model_state_dict"], f"layers.1.{part}": torch.full((6,), value)}
        yield Case(f"whole: {name}", saved({**normed_state, "model_state_dict": broken}), expected)
    yield case("a weight too many", "settings", model_state_dict={**weights, "x.weight": torch.zeros(2, 2)})
    yield case(
        "a weight that is nan", "nonfinite", model_state_dict={**weights, key: torch.full((6, 2), torch.nan)}
    )
    for name, value in (
        ("-1", -1),
        ("a fraction", 8.0),
        ("text", "8"),
        ("True", True),
        ("2^70", 2**70),
        ("other", 9),
    ):
        yield case(f"steps: {name}", "settings", steps=value)
    yield case("batch beyond the epoch", "settings", batch=5, epoch=1)
    yield case("epoch -1", "settings", epoch=-1)
    yield case("an epoch of 2^50", "settings", epoch=2**50, steps=3 * 2**50 + 2)
    losses = _whole_state()["losses"]
    yield case("too few losses", "settings", losses=losses[:5].clone())
    yield case("too many losses", "settings", losses=torch.zeros(1_000_000))
    yield case("losses of another type", "settings", losses=losses.double())
    yield case("losses as a list", "settings", losses=losses.tolist())
    yield case("a loss that is nan", "nonfinite", losses=torch.full((8,), torch.nan))
    yield case("losses of two dimensions", "settings", losses=losses.view(2, 4))
    tests = _whole_state()["tests"]
    yield case("too many tests", "settings", tests=torch.cat([tests, tests]))
    yield case("tests of another type", "settings", tests=tests.float())
    yield case("tests of other steps", "settings", tests=tests + 1)
    yield case("tests as a text", "settings", tests="none")
    for name, value in (
        ("nan", [[1, float("nan")]]), ("1e9", [[1, 1e9]]), ("of text", [["a", 0.1]]), ("a dict", {1: 0.1}),
        ("at -1", [[-1, 0.1]]), ("twice", [[1, 0.1], [1, 0.1]]), ("of three", [[1, 0.1, 2]]),
        ("at [1]", [[[1], 0.1]]),
    ):  # fmt: skip
        yield case(f"a learning rate {name}", "settings", learning_rates=value)
    yield case("a sentence of 10 lines", "settings", diverged="line\n" * 10)
    yield case("a sentence of 3,000 letters", "settings", diverged="a" * 3000)
    yield case("a sentence with control characters", "settings", diverged="\x1b[31mred")
    yield case("no sentence", "settings", diverged=None)


def _random_states() -> Iterator[Case]:
    good = _whole_state()["random_state"]["cpu"]

    def case(name, value, **more):
        return Case(f"random: {name}", _with(random_state=value, **more), "settings")

    def patched(at: int, replacement: bytes) -> dict:
        content = bytearray(good.numpy().tobytes())
        content[at : at + len(replacement)] = replacement
        return {"cpu": torch.frombuffer(content, dtype=torch.uint8).clone()}

    yield case("none", None)
    yield case("no CPU", {})
    yield case("another device", {"cpu": good, "cuda": torch.zeros(16, dtype=torch.uint8)})
    yield case("a device of any name", {"cpu": good, "x" * 300: good})
    yield case("too short", {"cpu": good[:-1].clone()})
    yield case("too long", {"cpu": torch.zeros(4_000_000, dtype=torch.uint8)})
    yield case("of another type", {"cpu": good.to(torch.int64)})
    yield case("of two dimensions", {"cpu": good.view(2, -1)})
    yield case("all zeros", {"cpu": torch.zeros(5056, dtype=torch.uint8)})
    yield case("all ones", {"cpu": torch.full((5056,), 255, dtype=torch.uint8)})
    yield case("words left beyond the end", patched(8, struct.pack("<iiQ", 624, 1, 600)))
    yield case("words left: 2^31", patched(8, struct.pack("<i", 2**31 - 1)))
    yield case("the next word far away", patched(16, struct.pack("<Q", 2**40)))
    yield case("not seeded", patched(12, struct.pack("<i", 0)))
    yield case("a word of 64 bits", patched(24, b"\xff" * 8))
    yield case("a spare number that is nan", patched(5024, struct.pack("<d", float("nan"))))
    yield case("a spare float that is nan", patched(5048, struct.pack("<f", float("nan"))))
    yield case("a truth value of 7", patched(5052, b"\x07"))
    yield Case("random: no state at the epoch's start", _with(epoch_random_state=None), "settings")
    short = _with(epoch_random_state={"cpu": good[:9].clone()})
    yield Case("random: a bad state at the epoch's start", short, "settings")
    yield Case("random: a CUDA offset of 3", saved({
        **_whole_state(), "config": {**_whole_state()["config"], "device": "cuda"},
        "random_state": {"cpu": good, "cuda": torch.tensor([0] * 8 + [3] + [0] * 7, dtype=torch.uint8)}}),
        "settings")  # fmt: skip


def _optimizers() -> Iterator[Case]:
    good = _whole_state()["optimizer_state_dict"]

    def case(name, value, expected="optimizer"):
        return Case(f"optimizer: {name}", _with(optimizer_state_dict=value), expected)

    def grouped(**changes):
        return {**good, "param_groups": [{**good["param_groups"][0], **changes}]}

    def kept(at=0, **changes):
        return {**good, "state": {**good["state"], at: {**good["state"][at], **changes}}}

    yield case("none", None)
    yield case("empty after training", {})
    yield case("a list", [1])
    yield case("an unknown entry", {**good, "more": 1})
    yield case("no groups", {**good, "param_groups": []})
    yield case("two groups", {**good, "param_groups": good["param_groups"] * 2})
    yield case("10,000 groups", {**good, "param_groups": [1] * 10_000})
    yield case("a group that is a text", {**good, "param_groups": ["lr"]})
    yield case("no state", {**good, "state": {}})
    yield case(
        "a state for one parameter less", {**good, "state": {k: v for k, v in good["state"].items() if k}}
    )
    yield case("a state for one parameter more", {**good, "state": {**good["state"], 99: good["state"][0]}})
    yield case("a state under texts", {**good, "state": {str(k): v for k, v in good["state"].items()}})
    yield case("a state that is a list", {**good, "state": [1]})
    yield case("moments of another shape", kept(exp_avg=torch.zeros(7, 7)))
    yield case("moments of one number", kept(exp_avg=torch.zeros(())))
    yield case("moments of another type", kept(exp_avg=torch.zeros(6, 2).double()))
    yield case("moments that are no tensor", kept(exp_avg=0.0))
    yield case("an unknown moment", kept(max_exp_avg_sq=torch.zeros(6, 2)))
    yield case("a moment is missing", {**good, "state": {**good["state"], 0: {"step": torch.tensor(8.0)}}})
    yield case("negative squares", kept(exp_avg_sq=torch.full((6, 2), -1.0)))
    yield case("moments that are nan", kept(exp_avg=torch.full((6, 2), torch.nan)), "nonfinite")
    yield case("moments that are infinite", kept(exp_avg=torch.full((6, 2), torch.inf)), "nonfinite")
    yield case("squares that are nan", kept(exp_avg_sq=torch.full((6, 2), torch.nan)), "nonfinite")
    yield case("squares below zero, infinite", kept(exp_avg_sq=torch.full((6, 2), -torch.inf)))
    yield case("step -1", kept(step=torch.tensor(-1.0)))
    yield case("step nan", kept(step=torch.tensor(torch.nan)))
    yield case("another step", kept(step=torch.tensor(800.0)))
    yield case("step as a number", kept(step=8))
    yield case("a rate of nan", grouped(lr=float("nan")))
    yield case("another rate", grouped(lr=0.5))
    yield case("a rate as a tensor", grouped(lr=torch.tensor(0.01)))
    yield case("a rate as a text", grouped(lr="0.01"))
    yield case("True as a rate", grouped(lr=True))
    yield case("other betas", grouped(betas=(0.5, 0.5)))
    yield case("betas of text", grouped(betas="many"))
    yield case("nan as eps", grouped(eps=float("nan")))
    yield case("capturable", grouped(capturable=True))
    yield case("maximize", grouped(maximize=True))
    yield case("amsgrad", grouped(amsgrad=True))
    yield case("an unknown setting", grouped(colour="red"))
    yield case("parameters in another order", grouped(params=[1, 0, 2, 3, 4, 5]))
    yield case("too many parameters", grouped(params=list(range(5000))))
    yield case("another decay", grouped(weight_decay=0.9))
    for name in ("sgd", "rmsprop"):
        other = trained(8, **{**SETTINGS, "optimizer": name}).optimizer.state_dict()
        yield case(f"of {name}", other)
    larger = trained(8, **{**SETTINGS, "hidden": (9, 9)}).optimizer.state_dict()
    yield case("of another network", larger)
