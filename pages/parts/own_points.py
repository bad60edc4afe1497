"""Points that somebody draws, types or uploads, before a run takes them. Pure: it knows no Streamlit."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toytrain import ToytrainError
from toytrain.rows import MOST_CLASSES, MOST_POINTS, Point, coordinate
from toytrain.table import Table

from .tables import to_csv
from .words import _

EXTENT = (-2.0, 2.0, -2.0, 2.0)  # of the plane as long as it holds every point


@dataclass
class Draft:
    """The points as they are now. The plane in the browser and the table are two ways to change them.

    `revision` is another one after each change that the plane has not made itself, so that it knows when
    to take the points over. The table shows `in_table`, the points that it was given; its own changes
    come on top of them, so it is given others (under another `table_key`) only where it has not made them.
    Until somebody changes something it `follow`s the run.
    """

    points: tuple[Point, ...] = ()
    revision: str = field(default_factory=lambda: secrets.token_hex(4))
    in_table: tuple[Point, ...] = ()
    table_key: str = "table"
    is_untouched: bool = True

    def __post_init__(self):
        self.in_table = self.points

    def put(self, points: tuple[Point, ...]) -> None:
        """Take other points from anywhere but the plane and the table."""
        self._show_in_table(points)
        self.revision = secrets.token_hex(4)

    def follow(self, points: tuple[Point, ...]) -> None:
        """Show a run's own points, as long as there are no others here."""
        if self.is_untouched and points != self.points:
            self.put(points)
            self.is_untouched = True

    def draw(self, drawn: Any) -> None:
        """Take what the plane sends: {"revision": ..., "points": [[x1, x2, label], ...]}.

        What it drew on points that have been replaced meanwhile is dropped.
        """
        if drawn["revision"] == self.revision:
            self._show_in_table(checked(drawn["points"]))

    def type(self, rows: list[tuple[Any, Any, Any]]) -> int:
        """Take the table's rows; how many of them are not complete yet and wait."""
        complete = [row for row in rows if all(value is not None and value == value for value in row)]
        points = checked(complete)
        if points != self.points:
            self.points = points
            self.is_untouched = False
            self.revision = secrets.token_hex(4)
        return len(rows) - len(complete)

    def extent(self) -> tuple[float, float, float, float]:
        """The square to draw on: the usual one, or the one that holds the points with a margin."""
        reach = EXTENT[1]
        if all(abs(x1) <= reach and abs(x2) <= reach for x1, x2, _label in self.points):
            return EXTENT
        ways = [[point[axis] for point in self.points] for axis in (0, 1)]
        half = 1.1 * max(max(way) - min(way) for way in ways) / 2 or reach
        (x1, x2) = ((max(way) + min(way)) / 2 for way in ways)
        return x1 - half, x1 + half, x2 - half, x2 + half

    def _show_in_table(self, points: tuple[Point, ...]) -> None:
        self.points = self.in_table = points
        self.is_untouched = False
        self.table_key = f"table_{secrets.token_hex(4)}"


@dataclass
class Upload:
    """The file that was uploaded last, as a table, or the error that refused it."""

    file_id: str = ""
    table: Table | None = None
    refusal: ToytrainError | None = None


def checked(rows: Any) -> tuple[Point, ...]:
    """Rows (x1, x2, label) from a browser as points; a ToytrainError where they are none."""
    if len(rows) > MOST_POINTS:
        raise ToytrainError(
            _("{points} points are too many; use {most} at the most.").format(
                points=f"{len(rows):,}", most=f"{MOST_POINTS:,}"
            )
        )
    points = []
    for x1, x2, label in rows:
        if not 0 <= label < MOST_CLASSES or label != int(label):
            raise ToytrainError(
                _("Class {label} is not permitted; permitted is 0 to {most}.").format(
                    label=f"{label:g}", most=MOST_CLASSES - 1
                )
            )
        points.append((coordinate(float(x1)), coordinate(float(x2)), int(label)))
    return tuple(points)


def shuffled_apart(order: list[int], batch_size: int) -> int:
    """How many rows of the first batch would be in another one if nothing were shuffled."""
    return sum(row >= batch_size for row in order[:batch_size])


def as_csv(found: dict[str, Any]) -> bytes:
    """The points of a run (see engine.data_views.points), which an upload brings back as they were."""
    is_regression = found["task"] == "regression"
    parts = ("train", "test")
    rows = (
        (np.float32(x1), np.float32(x2), np.float32(label) if is_regression else label,
         parts[row >= found["train_points"]])
        for row, ((x1, x2), label) in enumerate(zip(found["points"], found["labels"], strict=True))
    )  # fmt: skip
    return to_csv([("x1", "x2", "target" if is_regression else "label", "part"), *rows])


def drawn_as_csv(points: Iterable[Point]) -> bytes:
    """Points that no run has split yet."""
    rows = ((np.float32(x1), np.float32(x2), label) for x1, x2, label in points)
    return to_csv([("x1", "x2", "label"), *rows])
