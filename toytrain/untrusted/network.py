"""Which network a state_dict is: its layers in order, read off the shapes alone.

Names say only which tensors belong together; whatever else a file claims of its architecture is
not looked at. Shapes are judged before a tensor is copied, numbers after. This floor knows Linear
and BatchNorm1d: activations and dropout leave no trace in a state_dict.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from ..config import FEATURES, Config, limits
from .refusals import Cause, quoted, refusal
from .tensors import MAX_COUNT, StoredTensor

WRAPPERS = ("model_state_dict", "state_dict", "model")
PREFIXES = ("module.", "_orig_mod.", "model.")  # DistributedDataParallel, torch.compile, an attribute
MAX_PREFIXES = 8
MAX_TENSORS = 200  # the largest network that this app can show has 44

FLOATS = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16",
          torch.float64: "float64"}  # fmt: skip
MAX_OUTPUTS = int(limits("classes").high or 0)
MAX_WIDTH = int(limits("hidden").high or 0)
MAX_HIDDEN = (limits("hidden").count or (0, 0))[1]

LINEAR = ("weight", "bias")
BATCH_NORM = (*LINEAR, "running_mean", "running_var", "num_batches_tracked")


@dataclass
class Layer:
    """A module by its name in the file, with its tensors by the last word of their names."""

    name: str
    tensors: dict[str, StoredTensor] = field(default_factory=dict)

    @property
    def is_batch_norm(self) -> bool:
        return "running_mean" in self.tensors


@dataclass(frozen=True)
class Network:
    """A chain of Linear layers: the Config of a new run of it, and every tensor in the order of that
    network's state_dict, with its key in the file. `notes` says what was converted, and what the file does
    not hold."""

    config: Config
    tensors: list[torch.Tensor]
    keys: tuple[str, ...]
    notes: tuple[str, ...]


def read_network(value: object) -> Network:
    """The network of a bare state_dict, its numbers checked and in float32.

    Raises a ToytrainError of the Cause NOSTATE, UNFIT or NONFINITE.
    """
    state, notes = _find_state(value)
    layers = _layers(state)
    for layer in layers:
        _check_layer(layer)
    linear = _in_order([layer for layer in layers if not layer.is_batch_norm])
    norms = _in_order([layer for layer in layers if layer.is_batch_norm])
    _check_batch_norms(linear, norms)
    config = _new_config(_check_chain(linear), bool(norms))
    in_turn = [layer for place, hidden in enumerate(linear) for layer in (hidden, *norms[place : place + 1])]
    keys = tuple(key for layer in in_turn for key in _keys(layer))
    tensors = [tensor for layer in in_turn for tensor in _read(layer)]
    return Network(config, tensors, keys, (*_conversions(state), *notes, *_missing(config)))


def _find_state(value: object) -> tuple[dict[str, StoredTensor], tuple[str, ...]]:
    """The state_dict in a file's value, without wrapper and prefixes, and notes on what was left aside."""
    notes: tuple[str, ...] = ()
    if type(value) is not dict:
        raise refusal(Cause.NOSTATE)
    state: dict = value
    wrapper = next((name for name in WRAPPERS if type(state.get(name)) is dict), None)
    if wrapper:
        others = [quoted(other) for other in state if other != wrapper][:3]
        if others:
            notes = (f"Beside {quoted(wrapper)} the file holds more ({', '.join(others)}), not used here.",)
        state = state[wrapper]
    return _without_prefixes(_check_is_state(state)), notes


def _check_is_state(value: dict) -> dict[str, StoredTensor]:
    """The value, in which names stand for tensors, at least one and not too many."""
    if not any(type(item) is StoredTensor for item in value.values()):
        raise refusal(Cause.NOSTATE)
    if len(value) > MAX_TENSORS:
        raise refusal(Cause.UNFIT)
    for name, item in value.items():
        if type(name) is not str or type(item) is not StoredTensor:
            raise refusal(
                Cause.NOSTATE,
                f"The entry {quoted(name)} of this file is no tensor; save model.state_dict() alone with "
                "torch.save.",
            )
    return value


def _without_prefixes(state: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """The same tensors by shorter names, as long as a known prefix stands before every name."""
    for _ in range(MAX_PREFIXES):
        prefix = next((known for known in PREFIXES if all(name.startswith(known) for name in state)), None)
        if prefix is None:
            break
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _layers(state: dict[str, StoredTensor]) -> list[Layer]:
    """The modules of a state_dict in the order of the file."""
    layers: dict[str, Layer] = {}
    for key, tensor in state.items():
        name, _, part = key.rpartition(".")
        layer = layers.setdefault(name, Layer(name))
        if part not in BATCH_NORM or part in layer.tensors:  # the second: 'weight' and '.weight'
            raise _unfit(f"The tensor {quoted(key)} belongs to a kind of layer that this app cannot show")
        layer.tensors[part] = tensor
    return list(layers.values())


def _in_order(layers: list[Layer]) -> list[Layer]:
    """Layers of one kind as they follow one another. Names that differ in a number alone (fc1, fc2) are
    ordered by it, as in torch.nn.Sequential, where PyTorch too pays no heed to the order of the file."""
    numbered = [(*_stem_and_number(layer), layer) for layer in layers]
    if len({stem for stem, _, _ in numbered}) != 1 or any(number < 0 for _, number, _ in numbered):
        return layers
    return [layer for _, _, layer in sorted(numbered, key=lambda entry: entry[1])]


def _stem_and_number(layer: Layer) -> tuple[str, int]:
    """'layers.3' -> 'layers.', 3; without a number at its end -1."""
    stem = layer.name.rstrip("0123456789")
    digits = layer.name[len(stem) :]
    return stem, int(digits) if 0 < len(digits) <= 6 else -1


def _check_layer(layer: Layer) -> None:
    """A Linear with weight (out, in) and bias (out,), or a whole BatchNorm1d of one width."""
    name, parts = quoted(layer.name), layer.tensors
    for part, tensor in parts.items():
        if part != "num_batches_tracked" and tensor.dtype not in FLOATS:
            raise _unfit(f"The tensor {quoted(layer.name + '.' + part)} does not hold floating-point numbers")
    optional = {"num_batches_tracked"} if layer.is_batch_norm else set()
    expected = set(BATCH_NORM if layer.is_batch_norm else LINEAR)
    if not expected - optional <= parts.keys() <= expected:
        raise _unfit(
            f"The layer {name} is neither a Linear with a bias nor a BatchNorm1d with weights and statistics"
        )
    weight, bias = parts["weight"].shape, parts["bias"].shape
    if layer.is_batch_norm:
        _check_batch_norm_shapes(layer)
    elif len(weight) != 2 or bias != weight[:1]:
        raise _unfit(f"The layer {name} is no Linear layer")


def _check_batch_norm_shapes(layer: Layer) -> None:
    shapes = {tensor.shape for part, tensor in layer.tensors.items() if part != "num_batches_tracked"}
    count = layer.tensors.get("num_batches_tracked")
    counts = count is None or (count.shape == () and count.dtype == torch.int64)
    if len(shapes) != 1 or len(shapes.pop()) != 1 or not counts:
        raise _unfit(f"The layer {quoted(layer.name)} is no BatchNorm1d")


def _check_batch_norms(linear: list[Layer], norms: list[Layer]) -> None:
    """Batch norm stands directly behind every Linear but the last, or nowhere."""
    if norms and len(norms) != len(linear) - 1:
        raise _unfit("Batch norm does not stand behind each hidden layer of this network, and there alone")
    for before, layer in zip(linear, norms, strict=False):
        if layer.tensors["weight"].shape != before.tensors["bias"].shape:
            raise _unfit(f"The batch norm {quoted(layer.name)} has another width than the layer before it")
        # Numbered together, as in a Sequential, they tell whether an activation stands between them.
        (stem, place), (other, behind) = _stem_and_number(before), _stem_and_number(layer)
        if stem == other and place >= 0 and behind != place + 1:
            raise _unfit(f"The batch norm {quoted(layer.name)} does not stand directly behind a Linear layer")


def _check_chain(linear: list[Layer]) -> tuple[int, ...]:
    """The widths from the inputs to the outputs, where each layer takes what the one before it gives."""
    if not 2 <= len(linear) <= MAX_HIDDEN + 1:
        raise refusal(Cause.UNFIT)
    widths = [linear[0].tensors["weight"].shape[1]]
    for layer in linear:
        outputs, inputs = layer.tensors["weight"].shape
        if inputs != widths[-1]:
            raise _unfit(
                f"The layer {quoted(layer.name)} takes {inputs} values, but the one before it gives "
                f"{widths[-1]}"
            )
        widths.append(outputs)
    if any(not 1 <= width <= MAX_WIDTH for width in widths[1:-1]):
        raise refusal(Cause.UNFIT)
    if not 1 <= widths[0] <= len(FEATURES) or not 1 <= widths[-1] <= MAX_OUTPUTS:
        raise refusal(
            Cause.UNFIT,
            f"This network has {widths[0]} inputs and {widths[-1]} outputs; this app shows 1 to "
            f"{len(FEATURES)} inputs and 1 to {MAX_OUTPUTS} outputs.",
        )
    return tuple(widths)


def _new_config(widths: tuple[int, ...], batch_norm: bool) -> Config:
    """The Config of a new run of these widths, on data with as many classes as there are outputs."""
    inputs, *hidden, outputs = widths
    return Config(
        dataset={1: "plane", 2: "moons"}.get(outputs, "blobs"),
        classes=max(outputs, 2),
        features=FEATURES[:inputs],
        hidden=tuple(hidden),
        batch_norm=batch_norm,
    )


def _keys(layer: Layer) -> list[str]:
    """The names of the layer's tensors in the order of a state_dict."""
    parts = BATCH_NORM if layer.is_batch_norm else LINEAR
    return [f"{layer.name}.{part}".removeprefix(".") for part in parts]


def _read(layer: Layer) -> Iterator[torch.Tensor]:
    """The layer's tensors in the order of a state_dict."""
    for key in _keys(layer):
        part = key.rpartition(".")[2]
        if part != "num_batches_tracked":
            yield read_weights(key, layer.tensors[part])
        elif part in layer.tensors:
            yield read_number_of_batches(key, layer.tensors[part])
        else:
            yield torch.tensor(0)  # PyTorch before 0.4.1 did not save it


def read_weights(key: str, stored: StoredTensor, of_a_run: bool = False) -> torch.Tensor:
    """The finite numbers of a tensor, in float32.

    Of a run's own batch norm the variance may be infinite: at a high learning rate it overflows, and
    the run goes on, because training does not look at it.
    """
    tensor = stored.read().to(torch.float32)
    is_variance = key.endswith("running_var")
    may_overflow = is_variance and of_a_run
    if tensor.isnan().any() or (tensor.isinf().any() and not may_overflow):  # converting can overflow too
        raise refusal(Cause.NONFINITE)
    if is_variance and (tensor < 0).any():  # its square root would be no number
        raise _unfit(f"The tensor {quoted(key)} holds a negative variance")
    return tensor


def read_number_of_batches(key: str, stored: StoredTensor) -> torch.Tensor:
    """How many batches a batch norm has seen."""
    count = stored.read()
    if not 0 <= count <= MAX_COUNT:
        raise _unfit(f"The tensor {quoted(key)} is no possible count")
    return count


def _conversions(state: dict[str, StoredTensor]) -> Iterator[str]:
    others = {FLOATS[item.dtype] for item in state.values() if item.dtype in FLOATS} - {"float32"}
    if others:
        yield f"The weights were stored as {' and '.join(sorted(others))} and converted to float32."


def _unfit(what: str) -> Exception:
    return refusal(
        Cause.UNFIT,
        f"{what}; this app shows Linear layers in a chain, with batch norm behind all hidden ones or none.",
    )


def _missing(config: Config) -> Iterator[str]:
    """What a state_dict does not hold, in sentences."""
    inputs = len(config.features)
    yield (
        "A state_dict holds no activation and no optimizer: ReLU and a new optimizer are taken unless others "
        "are chosen."
    )
    yield (
        f"It does not say which features its {inputs} inputs were: {', '.join(config.features)} are taken "
        "unless others are chosen."
    )
    yield "It holds no losses, no data and no random state: those of a new run are taken."
    if config.batch_norm:
        yield "Batch norm is taken to stand before the activation."
