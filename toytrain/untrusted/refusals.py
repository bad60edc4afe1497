"""Why a file is refused: one short word and one sentence per cause.

A sentence says what is wrong and what to do, in words for a student. It is never PyTorch's own
message (up to 1,000 characters, and some of them advise to switch the protection off), and of the
file's text it holds at most one short name.
"""

from enum import StrEnum

from ..errors import ToytrainError

SAVE = 'torch.save(model.state_dict(), "model.pth")'
ANOTHER_MACHINE = "This file was saved on a machine with another order of bytes; save it on this one."


class Cause(StrEnum):
    """The `code` of the ToytrainError that refuses a file."""

    EMPTY = "empty"  # no byte in it
    BIG = "big"  # larger than MAX_BYTES
    FOREIGN = "foreign"  # no checkpoint at all: a picture, a table, a zip of something else
    OTHER = "other"  # another kind of PyTorch file: a whole model, TorchScript, a bare pickle
    DAMAGED = "damaged"  # cut off, changed, or put together as PyTorch never does
    UNSAFE = "unsafe"  # asks Python to run something
    NOSTATE = "nostate"  # PyTorch's, but without a state_dict
    UNFIT = "unfit"  # not a network that this app can show
    NONFINITE = "nonfinite"  # weights or losses that are nan or infinite
    SETTINGS = "settings"  # a full checkpoint's Config or position out of range
    OPTIMIZER = "optimizer"  # a full checkpoint's optimizer state belongs to another network


SENTENCES = {
    Cause.EMPTY: "This file is empty; save or download it again.",
    Cause.BIG: "This file is too big for a network that this app can show; save the weights alone.",
    Cause.FOREIGN: f"This file is not a checkpoint; take one that was saved with {SAVE}.",
    Cause.OTHER: f"This is another kind of PyTorch file; save the weights alone with {SAVE}.",
    Cause.DAMAGED: "This file is damaged and nothing that PyTorch can open; save or download it again.",
    Cause.UNSAFE: f"This file could run a program on the computer that opens it, so it was not opened; "
                  f"save the weights alone with {SAVE}.",
    Cause.NOSTATE: f"This file holds no state_dict; save the weights with {SAVE}.",
    Cause.UNFIT: "This is not a network that this app can show; it shows Linear layers in a chain, with "
                 "1 to 6 hidden layers of 1 to 64 neurons.",
    Cause.NONFINITE: "This network's weights are not all finite numbers; train it again with a lower "
                     "learning rate.",
    Cause.SETTINGS: "This checkpoint's settings are out of range; save it again from the app.",
    Cause.OPTIMIZER: "This checkpoint's optimizer state belongs to another network; save it again from "
                     "the app.",
}  # fmt: skip


def refusal(cause: Cause, sentence: str = "", field: str | None = None) -> ToytrainError:
    """The error to raise: the cause's own sentence, or one that names the place more exactly."""
    return ToytrainError(sentence or SENTENCES[cause], field=field, code=cause.value)


def quoted(name: object) -> str:
    """A name out of the file as a sentence may show it: short, plain characters, in quotes."""
    if type(name) is not str:
        return "an entry without a name"
    plain = "".join(character if _is_plain(character) else "?" for character in name[:41])
    return f"'{plain}'" if len(name) <= 40 else f"'{plain[:37]}...'"


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "._-")
