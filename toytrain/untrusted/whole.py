"""Whether the parts of a full checkpoint fit one another; what of them may become a Snapshot.

The Config must describe the network of the weights, the position must be one that its data lead
to, and the generator's state one that PyTorch itself could have left. `toytrain.checkpoint`
describes the entries and puts the Snapshot together; the optimizer's state has a module of its own.
"""

from array import array

import torch

from ..config import FIELDS, Config, limits
from ..edits import MOST_EDITS, Edits, check_edit
from ..errors import ToytrainError
from ..model import NeuralNetwork
from ..random_state import RandomState
from .network import read_number_of_batches, read_weights
from .refusals import Cause, quoted, refusal
from .tensors import StoredTensor

VERSION = 1
ENTRIES = frozenset({
    "config", "model_state_dict", "optimizer_state_dict", "steps", "epoch", "batch", "random_state",
    "epoch_random_state", "losses", "tests", "learning_rates", "diverged",
    "initial_state_dict",
})  # fmt: skip
MAX_STEPS = 2**31  # far beyond any run
MAX_SENTENCE = 200
MAX_ITEMS = 40  # characters of a text and values of a list in a Config

MERSENNE = 624  # numbers in the state of the CPU's generator
CPU_STATE, CUDA_STATE, MOST_MPS_STATE = 5056, 16, 64  # bytes


def check_parts(state: dict) -> None:
    """All entries must be there, in the version that this toytrain writes."""
    if type(state.get("version")) is not int or state["version"] != VERSION:
        raise refusal(
            Cause.SETTINGS,
            f"This checkpoint is of another version than {VERSION}, the one that this toytrain reads; "
            "update toytrain.",
        )
    if not state.keys() >= ENTRIES:
        raise refusal(Cause.DAMAGED, "This checkpoint is incomplete; save it again from the app.")


# Settings and weights


def read_config(stored: object) -> Config:
    """The Config. Its own errors quote values, which in a stranger's file may be any text."""
    if type(stored) is not dict:
        raise refusal(Cause.SETTINGS)
    for name, value in stored.items():
        if name not in FIELDS:
            raise _settings(f"This checkpoint has a setting {quoted(name)}, which is not known")
        items = value if type(value) in (list, tuple) else [value]
        letters = limits(name).letters or MAX_ITEMS
        if len(items) > MAX_ITEMS or not all(_is_plain(item, letters) for item in items):
            raise _settings(f"This checkpoint's setting {name} is out of range", name)
    try:
        return Config.from_dict(stored)
    except ToytrainError as error:
        raise settings_refusal(error) from None


def _is_plain(item: object, letters: int) -> bool:
    """Whether this is a number, or a text no longer than its setting may have."""
    return type(item) in (int, float, bool) or (type(item) is str and len(item) <= letters)


def settings_refusal(error: ToytrainError) -> ToytrainError:
    """The refusal of a Config that was refused with this error."""
    return _settings(f"This checkpoint's setting {error.field} is out of range", error.field)


def _settings(what: str, field: str | None = None) -> ToytrainError:
    return refusal(Cause.SETTINGS, f"{what}; save it again from the app.", field)


def read_state_dict(stored: object, model: NeuralNetwork) -> dict[str, torch.Tensor]:
    """The weights of the Config's network, which must be exactly that network's."""
    if type(stored) is not dict or not stored:
        raise refusal(Cause.NOSTATE)
    expected = model.state_dict()
    if stored.keys() != expected.keys():
        raise _settings("This checkpoint's settings describe another network than its weights", "hidden")
    for key, tensor in expected.items():
        if type(stored[key]) is not StoredTensor:
            raise refusal(Cause.NOSTATE)
        if stored[key].shape != tuple(tensor.shape):
            raise _settings("This checkpoint's settings describe another network than its weights", "hidden")
        if stored[key].dtype != tensor.dtype:  # such a run could not go on as it was
            raise _settings("This checkpoint's weights are of another type than this app saves")
    return {
        key: read_number_of_batches(key, stored[key])
        if tensor.dtype == torch.int64
        else read_weights(key, stored[key], of_a_run=True)
        for key, tensor in expected.items()
    }


# Position and history


def read_position(state: dict, batches: int) -> tuple[int, int, int]:
    """Steps, epoch and batch, where an epoch has so many batches. They may lie behind the Config's last
    epoch: `--resume --epochs` can ask for fewer than were done."""
    numbers = state["steps"], state["epoch"], state["batch"]
    if any(type(number) is not int or not 0 <= number <= MAX_STEPS for number in numbers):
        raise _settings("This checkpoint's position is out of range")
    steps, epoch, batch = numbers
    if batch >= batches or steps != epoch * batches + batch:
        raise _settings("This checkpoint's steps, epoch and batch do not fit one another")
    return steps, epoch, batch


def read_diverged(stored: object) -> str:
    """The sentence with which a run ended, or ""."""
    if type(stored) is not str or len(stored) > MAX_SENTENCE or not stored.isprintable():
        raise refusal(Cause.SETTINGS)
    return stored


def is_learning_rate(value: object) -> bool:
    """Whether this is a number that a run may take as its learning rate."""
    bounds = limits("learning_rate")
    return type(value) in (int, float) and (bounds.low or 0) <= value <= (bounds.high or 0)  # type: ignore


def read_learning_rates(stored: object) -> dict[int, float]:
    """Step -> the learning rate set before it.

    In any order, and of steps still to come too: a run that a dead worker threw back to its last
    checkpoint knows already what its user changed after it.
    """
    if type(stored) is not list:
        raise refusal(Cause.SETTINGS)
    rates: dict[int, float] = {}
    for change in stored:
        if type(change) not in (list, tuple) or len(change) != 2:
            raise refusal(Cause.SETTINGS)
        step, rate = change
        if type(step) is not int or not 0 <= step <= MAX_STEPS or step in rates:
            raise _settings("This checkpoint's learning rates were set at steps that are out of range")
        if not is_learning_rate(rate):
            raise _settings("This checkpoint's learning rate is out of range", "learning_rate")
        rates[step] = float(rate)
    return rates


def read_edits(stored: object, model: NeuralNetwork) -> Edits:
    """Step -> the weights set by hand there; of steps still to come too, as with learning rates."""
    if type(stored) is not list or len(stored) > MOST_EDITS:
        raise refusal(Cause.SETTINGS)
    shapes = {key: tuple(parameter.shape) for key, parameter in model.named_parameters()}
    edits: Edits = {}
    for edit in stored:
        if type(edit) not in (list, tuple) or len(edit) != 4:
            raise refusal(Cause.SETTINGS)
        step, *rest = edit
        if type(step) is not int or not 0 <= step <= MAX_STEPS:
            raise _settings("This checkpoint's weights were set by hand at steps that are out of range")
        try:
            place, value = check_edit(shapes, *rest)
        except ToytrainError as error:
            raise _settings("This checkpoint's weights set by hand do not fit its network") from error
        if place in edits.setdefault(step, {}):
            raise refusal(Cause.SETTINGS)
        edits[step][place] = value
    return edits


def read_losses(stored: object, steps: int) -> array:
    """Each batch loss, or none at all: the engine keeps the history apart."""
    if type(stored) is not StoredTensor or stored.dtype != torch.float32:
        raise refusal(Cause.SETTINGS)
    if stored.shape not in ((steps,), (0,)):
        raise _settings("This checkpoint has another number of losses than steps")
    losses = stored.read()
    if not losses.isfinite().all():
        raise refusal(
            Cause.NONFINITE,
            "This checkpoint's losses are not all finite numbers; save it again from the app.",
        )
    return array("f", losses.numpy().tobytes())


def read_tests(stored: object, epoch: int, batches: int) -> array:
    """Step, test loss and score at the ends of epochs, each later than the one before it.

    A loss or a score may be infinite or no number in an honest run: the test rows are looked at after
    the step that spoils the weights and before the one that tells. The steps may not.
    """
    if type(stored) is not StoredTensor or stored.dtype != torch.float64:
        raise refusal(Cause.SETTINGS)
    if len(stored.shape) != 2 or stored.shape[1] != 3 or stored.shape[0] > epoch:
        raise _settings("This checkpoint has another number of tests than epochs")
    tests = stored.read()
    steps = tests[:, 0]
    in_range = ((steps >= 1) & (steps <= epoch * batches)).all()  # which no nan is
    if not in_range or (steps % batches != 0).any() or (steps.diff() <= 0).any():
        raise _settings("This checkpoint's tests were made at steps where no epoch ends")
    return array("d", tests.numpy().tobytes())


# Random state


def read_epoch_random_state(stored: object, device: str, batch: int) -> RandomState | None:
    """The state at the start of an unfinished epoch, without which its batches cannot be dealt again."""
    if (stored is None) != (batch == 0):
        raise _settings("This checkpoint's random state does not fit its position")
    return None if stored is None else read_random_state(stored, device)


def read_random_state(stored: object, device: str) -> RandomState:
    """The generators' states by device: the CPU's, and perhaps that of the device of the run."""
    if type(stored) is not dict or "cpu" not in stored or not stored.keys() <= {"cpu", device}:
        raise _settings("This checkpoint's random state is of another device than its settings")
    state: RandomState = {}
    for name, tensor in stored.items():
        if type(tensor) is not StoredTensor or tensor.dtype != torch.uint8 or len(tensor.shape) != 1:
            raise _settings("This checkpoint's random state is damaged")
        if not _has_length(name, tensor.shape[0]):
            raise _settings("This checkpoint's random state is damaged")
        state[name] = tensor.read()
    if not _is_cpu_state(state["cpu"]) or not _is_cuda_state(state.get("cuda")):
        raise _settings("This checkpoint's random state is damaged")
    return state


def _has_length(device: str, length: int) -> bool:
    return {"cpu": length == CPU_STATE, "cuda": length == CUDA_STATE, "mps": length <= MOST_MPS_STATE}[device]


def _is_cpu_state(state: torch.Tensor) -> bool:
    """Whether a Mersenne Twister could be in this state; a generator of its own tries it.

    PyTorch looks at `left` and `next` one by one. Together they must reach the end of the 624 numbers
    and no further: else the twister would read on behind them, into the process's memory, and tell of
    it by the order of the batches.
    """
    raw = state.numpy().tobytes()
    left = int.from_bytes(raw[8:12], "little", signed=True)
    following = int.from_bytes(raw[16:24], "little")
    if (left, following) != (1, 0) and not (1 <= left <= MERSENNE and left + following == MERSENNE + 1):
        return False
    generator = torch.Generator()
    try:
        generator.set_state(state)
    except RuntimeError:
        return False
    return torch.equal(generator.get_state(), state)


def _is_cuda_state(state: torch.Tensor | None) -> bool:
    """Seed and offset; CUDA takes an offset in fours only."""
    return state is None or int.from_bytes(state[8:].numpy().tobytes(), "little") % 4 == 0
