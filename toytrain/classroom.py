"""Classroom: what a class may take of one server, as a teacher sets it in `classroom.toml`.

The one place where the file and the environment become values. It is read once, when the server
starts; a file that cannot be read as meant stops the start with a sentence that names its line.
Nothing here knows processes, pages or PyTorch.
"""

import dataclasses
import itertools
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import Config, Limits, limits
from .datasets import DATASETS, OWN
from .errors import ToytrainError
from .rows import read_rows

FILE = Path(__file__).parents[1] / "classroom.toml"
# So that every full checkpoint can be uploaded again: 4 bytes of history per batch.
MOST_STEPS = 2_000_000
LEAST_PARAMETERS = 2_000  # the network of the first page has room with any features and classes


def setting(default: Any, low: int = 0, high: int = 0, environment: str = "") -> Any:
    """A Classroom field: its default, its range, and the environment variable that has the last word."""
    return field(default=default, metadata={"low": low, "high": high, "environment": environment})


@dataclass(frozen=True)
class Classroom:
    """A teacher's settings. A value out of range is refused with a ToytrainError that names it.

    `workers` = 0 is one training process per core, `runs_folder` = "" saves nowhere. `points`, `parameters`
    and `steps` bound each run beside what a Config permits; `unseen` is in seconds. `ray` is
    the address of a Ray cluster that carries the workers, "" for none. `replica` and `entrance`
    are for several servers behind one proxy.
    """

    runs_per_session: int = setting(4, 2, 100)  # a new run is there before the old one goes
    runs_per_server: int = setting(200, 1, 10_000)
    points: int = setting(5_000, Config().points, int(limits("points").high or 0))
    parameters: int = setting(25_000, LEAST_PARAMETERS, 25_000)
    steps: int = setting(MOST_STEPS, 1_000, MOST_STEPS)
    unseen: int = setting(60, 5, 86_400)
    workers: int = setting(0, 0, 256, "TOYTRAIN_WORKERS")
    ranks: int = setting(4, 1, 64, "TOYTRAIN_RANKS")
    runs_folder: str = setting("runs", environment="TOYTRAIN_RUNS")
    ray: str = setting("", environment="TOYTRAIN_RAY")
    replica: str = setting("", environment="TOYTRAIN_REPLICA")
    entrance: str = setting("", environment="TOYTRAIN_ENTRANCE")

    def __post_init__(self):
        for spec in dataclasses.fields(self):
            _check(spec, getattr(self, spec.name))

    @classmethod
    def read(cls, file: Path = FILE, environment: Mapping[str, str] = os.environ) -> "Classroom":
        """The file's settings, over them those of the environment; without a file the defaults.

        A ToytrainError names the file, the line and the reason, or the variable.
        """
        values = _read_file(file, {spec.name: spec for spec in dataclasses.fields(cls)})
        for spec in dataclasses.fields(cls):
            if (name := spec.metadata["environment"]) in environment:
                values[spec.name] = _read_variable(spec, name, environment[name])
        return cls(**values)

    def limits(self, name: str) -> Limits:
        """The Limits of a Config field within this class."""
        bounds = limits(name)
        return dataclasses.replace(bounds, high=self.points) if name == "points" else bounds

    def check(self, config: Config) -> None:
        """Raise a ToytrainError, which names the field, if a run of the Config takes more than is allowed."""
        if config.uses("points") and config.points > self.points:
            raise ToytrainError(
                f"points = {config.points} is more than this class may use; permitted is "
                f"{self.limits('points').describe()}.",
                "points",
                code="limit",
            )
        if config.dataset == OWN and (points := len(read_rows(config.rows))) > self.points:
            raise ToytrainError(
                f"{points:,} own points are more than this class may use; permitted are {self.points:,}.",
                "rows",
                code="limit",
            )
        parameters = count_parameters(config)
        if parameters > self.parameters:
            raise ToytrainError(
                f"A network of {parameters:,} parameters is larger than this class may use; permitted are "
                f"{self.parameters:,}: take fewer hidden layers or fewer neurons.",
                "hidden",
                code="limit",
            )


def count_parameters(config: Config) -> int:
    """How many weights and biases the network of a Config trains."""
    dataset = DATASETS[config.dataset]
    sizes = (len(config.features), *config.hidden, config.classes if dataset.classes else 1)
    linear = sum((rows + 1) * columns for rows, columns in itertools.pairwise(sizes))
    return linear + (2 * sum(config.hidden) if config.batch_norm else 0)


def _read_file(file: Path, specs: Mapping[str, dataclasses.Field]) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ToytrainError(f"{file.name} cannot be read: {error}.") from error
    for name, value in values.items():
        line = next((number for number, content in enumerate(text.splitlines(), 1)
                     if re.match(rf"\s*\[*\s*[\"']?{re.escape(name)}\b", content)), 0)  # fmt: skip
        try:
            if name not in specs:
                known = ", ".join(specs)
                raise ToytrainError(f"{name[:60]} is not a setting of a class; known are {known}.", name)
            _check(specs[name], value)
        except ToytrainError as error:
            raise ToytrainError(f"{file.name}, line {line}: {error}", name) from error
    return values


def _read_variable(spec: dataclasses.Field, name: str, text: str) -> Any:
    if isinstance(spec.default, str):
        return text
    try:
        value = int(text)
        _check(spec, value)
    except (ValueError, ToytrainError) as error:
        raise ToytrainError(
            f"The environment variable {name} = {text[:60]} is not permitted; permitted is {_range(spec)}."
        ) from error
    return value


def _check(spec: dataclasses.Field, value: Any) -> None:
    kind = type(spec.default)
    if type(value) is kind and (kind is str or spec.metadata["low"] <= value <= spec.metadata["high"]):
        return
    raise ToytrainError(
        f"{spec.name} = {value!s:.60} is not permitted; permitted is {_range(spec)}.", spec.name
    )


def _range(spec: dataclasses.Field) -> str:
    if isinstance(spec.default, str):
        return "a text in quotation marks"
    return f"a whole number from {spec.metadata['low']} to {spec.metadata['high']}"
