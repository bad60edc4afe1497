"""A pickle as data: an interpreter of the few opcodes and names that a state_dict is written with.

Python's own unpickler imports and calls whatever a file names. This one calls nothing: a name must
be one of NAMES, which stand for functions of this module, and a result is made of dict, list,
tuple, str, int, float, bool, None and StoredTensor. It knows nothing of files: where the bytes of
a storage are is asked of `find_storage`.

What could freeze or bloat a process is limited before it is done: operations, lengths of texts and
numbers, keys (text or a small whole number, whose hashes nobody can make collide), and last the
nesting and the number of values when everything that is shared is written out.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from .refusals import SAVE, Cause, quoted, refusal
from .tensors import DTYPES, Storage, StoredTensor, is_count, view

MAX_OPERATIONS = 50_000  # an honest file of this app's largest network takes 5,000
MAX_TEXT = 200_000  # bytes of one text: own points are the longest
MAX_NAME = 200  # bytes of a module's or a class's name
MAX_LONG = 32  # bytes of a whole number; one in the state of NumPy's generator can have 17
MAX_KEY = 10_000  # whole numbers as keys count an optimizer's parameters
MAX_DEPTH = 12
MAX_VALUES = 50_000
PROTOCOLS = range(2, 6)

# (storage's type, key, number of elements) -> the Storage that will hold or holds the bytes
FindStorage = Callable[[str, str, int], Storage]


class _Mark:
    """Stands on the stack where a tuple, a list's or a dict's items begin."""


_MARK = _Mark()


@dataclass(frozen=True, eq=False)
class _StorageType:
    """A storage's type by name: part of a persistent id, not to be called."""

    name: str


@dataclass(frozen=True, eq=False)
class _Function:
    """What a name in NAMES does with its arguments: always a function of this module."""

    call: Callable[[tuple], object]


class PickleReader:
    """Reads one pickle after another from `data`, beginning at `position`."""

    def __init__(self, data: bytes | memoryview, find_storage: FindStorage, position: int = 0):
        self.data = memoryview(data)
        self.find_storage = find_storage
        self.position = position
        self._operations = 0
        self._stack: list[object] = []
        self._memo: list[object] = []

    def read(self) -> object:
        """The value of the next pickle; `position` is then behind its end."""
        self._stack, self._memo = [], []
        while True:
            self._operations += 1
            if self._operations > MAX_OPERATIONS:
                raise refusal(Cause.BIG, "This file holds far more values than a network that this app can "
                              "show; save the weights alone.")  # fmt: skip
            code = self._number(1)
            if code == STOP:
                break
            operation = OPERATIONS.get(code)
            if operation is None:
                # Every other opcode of pickle's calls something or is none that torch.save writes.
                raise refusal(Cause.UNSAFE if code in OTHER_OPCODES else Cause.DAMAGED)
            operation(self)
        if len(self._stack) != 1:
            raise refusal(Cause.DAMAGED)
        value = self._pop()
        check_nesting(value)
        return value

    # Bytes

    def _take(self, count: int) -> memoryview:
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise refusal(Cause.DAMAGED)
        self.position += count
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _text(self, size: int) -> str:
        text = self._take(size)
        if size > MAX_TEXT:
            raise refusal(
                Cause.BIG, "This file holds a text too long for a checkpoint; save the weights alone."
            )
        try:
            return str(text, "utf-8")
        except UnicodeDecodeError:
            raise refusal(Cause.DAMAGED) from None

    def _line(self) -> str:
        """A name up to the end of its line."""
        start = bytes(self.data[self.position : self.position + MAX_NAME])
        length = start.find(b"\n")
        if length < 0:
            raise refusal(Cause.DAMAGED)
        name = self._text(length)
        self.position += 1
        return name

    # The stack

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> object:
        if not self._stack:
            raise refusal(Cause.DAMAGED)
        value = self._stack.pop()
        if value is _MARK:
            raise refusal(Cause.DAMAGED)
        return value

    def _top(self) -> object:
        value = self._pop()
        self._stack.append(value)
        return value

    def _pop_to_mark(self) -> list[object]:
        items: list[object] = []
        while self._stack:
            item = self._stack.pop()
            if item is _MARK:
                items.reverse()
                return items
            items.append(item)
        raise refusal(Cause.DAMAGED)

    # The frame of a pickle

    def _protocol(self) -> None:
        if self._number(1) not in PROTOCOLS:
            raise refusal(Cause.DAMAGED)

    def _frame(self) -> None:
        """A length that helps reading from a stream; here only checked."""
        if self._number(8) > len(self.data) - self.position:
            raise refusal(Cause.DAMAGED)

    # The memo: values to come back to, numbered in order as every pickler does

    def _remember(self, index: int) -> None:
        value = self._top()
        if index == len(self._memo):
            self._memo.append(value)
        elif index < len(self._memo):
            self._memo[index] = value
        else:
            raise refusal(Cause.DAMAGED)

    def _recall(self, index: int) -> None:
        if index >= len(self._memo):
            raise refusal(Cause.DAMAGED)
        self._push(self._memo[index])

    # Numbers

    def _signed(self) -> None:
        self._push(int.from_bytes(self._take(4), "little", signed=True))

    def _long(self) -> None:
        size = self._number(1)
        if size > MAX_LONG:
            raise refusal(Cause.DAMAGED)
        self._push(int.from_bytes(self._take(size), "little", signed=True))

    def _float(self) -> None:
        self._push(struct.unpack(">d", self._take(8))[0])

    # Containers

    def _tuple(self, size: int) -> None:
        items = [self._pop() for _ in range(size)]
        self._push(tuple(reversed(items)))

    def _append(self, items: list[object]) -> None:
        target = self._top()
        if type(target) is not list:
            raise refusal(Cause.DAMAGED)
        target.extend(items)

    def _append_one(self) -> None:
        self._append([self._pop()])

    def _set_items(self, items: list[object]) -> None:
        target = self._top()
        if type(target) is not dict or len(items) % 2:
            raise refusal(Cause.DAMAGED)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Checked before it is hashed: hashing a stranger's tuple can take hours or crash.
            if type(key) is not str and not (type(key) is int and 0 <= key < MAX_KEY):
                raise refusal(Cause.DAMAGED)
            if key in target:  # no pickler writes a key twice; readers differ in which one counts
                raise refusal(Cause.DAMAGED)
            target[key] = value

    def _set_one_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    # Names, and the few things they do

    def _global(self, module: object, name: object) -> None:
        self._push(self._resolved(module, name))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._global(module, name)

    def _resolved(self, module: object, name: object) -> object:
        if type(module) is not str or type(name) is not str or len(module) + len(name) > MAX_NAME:
            raise refusal(Cause.UNSAFE)
        full = f"{module}.{name}"
        if full in NAMES:
            return NAMES[full]
        if module == "torch" and name in DTYPES:
            return _StorageType(name)
        raise self._refused(full)

    def _refused(self, full: str) -> Exception:
        """The refusal of a name: which of them an honest student may have saved, and how to mend it."""
        if self._is_whole_model():
            return refusal(
                Cause.OTHER,
                "This file holds a whole model with its Python class, not a state_dict; "
                f"save {SAVE} instead of torch.save(model, ...).",
            )
        if full.startswith(("torch._utils._rebuild_", "torch._tensor._rebuild_")) or (
            full.startswith("torch.") and full.endswith("Storage")
        ):
            return refusal(
                Cause.UNFIT,
                "This file holds tensors of a kind that this app cannot show (sparse, complex or "
                "quantised); save float32 weights.",
            )
        return refusal(
            Cause.UNSAFE,
            f"This file asks Python to run {quoted(full)} when it is opened, so it was not opened; save "
            "model.state_dict() alone with torch.save.",
        )

    def _is_whole_model(self) -> bool:
        """Whether the text of a torch.nn.Module's insides is in the pickle."""
        text = bytes(self.data)
        return b"_modules" in text and b"_parameters" in text

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not _Function or type(arguments) is not tuple:
            raise refusal(Cause.UNSAFE)
        self._push(function.call(arguments))

    def _build(self) -> None:
        """A state_dict brings its modules' versions as an attribute, which nobody needs."""
        state, target = self._pop(), self._top()
        if type(target) is not dict or type(state) is not dict or list(state) != ["_metadata"]:
            raise refusal(Cause.UNSAFE)

    def _persistent_id(self) -> None:
        """('storage', type, key, device, number of elements[, None]) stands for a storage."""
        parts = self._pop()
        if type(parts) is not tuple or len(parts) not in (5, 6) or type(parts[1]) is not _StorageType:
            raise refusal(Cause.UNSAFE)
        word, kind, key, device, count = parts[:5]
        if word != "storage" or type(key) is not str or type(device) is not str or not is_count(count):
            raise refusal(Cause.DAMAGED)
        if parts[5:] not in ((), (None,)):  # a window on another storage: PyTorch before 0.4
            raise refusal(Cause.DAMAGED)
        self._push(self.find_storage(kind.name, key, count))


def check_nesting(value: object) -> None:
    """Refuse a value that is nested more than MAX_DEPTH deep, or that contains itself, or that has
    more than MAX_VALUES values when all that is shared is written out.

    Level by level, so that nothing here recurses either. Afterwards anyone may compare, copy or
    walk through the value.
    """
    level, seen = [value], 0
    for _ in range(MAX_DEPTH):
        deeper: list[object] = []
        for item in level:
            if type(item) is dict:
                deeper.extend(item.values())
            elif type(item) is list or type(item) is tuple:
                deeper.extend(item)
            if seen + len(deeper) > MAX_VALUES:
                raise refusal(Cause.BIG)
        seen += len(deeper)
        level = deeper
        if not level:
            return
    raise refusal(Cause.DAMAGED)


# What the names do


def _ordered_dict(arguments: tuple) -> dict:
    if arguments:
        raise refusal(Cause.DAMAGED)
    return {}  # a dict keeps its order too


def _rebuild_tensor(arguments: tuple) -> StoredTensor:
    """(storage, offset, shape, strides, requires_grad, hooks[, metadata])"""
    if len(arguments) not in (6, 7) or arguments[5:] not in (({},), ({}, None), ({}, {})):
        raise refusal(Cause.DAMAGED)
    storage, offset, shape, strides = arguments[:4]
    return view(storage, offset, shape, strides)


def _rebuild_parameter(arguments: tuple) -> StoredTensor:
    """(tensor, requires_grad, hooks)"""
    if len(arguments) != 3 or type(arguments[0]) is not StoredTensor:
        raise refusal(Cause.DAMAGED)
    return arguments[0]


def _size(arguments: tuple) -> tuple:
    if len(arguments) != 1 or type(arguments[0]) is not tuple:
        raise refusal(Cause.DAMAGED)
    return arguments[0]


def _counter(arguments: tuple) -> dict:
    """Beside the weights, in the state of a MultiStepLR; like torch.device it is read and not used."""
    if len(arguments) != 1 or type(arguments[0]) is not dict:
        raise refusal(Cause.UNSAFE)
    return arguments[0]


def _device(arguments: tuple) -> str:
    if [type(argument) for argument in arguments] not in ([str], [str, int]):
        raise refusal(Cause.UNSAFE)
    return ":".join(map(str, arguments))


NAMES = {
    "collections.OrderedDict": _Function(_ordered_dict),
    "collections.Counter": _Function(_counter),
    "torch.device": _Function(_device),
    "torch._utils._rebuild_tensor_v2": _Function(_rebuild_tensor),
    "torch._utils._rebuild_parameter": _Function(_rebuild_parameter),
    "torch.Size": _Function(_size),
}

STOP = ord(".")
# Each opcode by its byte, with pickletools' name for it.
OPERATIONS: dict[int, Callable[[PickleReader], None]] = {
    0x80: PickleReader._protocol,  # PROTO
    0x95: PickleReader._frame,  # FRAME
    ord("("): lambda reader: reader._push(_MARK),  # MARK
    ord("N"): lambda reader: reader._push(None),  # NONE
    0x88: lambda reader: reader._push(True),  # NEWTRUE
    0x89: lambda reader: reader._push(False),  # NEWFALSE
    ord("K"): lambda reader: reader._push(reader._number(1)),  # BININT1
    ord("M"): lambda reader: reader._push(reader._number(2)),  # BININT2
    ord("J"): PickleReader._signed,  # BININT
    0x8A: PickleReader._long,  # LONG1
    ord("G"): PickleReader._float,  # BINFLOAT
    0x8C: lambda reader: reader._push(reader._text(reader._number(1))),  # SHORT_BINUNICODE
    ord("X"): lambda reader: reader._push(reader._text(reader._number(4))),  # BINUNICODE
    ord("}"): lambda reader: reader._push({}),  # EMPTY_DICT
    ord("s"): PickleReader._set_one_item,  # SETITEM
    ord("u"): lambda reader: reader._set_items(reader._pop_to_mark()),  # SETITEMS
    ord("]"): lambda reader: reader._push([]),  # EMPTY_LIST
    ord("a"): PickleReader._append_one,  # APPEND
    ord("e"): lambda reader: reader._append(reader._pop_to_mark()),  # APPENDS
    ord(")"): lambda reader: reader._push(()),  # EMPTY_TUPLE
    0x85: lambda reader: reader._tuple(1),  # TUPLE1
    0x86: lambda reader: reader._tuple(2),  # TUPLE2
    0x87: lambda reader: reader._tuple(3),  # TUPLE3
    ord("t"): lambda reader: reader._push(tuple(reader._pop_to_mark())),  # TUPLE
    ord("q"): lambda reader: reader._remember(reader._number(1)),  # BINPUT
    ord("r"): lambda reader: reader._remember(reader._number(4)),  # LONG_BINPUT
    0x94: lambda reader: reader._remember(len(reader._memo)),  # MEMOIZE
    ord("h"): lambda reader: reader._recall(reader._number(1)),  # BINGET
    ord("j"): lambda reader: reader._recall(reader._number(4)),  # LONG_BINGET
    ord("c"): lambda reader: reader._global(reader._line(), reader._line()),  # GLOBAL
    0x93: PickleReader._stack_global,  # STACK_GLOBAL
    ord("R"): PickleReader._reduce,  # REDUCE
    ord("b"): PickleReader._build,  # BUILD
    ord("Q"): PickleReader._persistent_id,  # BINPERSID
}
# The rest of pickle's language: it calls, makes other types, or is of older protocols.
OTHER_OPCODES = frozenset(b"FILPSTUVBCido0120g\x81\x82\x83\x84\x8b\x8d\x8e\x8f\x90\x91\x92\x96\x97\x98lp")
