"""Untrusted files: what a stranger's bytes may become, and nothing else.

A student can upload any file, and one server serves thirty of them. `torch.load`, even with
weights_only=True, can be frozen, crashed, made to take gigabytes or to hand out old memory by a
kilobyte; no time-out in a thread helps against that. So a file is read here as data. Four floors,
each of which trusts only what the one below has checked:

    zipped, legacy     the container: PyTorch's two file formats -> the pickle and the numbers' bytes
    pickled            the pickle's opcodes -> dict, list, tuple, str, int, float, bool, None, StoredTensor
    tensors            a tensor as a view on its bytes, checked against them, copied out on demand
    network, whole,    the meaning: which layers these are; whether a run's parts fit one another
    optimizer          and whether an optimizer's state fits the network

No floor calls anything that the file names. Whatever is wrong is a ToytrainError with a `Cause`.
"""

from . import legacy, zipped
from .refusals import SENTENCES, Cause, refusal

MAX_BYTES = 12 * 2**20  # more than a full checkpoint of the longest run that the engine trains

__all__ = ["MAX_BYTES", "SENTENCES", "Cause", "read", "refusal"]


def read(data: bytes, most_bytes: int = MAX_BYTES) -> object:
    """What a file of PyTorch's holds, as plain values and StoredTensors; nested at most a few levels.

    Raises a ToytrainError whose `code` is a Cause. Takes time and memory in proportion to the
    bytes, whatever they claim.
    """
    if not data:
        raise refusal(Cause.EMPTY)
    if len(data) > most_bytes:
        raise refusal(
            Cause.BIG,
            f"This file is larger than {most_bytes / 2**20:.3g} MB, more than any network that this app "
            "can show; save the weights alone.",
        )
    if zipped.is_zip(data):
        return zipped.read(data)
    if legacy.is_pickle(data):
        return legacy.read(data)
    if _is_safetensors(data):
        raise refusal(
            Cause.OTHER,
            "This is a safetensors file; load it with safetensors.torch.load_file and save the result "
            "with torch.save.",
        )
    raise refusal(Cause.FOREIGN)


def _is_safetensors(data: bytes) -> bool:
    """A safetensors file begins with the length of a JSON object and that object."""
    return data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data) - 8
