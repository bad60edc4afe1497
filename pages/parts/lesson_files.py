"""Lessons: one Markdown file each, read and checked. Pure: nothing here knows Streamlit or a run.

A file in lessons/ begins with TOML between two lines of +++, and goes on in Markdown: what stands before
the first `## ` is the introduction, each `## ` is a step. `checks` has one table per step; a step is done
when there is a moment of the run at which all of its conditions hold:

    +++
    order = 1                                       # place in the list
    title = "The first network"
    visible = ["play", "learning_rate", "boundary"] # every other control and view is hidden
    checks = [{ epoch = ">= 1" }, { test_accuracy = ">= 0.95", epoch = "<= 20" }]
    [config]                                        # settings that differ from the defaults
    dataset = "moons"
    +++

Conditions speak of QUANTITIES and of the run's settings: a number after >=, <=, > or <, a word, true or
false, `has x1^2` and `lacks x1^2` for a list. Nothing in a file is ever executed. A translation,
lessons/<language>/<the same name>, has a title and the same number of steps, and nothing else.
"""

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from toytrain import Config, ToytrainError
from toytrain.config import FIELDS

from .screen import CAN_HIDE, in_order
from .words import _, said

FOLDER = Path(__file__).parents[2] / "lessons"
LONGEST = 32_000  # bytes of a file
MOST_STEPS = 12
KEYS = ("order", "title", "visible", "checks", "config")
# What a condition may speak of beside the settings. At the end of an epoch the first four are known, at the
# present moment all of them.
QUANTITIES = (
    "epoch",
    "step",
    "test_loss",
    "test_accuracy",
    "rise",  # the test loss divided by the lowest of all epochs so far
    "train_loss",
    "train_accuracy",
    "gap",  # test loss minus training loss
    "learning_rate",  # the one that the next step takes
    "neurons",  # of all hidden layers together
    "status",  # paused, playing, finished, diverged
)
COMPARED = re.compile(r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)")

Moment = Mapping[str, Any]


class Unreadable(Exception):
    """Why a file is no lesson, and in which of its lines."""

    def __init__(self, reason: str, line: int = 1):
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class Condition:
    """`name` is a quantity or a setting; `relation` one of >=, <=, >, <, is, has, lacks."""

    name: str
    relation: str
    value: Any

    def holds(self, moment: Moment) -> bool:
        known = moment.get(self.name)
        if known is None:
            return False
        return {
            ">=": lambda: known >= self.value,
            "<=": lambda: known <= self.value,
            ">": lambda: known > self.value,
            "<": lambda: known < self.value,
            "is": lambda: known == self.value,
            "has": lambda: self.value in known,
            "lacks": lambda: self.value not in known,
        }[self.relation]()


@dataclass(frozen=True)
class Step:
    """A part of a lesson: its title, its Markdown, and what must hold at one moment for it to be done."""

    title: str
    text: str
    check: tuple[Condition, ...]

    def is_done(self, moments: Iterable[Moment]) -> bool:
        return any(all(condition.holds(moment) for condition in self.check) for moment in moments)


@dataclass(frozen=True)
class Lesson:
    """A lesson as it is shown in one language."""

    name: str
    order: float
    title: str
    intro: str
    steps: tuple[Step, ...]
    config: Config
    visible: tuple[str, ...]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every control and view that the lesson does not need."""
        return tuple(name for name in CAN_HIDE if name not in self.visible)


@dataclass(frozen=True)
class Broken:
    """A file that is no lesson: its name below lessons/, the line, and the reason in one sentence."""

    file: str
    line: int
    reason: str


def all_lessons(language: str) -> tuple[list[Lesson], list[Broken]]:
    """The lessons in their order, translated where there is a translation, and the files that are broken."""
    lessons, broken = [], []
    for path in sorted(FOLDER.glob("*.md")):
        try:
            lesson = _guarded(lambda path: _read(path, _stamp(path)), path)
        except Unreadable as error:
            broken.append(Broken(path.name, error.line, error.reason))
            continue
        translation = FOLDER / language / path.name
        if translation.is_file():
            try:
                lesson = _guarded(partial(_translated, lesson), translation)
            except Unreadable as error:
                broken.append(Broken(f"{language}/{path.name}", error.line, error.reason))
        lessons.append(lesson)
    return sorted(lessons, key=lambda lesson: (lesson.order, lesson.name)), broken


def find(name: str, language: str) -> Lesson | None:
    """The lesson of that name, None if there is none that works."""
    return next((lesson for lesson in all_lessons(language)[0] if lesson.name == name), None)


@dataclass
class Judged:
    """How many epochs of a run were looked at, and their lowest test loss; `what` tells one such look from
    another."""

    what: Any = None
    epochs: int = 0
    lowest: float = math.inf


def moments(config: Config, header: Mapping[str, Any], tests: list[tuple[float, float, float]],
            learning_rate: float, judged: Judged) -> Iterable[Moment]:  # fmt: skip
    """What is known of a run at the end of each epoch that was not judged yet, and last at present.

    `header` is the newest Frame's, `tests` the rows of (step, test loss, test score) of these epochs. Each
    counts as judged from then on.
    """
    fixed = {name: getattr(config, name) for name in FIELDS} | {"neurons": sum(config.hidden)}
    del fixed["learning_rate"]  # of the past it is not known
    has_classes = config.task == "classification"
    for step, loss, score in tests:
        judged.epochs += 1
        lowest = judged.lowest = min(judged.lowest, loss)
        rise = loss / lowest if lowest else 1.0
        at_end = {"epoch": judged.epochs, "step": step, "test_loss": loss, "rise": rise}
        yield fixed | at_end | ({"test_accuracy": score} if has_classes else {})
    now = {name: header.get(name) for name in ("epoch", "step", "train_loss", "test_loss", "status")}
    now["learning_rate"] = learning_rate
    if has_classes:
        now |= {f"{part}_accuracy": header.get(f"{part}_score") for part in ("train", "test")}
    if now["train_loss"] is not None and now["test_loss"] is not None:
        now["gap"] = now["test_loss"] - now["train_loss"]
        lowest = min(judged.lowest, now["test_loss"])
        now["rise"] = now["test_loss"] / lowest if lowest else 1.0
    yield fixed | now


# Reading


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(256)
def _parts(path: Path, stamp: tuple[int, int]) -> tuple[dict[str, Any], str, list[str]]:
    """The front matter, the introduction and the steps' Markdown, and the lines of the file."""
    if stamp[1] > LONGEST:
        raise Unreadable(_("The file has more than {most} bytes.").format(most=LONGEST))
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unreadable(_("The file is not UTF-8; save it as UTF-8."), line) from error
    lines = text.replace("\r\n", "\n").split("\n")
    ends = [number for number, line in enumerate(lines) if line.rstrip() == "+++"]
    if len(ends) < 2 or ends[0] != 0:
        raise Unreadable(_("The file must begin with a line of +++, settings, and another line of +++."))
    try:
        front = tomllib.loads("\n".join(lines[1 : ends[1]]))
    except ValueError as error:  # a TOMLDecodeError, or a number of too many digits
        place = re.search(r"line (\d+)", str(error))
        reason = str(error).partition(" (at ")[0]
        line = int(place[1]) + 1 if place else ends[1] + 1
        raise Unreadable(_("The settings are not TOML: {reason}.").format(reason=reason), line) from error
    return front, "\n".join(lines[ends[1] + 1 :]), lines


def _guarded(read: Callable[[Path], Lesson], path: Path) -> Lesson:
    """What is read off the path; whatever lies there may break itself, but no other lesson."""
    try:
        return read(path)
    except OSError as error:  # a folder of that name, a link to nowhere, a file that only others may read
        raise Unreadable(_("The file cannot be read.")) from error
    except RecursionError as error:
        raise Unreadable(_("The settings lie too deep within one another.")) from error


@lru_cache(256)
def _read(path: Path, stamp: tuple[int, int]) -> Lesson:
    front, body, lines = _parts(path, stamp)
    for name in front:
        if name not in KEYS:
            known = ", ".join(KEYS)
            raise Unreadable(_("{name} is not known here; known are {known}.").format(name=name, known=known),
                             _line_of(lines, name))  # fmt: skip
    title = _text(front, "title", lines)
    order = front.get("order", math.inf)
    if isinstance(order, bool) or not isinstance(order, int | float):
        raise Unreadable(_("order must be a number."), _line_of(lines, "order"))
    intro, parts = _sections(body, lines)
    checks = front.get("checks", [])
    if not isinstance(checks, list) or len(checks) != len(parts):
        count = len(checks) if isinstance(checks, list) else 0
        raise Unreadable(
            _("There are {steps} steps (lines that begin with ##), but {checks} checks; each step has one.")
            .format(steps=len(parts), checks=count), _line_of(lines, "checks"))  # fmt: skip
    steps = tuple(
        Step(name, text, _check(check, lines)) for (name, text), check in zip(parts, checks, strict=True)
    )
    return Lesson(path.stem, order, title, intro, steps, _config(front, lines), _visible(front, lines))


def _translated(lesson: Lesson, path: Path) -> Lesson:
    front, body, lines = _parts(path, _stamp(path))
    if extra := [name for name in front if name != "title"]:
        raise Unreadable(_("A translation has a title only; {name} stands in the English file.")
                         .format(name=extra[0]), _line_of(lines, extra[0]))  # fmt: skip
    intro, parts = _sections(body, lines)
    if len(parts) != len(lesson.steps):
        raise Unreadable(_("The translation has {steps} steps, the English file {others}.")
                         .format(steps=len(parts), others=len(lesson.steps)))  # fmt: skip
    steps = tuple(
        Step(name, text, step.check) for (name, text), step in zip(parts, lesson.steps, strict=True)
    )
    title = _text(front, "title", lines)
    return Lesson(lesson.name, lesson.order, title, intro, steps, lesson.config, lesson.visible)


def _sections(body: str, lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """The introduction, and each step's title and text."""
    intro, *parts = re.split(r"^## +", body, flags=re.MULTILINE)
    if not 1 <= len(parts) <= MOST_STEPS:
        raise Unreadable(_("A lesson has 1 to {most} steps, each under a line that begins with ##.")
                         .format(most=MOST_STEPS), len(lines))  # fmt: skip
    named = [part.partition("\n") for part in parts]
    return intro.strip(), [(title.strip(), text.strip()) for title, _end, text in named]


def _text(front: dict[str, Any], name: str, lines: list[str]) -> str:
    value = front.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unreadable(_("{name} must be a text between quotation marks.").format(name=name),
                         _line_of(lines, name))  # fmt: skip
    return value.strip()


def _visible(front: dict[str, Any], lines: list[str]) -> tuple[str, ...]:
    names = front.get("visible")
    if not isinstance(names, list) or not names:
        raise Unreadable(_("visible must be a list of names of controls and views."),
                         _line_of(lines, "visible"))  # fmt: skip
    for name in names:
        if name not in CAN_HIDE:
            raise Unreadable(_("{name} is no control and no view.").format(name=name),
                             _line_of(lines, str(name)))  # fmt: skip
    return in_order(names, CAN_HIDE)


def _config(front: dict[str, Any], lines: list[str]) -> Config:
    settings = front.get("config", {})
    if not isinstance(settings, dict):
        raise Unreadable(_("config must be a table of settings: [config]."), _line_of(lines, "config"))
    try:
        return Config.from_dict(settings)
    except ToytrainError as error:
        raise Unreadable(said(str(error)), _line_of(lines, error.field or "config")) from error


def _check(check: Any, lines: list[str]) -> tuple[Condition, ...]:
    if not isinstance(check, dict) or not check:
        raise Unreadable(_("A check is a table of conditions, such as {{ epoch = \">= 1\" }}.").format(),
                         _line_of(lines, "checks"))  # fmt: skip
    return tuple(_condition(name, value, lines) for name, value in check.items())


def _condition(name: str, value: Any, lines: list[str]) -> Condition:
    default = FIELDS[name].default if name in FIELDS else "" if name == "status" else 0.0
    if name not in FIELDS and name not in QUANTITIES:
        raise Unreadable(_("A check cannot speak of {name}; it can of {known} and the settings.")
                         .format(name=name, known=", ".join(QUANTITIES)), _line_of(lines, name))  # fmt: skip
    if isinstance(default, bool) and isinstance(value, bool):
        return Condition(name, "is", value)
    if isinstance(default, str) and isinstance(value, str):
        return Condition(name, "is", value)
    if isinstance(default, tuple) and isinstance(value, str):
        relation, _blank, item = value.partition(" ")
        if relation in ("has", "lacks") and isinstance(default[0], str):
            return Condition(name, relation, item.strip())
    elif isinstance(value, str) and (compared := COMPARED.fullmatch(value.strip())):
        return Condition(name, compared[1], float(compared[2]))
    raise Unreadable(
        _("{name} = {value} is no condition; a number needs >=, <=, > or < before it, a list has or lacks.")
        .format(name=name, value=str(value)[:40]), _line_of(lines, name))  # fmt: skip


def _line_of(lines: list[str], word: str) -> int:
    """The line of the front matter that holds a word; the first line if none does."""
    whole = re.compile(rf"(?<![\w]){re.escape(word)}(?![\w])")
    return next((number for number, line in enumerate(lines, 1) if whole.search(line)), 1)
