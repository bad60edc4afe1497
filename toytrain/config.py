"""Config: everything a run is made of, as one flat, frozen, hashable value.

Equal Configs are the same run: cache key, query string, checkpoint entry and script all hold one.
Limits, unit, help and the book's section are field metadata, so that the command line and the page
are read off the fields. Nothing here knows PyTorch or looks at data: what depends on the points
(a batch larger than the training rows) is checked where the data is made, in `data.py`.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .datasets import DATASETS, OWN
from .errors import ToytrainError
from .rows import EXAMPLE, MOST_LETTERS, canonical

FEATURES = ("x1", "x2", "x1^2", "x2^2", "x1*x2", "sin(x1)", "sin(x2)")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "leaky_relu", "linear")
# Each optimizer with the settings it takes beside the learning rate.
OPTIMIZERS = {
    "sgd": ("momentum", "nesterov", "weight_decay"),
    "adam": ("weight_decay",),
    "adamw": ("weight_decay",),
    "rmsprop": ("momentum", "weight_decay"),
}
# Each schedule of the learning rate with its settings.
SCHEDULES = {
    "constant": (),
    "step": ("step_size", "gamma"),
    "cosine": ("t_max",),
    "warmup": ("warmup_epochs",),
}
DEVICES = ("cpu", "cuda", "mps")
GROUPS = ("data", "features", "network", "training")


@dataclass(frozen=True)
class Limits:
    """What a field may hold, as the metadata of that field.

    `low` and `high` bound each number, `choices` names each permitted text, `letters` bounds the
    length of a text without choices, `count` the length of a tuple. `step` is what a click on + adds.
    """

    help: str
    group: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    letters: int | None = None
    count: tuple[int, int] | None = None
    step: float | None = None
    unit: str = ""
    book: str = ""

    def describe(self) -> str:
        """The permitted range in words: '1 to 1024', 'one of sgd, adam'."""
        if self.letters:
            return f"a text of up to {self.letters:,} characters"
        one = f"one of {', '.join(self.choices)}" if self.choices else f"{self.low:g} to {self.high:.10g}"
        return f"{self.count[0]} to {self.count[1]} values, each {one}" if self.count else one


def option(default: Any, help: str, group: str, **limits: Any) -> Any:
    """A Config field with its default and its Limits."""
    return field(default=default, metadata={"limits": Limits(help, group, **limits)})


@dataclass(frozen=True)
class Config:
    """What a run is made of. A value out of range is refused with a ToytrainError that names it.

    A field that a choice leaves without a use is ignored: points, noise and seed of the book's
    five points, momentum of Adam. Own points know their number of classes, which `classes` then is.
    """

    dataset: str = option("moons", "Which toy data to learn.", "data", choices=tuple(DATASETS), book="A.6")
    points: int = option(500, "How many points, for training and testing together.", "data",
                         low=10, high=5000, step=50)  # fmt: skip
    noise: float = option(0.1, "Standard deviation of the noise added to the points (for "
                          "regression: to the targets).", "data", low=0, high=2, step=0.05)  # fmt: skip
    classes: int = option(2, "How many classes (blobs, imbalanced and spirals can have more than "
                          "two).", "data", low=2, high=10, book="A.5")  # fmt: skip
    data_seed: int = option(0, "Seed of the data: another seed, another sample.", "data",
                            low=0, high=2**32 - 1)  # fmt: skip
    test_fraction: float = option(0.2, "Share of the points kept back for testing.", "data",
                                  low=0.05, high=0.9, step=0.05, book="A.7")  # fmt: skip
    label_noise: float = option(0.0, "Share of the training labels that are changed to another class at "
                                "random; the test labels stay right.", "data",
                                low=0, high=1, step=0.05)  # fmt: skip
    imbalance: float = option(0.0, "Share of the points of every class but class 0 that is taken away.",
                              "data", low=0, high=0.99, step=0.1)  # fmt: skip
    rows: str = option(EXAMPLE, "Own points as x1,x2,label;x1,x2,label;… with labels from 0 (dataset own).",
                       "own", letters=MOST_LETTERS)  # fmt: skip
    features: tuple[str, ...] = option(
        ("x1", "x2"),
        "What the network sees of a point.",
        "features",
        choices=FEATURES,
        count=(1, len(FEATURES)),
    )
    hidden: tuple[int, ...] = option((30, 20), "Neurons in each hidden layer, from first to last.",
                                     "network", low=1, high=64, count=(1, 6),
                                     unit="neurons", book="A.5")  # fmt: skip
    activation: str = option(
        "relu", "What follows each hidden layer.", "network", choices=ACTIVATIONS, book="A.5"
    )
    dropout: float = option(0.0, "Share of hidden values set to zero at random while training.",
                            "network", low=0, high=0.9, step=0.1)  # fmt: skip
    batch_norm: bool = option(False, "Normalise each hidden layer over the batch.", "network")
    learning_rate: float = option(0.1, "How far a step goes. It may change while the run goes on.",
                                  "training", low=1e-6, high=100, step=0.01, book="A.7")  # fmt: skip
    schedule: str = option("constant", "How the learning rate changes at the end of each epoch: step "
                           "(StepLR), cosine (CosineAnnealingLR) or warmup (LinearLR, from a third of the "
                           "rate). A rate set by hand meanwhile is where the schedule goes on from.",
                           "training", choices=tuple(SCHEDULES))  # fmt: skip
    step_size: int = option(10, "Every so many epochs the learning rate is multiplied by gamma.",
                            "training", low=1, high=100_000, unit="epochs")  # fmt: skip
    gamma: float = option(0.1, "What the learning rate is multiplied by.",
                          "training", low=0.001, high=1, step=0.1)  # fmt: skip
    t_max: int = option(100, "In so many epochs the learning rate falls to 0 along a cosine, and then rises "
                        "again.", "training", low=1, high=100_000, unit="epochs")  # fmt: skip
    warmup_epochs: int = option(5, "In so many epochs the learning rate rises from a third to the whole.",
                                "training", low=1, high=100_000, unit="epochs")  # fmt: skip
    batch_size: int = option(32, "Training examples per step.", "training",
                             low=1, high=1024, unit="examples", book="A.6")  # fmt: skip
    optimizer: str = option(
        "sgd", "How a gradient changes the weights.", "training", choices=tuple(OPTIMIZERS), book="A.7"
    )
    momentum: float = option(0.0, "How much of the last step goes on (SGD and RMSprop).",
                             "training", low=0, high=0.999, step=0.1)  # fmt: skip
    nesterov: bool = option(False, "Nesterov's momentum (SGD with momentum above 0).", "training")
    weight_decay: float = option(0.0, "L2: pulls the weights towards zero in proportion to their "
                                 "size.", "training", low=0, high=1, step=0.001)  # fmt: skip
    l1: float = option(0.0, "L1: adds this times the sum of absolute weights to the batch loss.",
                       "training", low=0, high=1, step=0.0001)  # fmt: skip
    clip_norm: float = option(0.0, "Scales the gradients of a batch down to this norm if theirs is larger "
                              "(clip_grad_norm_); 0: never.", "training",
                              low=0, high=1000, step=0.1)  # fmt: skip
    shuffle: bool = option(
        True, "Deal the training examples in a new order each epoch.", "training", book="A.6"
    )
    drop_last: bool = option(
        False, "Leave out the last batch of an epoch if it is not full.", "training", book="A.6"
    )
    num_workers: int = option(0, "Processes that load batches beside the training. They change no "
                              "figure: the page trains without them, the script and the command "
                              "line use them.", "training", low=0, high=8,
                              unit="processes", book="A.6")  # fmt: skip
    seed: int = option(123, "Seed of the weights and of the order of the batches.", "training",
                       low=0, high=2**32 - 1, book="A.5")  # fmt: skip
    device: str = option("cpu", "Where the tensors live.", "training", choices=DEVICES, book="A.9")
    epochs: int = option(0, "How often to go through the training data; 0: until paused.",
                         "training", low=0, high=100_000, unit="epochs", book="A.7")  # fmt: skip
    target_loss: float = option(0.0, "Ends the run after the first epoch with a test loss of this or less; "
                                "0: never.", "training", low=0, high=1000, step=0.01)  # fmt: skip
    target_accuracy: float = option(0.0, "Ends the run after the first epoch with a test accuracy (for "
                                    "regression: R²) of this or more; 0: never.", "training",
                                    low=0, high=1, step=0.01)  # fmt: skip
    patience: int = option(0, "Ends the run when the test loss has not reached a new low for so many "
                           "epochs; 0: never.", "training", low=0, high=100_000, unit="epochs")  # fmt: skip

    def __post_init__(self):
        for spec in dataclasses.fields(self):
            checked = _check(spec, getattr(self, spec.name))
            object.__setattr__(self, spec.name, checked)
        rows, own_classes = canonical(self.rows)
        object.__setattr__(self, "rows", rows)
        if self.dataset == OWN:
            object.__setattr__(self, "classes", own_classes)
        DATASETS[self.dataset].check_classes(self.dataset, self.classes)
        if self.optimizer == "sgd" and self.nesterov and self.momentum == 0:
            raise ToytrainError(
                "nesterov = True needs momentum; set momentum above 0 or switch nesterov off.",
                field="nesterov",
            )
        if self.batch_norm and self.batch_size == 1:
            raise ToytrainError(
                "batch_norm = True cannot work with batch_size = 1: one example has no spread; "
                "use batches of at least 2 or switch batch_norm off.",
                field="batch_size",
            )

    @property
    def task(self) -> str:
        """'classification' or 'regression', as the dataset says: a key of `task.TASKS`."""
        return DATASETS[self.dataset].task

    def uses(self, name: str) -> bool:
        """Whether a field means something beside the others, or is ignored."""
        dataset = DATASETS[self.dataset]
        if name in dataset.ignores:
            return False
        if name == "rows":
            return self.dataset == OWN
        if name == "classes":
            return dataset.classes is not None and dataset.classes[0] < dataset.classes[1]
        if name in ("momentum", "nesterov", "weight_decay"):
            return name in OPTIMIZERS[self.optimizer]
        if any(name in settings for settings in SCHEDULES.values()):
            return name in SCHEDULES[self.schedule]
        return True

    def changes(self) -> dict[str, Any]:
        """The fields that differ from their defaults, in the order of the fields."""
        return {
            spec.name: getattr(self, spec.name)
            for spec in dataclasses.fields(self)
            if getattr(self, spec.name) != spec.default
        }

    def to_dict(self) -> dict[str, Any]:
        """Every field, with plain JSON values (tuples as lists)."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """The Config with these fields; the others keep their defaults."""
        known = {spec.name for spec in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ToytrainError(
                    f"{quoted(name)} is not a setting; known are {', '.join(sorted(known))}.",
                    field=str(name),
                )
        return cls(**values)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # the second from brackets nested by the thousand
            raise ToytrainError(f"This is not JSON ({error}); write an object of settings.") from error
        if not isinstance(values, dict):
            raise ToytrainError('A Config in JSON is an object of settings, such as {"seed": 123}.')
        return cls.from_dict(values)

    def to_query(self) -> str:
        """A query string of what differs from the defaults: short addresses stay short."""
        return as_query(self.to_texts())

    def to_texts(self) -> dict[str, str]:
        """The fields that differ from the defaults as the texts of a query string."""
        return {
            name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for name, value in self.changes().items()
        }

    @classmethod
    def from_query(cls, query: str) -> "Config":
        """The Config that a query string describes; a text that is no value is refused."""
        return cls.from_texts(dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)))

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> "Config":
        """The Config of texts, as an address or a text field holds them."""
        specs = {spec.name: spec for spec in dataclasses.fields(cls)}
        return cls.from_dict(
            {name: parse(specs[name], text) if name in specs else text
             for name, text in texts.items()}
        )  # fmt: skip


FIELDS: dict[str, dataclasses.Field] = {spec.name: spec for spec in dataclasses.fields(Config)}


def limits(name: str) -> Limits:
    """The Limits of a Config field."""
    return FIELDS[name].metadata["limits"]


def as_query(texts: Mapping[str, str]) -> str:
    """Texts by name as a query string."""
    return urlencode(texts, safe=",;*^()")


def parse(spec: dataclasses.Field, text: str) -> Any:
    """The value that a text stands for, by the kind of the field's default."""
    text = text.strip()
    if isinstance(spec.default, tuple):
        parts = text.replace(",", " ").replace(";", " ").split()
        return tuple(_parse_one(spec, spec.default[0], part, text) for part in parts)
    return _parse_one(spec, spec.default, text, text)


def _parse_one(spec: dataclasses.Field, example: Any, text: str, whole: str) -> Any:
    if isinstance(example, str):
        return text
    if isinstance(example, bool):
        words = {"true": True, "1": True, "on": True, "yes": True,
                 "false": False, "0": False, "off": False, "no": False}  # fmt: skip
        if text.lower() in words:
            return words[text.lower()]
        raise ToytrainError(f"{spec.name} = {quoted(whole)} is neither true nor false.", spec.name)
    try:
        return type(example)(text)
    except ValueError as error:
        kind = "a whole number" if isinstance(example, int) else "a number"
        raise ToytrainError(
            f"{spec.name} = {quoted(whole)} is not {kind}; "
            f"permitted is {spec.metadata['limits'].describe()}.",
            spec.name,
        ) from error


def _check(spec: "dataclasses.Field[Any]", value: Any) -> Any:
    """The value in the field's own type, or a ToytrainError that names field, value and range."""
    bounds: Limits = spec.metadata["limits"]
    default: Any = spec.default
    if bounds.count is None:
        if _permits(bounds, default, value):
            # Minus zero is zero; NumPy refuses it as a standard deviation.
            return float(value) + 0.0 if isinstance(default, float) else type(default)(value)
    elif isinstance(value, list | tuple) and bounds.count[0] <= len(value) <= bounds.count[1]:
        example = default[0]
        if all(_permits(bounds, example, item) for item in value):
            if bounds.choices and len(set(value)) < len(value):
                raise ToytrainError(f"{spec.name} = {quoted(value)} names one value twice.", spec.name)
            return tuple(type(example)(item) for item in value)
    permitted = "true or false" if isinstance(spec.default, bool) else bounds.describe()
    raise ToytrainError(
        f"{spec.name} = {quoted(value)} is not permitted; permitted is {permitted}.", spec.name
    )


def _permits(bounds: Limits, example: Any, value: Any) -> bool:
    """Whether one value is of the example's kind and within the bounds."""
    if bounds.choices:
        return isinstance(value, str) and value in bounds.choices
    if bounds.letters:
        return isinstance(value, str) and len(value) <= bounds.letters
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    if not isinstance(value, int | float) or bounds.low is None or bounds.high is None:
        return False
    # Comparing refuses nan and infinity too, and must come before int(), which they break.
    in_range = bounds.low <= value <= bounds.high
    return in_range and (isinstance(example, float) or value == int(value))


def quoted(value: Any) -> str:
    """A value as the sentence quotes it: an address or a file can hold any length."""
    try:
        if isinstance(value, float):
            return f"{value:.10g}"
        text = str(list(value)) if isinstance(value, tuple) else str(value)
    except ValueError:  # Python will not write out an integer of thousands of digits
        return "a very long number"
    return text if len(text) <= 60 else text[:57] + "…"
