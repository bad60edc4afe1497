"""Own points as text: "x1,x2,label;x1,x2,label;...", the form in which a Config holds them.

The text is canonical: equal points have equal texts. Coordinates are the shortest digits of their
float32, labels 0 to K-1, each with a point of its own. Nothing here knows files, pages or PyTorch.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from .errors import ToytrainError

FEWEST_POINTS = 4
MOST_POINTS = 5000
MOST_CLASSES = 10
FURTHEST = 1e6  # from zero: squared as a feature it is still far from float32's greatest number
MOST_LETTERS = 300_000  # 5000 points with every digit of a float64; canonical they take half of that
MOST_IN_ADDRESS = (
    5000  # letters that an address, or the first lines of a script, can carry: 200 points or more
)

Point = tuple[float, float, int]  # x1, x2, label

# An XOR, until somebody draws or uploads points of their own.
EXAMPLE = "-1,-1,0;-0.8,-0.6,0;1,1,0;0.8,0.6,0;-1,1,1;-0.8,0.6,1;1,-1,1;0.8,-0.6,1"


def write_rows(points: Iterable[Sequence[float]]) -> str:
    """The text of points (x1, x2, label)."""
    return ";".join(f"{digits(x1)},{digits(x2)},{label:d}" for x1, x2, label in points)


def digits(value: float) -> str:
    """The shortest digits that are this number in float32: '0.1', '-2', '1e-05'."""
    return str(np.float32(value) + np.float32(0)).removesuffix(".0")  # minus zero is zero


@lru_cache(maxsize=32)
def read_rows(text: str) -> tuple[Point, ...]:
    """The points of a text, with any labels 0 to 9; a ToytrainError names the first that is none."""
    if len(text) > MOST_LETTERS:
        raise _refusal(
            f"The points take {len(text):,} characters; {MOST_LETTERS:,} are permitted: use fewer."
        )
    points = [_read(number, row) for number, row in enumerate(text.split(";"), 1) if row.strip()]
    if len(points) > MOST_POINTS:
        raise _refusal(f"{len(points):,} points are too many; use {MOST_POINTS:,} at the most.")
    return tuple(points)


def check_rows(points: Sequence[Point]) -> int:
    """How many classes the points have; a ToytrainError where no run can be made of them."""
    if len(points) < FEWEST_POINTS:
        raise _refusal(f"{len(points)} points are too few to train and to test; use {FEWEST_POINTS} or more.")
    labels = {label for _, _, label in points}
    if len(labels) < 2:
        raise _refusal("All points have the same class; give some of them another.")
    missing = set(range(max(labels))) - labels
    if missing:
        raise _refusal(
            f"No point has class {min(missing)}, but some have class {max(labels)}; "
            "number the classes from 0 without a gap."
        )
    return len(labels)


@lru_cache(maxsize=32)
def canonical(text: str) -> tuple[str, int]:
    """The text that every text of these points has in common, and the number of classes."""
    points = read_rows(text)
    return write_rows(points), check_rows(points)


def close_gaps(points: Iterable[Point]) -> tuple[tuple[Point, ...], dict[int, int]]:
    """The points with their labels numbered from 0 without a gap, and what became of each label."""
    points = tuple(points)
    mapping = {label: number for number, label in enumerate(sorted({label for _, _, label in points}))}
    return tuple((x1, x2, mapping[label]) for x1, x2, label in points), mapping


def standardise(points: Sequence[Point]) -> tuple[tuple[Point, ...], tuple[tuple[float, float], ...]]:
    """The points with each coordinate as (x - mean) / standard deviation, and those two of x1 and of x2.

    A coordinate that is everywhere the same becomes 0.
    """
    X = np.array([point[:2] for point in points], dtype=np.float64).reshape(-1, 2)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    scaled = (X - mean) / np.where(deviation > 0, deviation, 1)
    moved = [(x1, x2, point[2]) for (x1, x2), point in zip(scaled.tolist(), points, strict=True)]
    return tuple(moved), tuple(zip(mean.tolist(), deviation.tolist(), strict=True))


def coordinate(value: float) -> float:
    """The number as float32 holds it, in its shortest digits; a ToytrainError if it is too far away."""
    if not abs(value) <= FURTHEST:  # nan fails this too
        raise _refusal(
            f"{value:.10g} is not permitted as a coordinate; permitted is -1,000,000 to 1,000,000."
        )
    return float(digits(value))


def _read(number: int, row: str) -> Point:
    cells = row.split(",")
    try:
        if len(cells) != 3:
            raise ValueError(f"{len(cells)} values")
        x1, x2, label = float(cells[0]), float(cells[1]), int(cells[2])
        if not (math.isfinite(x1) and math.isfinite(x2)):
            raise ValueError("not finite")
    except ValueError as error:
        shown = row.strip() if len(row) <= 60 else row[:57].strip() + "…"
        raise _refusal(f"Point {number}, {shown!r}, is no point; write x1,x2,label.") from error
    if not 0 <= label < MOST_CLASSES:
        raise _refusal(f"Point {number} has class {label}; permitted is 0 to {MOST_CLASSES - 1}.")
    try:
        return coordinate(x1), coordinate(x2), label
    except ToytrainError as error:
        raise _refusal(f"Point {number}: {error}") from None


def _refusal(sentence: str) -> ToytrainError:
    return ToytrainError(sentence, field="rows")
