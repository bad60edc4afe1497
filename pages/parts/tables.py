"""Tables as CSV files that a spreadsheet opens and no cell of which it runs. Pure.

The words in a file are those of the code, in every language, so that a program can read any of them.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from toytrain.evaluation import Evaluation

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Numbers keep every digit; a text that a spreadsheet would take for a formula gets an apostrophe in
    front, as OWASP advises."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return file.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    if isinstance(value, np.float32):
        return str(value)  # the fewest digits that give the same float32
    return value


def rows_csv(found: Evaluation) -> bytes:
    """Every row with its prediction, the wrong ones first."""
    return to_csv(_rows(found))


def _rows(found: Evaluation) -> Iterator[Sequence[Any]]:
    classes = range(found.probabilities.shape[1] if found.has_classes else 0)
    words = ("label", "predicted") if found.has_classes else ("target", "output")
    yield "step", "row", "x1", "x2", *words, *(f"p{label}" for label in classes), "loss"
    for row in found.worst_first:
        given = (*found.points[row], found.labels[row])
        probabilities = found.probabilities[row] if found.has_classes else ()
        yield found.steps, row, *given, found.predictions[row], *probabilities, found.losses[row]


def confusion_csv(found: Evaluation) -> bytes:
    """A row per label, a column per predicted class."""
    counts = found.confusion if found.confusion is not None else np.zeros((0, 0), int)
    head = ("step", "label", *(f"predicted {label}" for label in range(len(counts))))
    return to_csv([head, *((found.steps, label, *row) for label, row in enumerate(counts))])


def classes_csv(found: Evaluation) -> bytes:
    """Precision, recall, F1 and support of each class, then their means."""
    names = ("precision", "recall", "f1-score", "support")
    rows: list[Sequence[Any]] = [("step", "class", *names)]
    for label, metrics in enumerate(found.classes):
        rows.append((found.steps, label, *(metrics[name] for name in names)))
    for average in ("macro avg", "weighted avg"):
        rows.append((found.steps, average, *found.average(average).values(), len(found.labels)))
    return to_csv(rows)


def scores_csv(found: Evaluation) -> bytes:
    """The metrics of the whole part."""
    return to_csv([("step", *found.scores), (found.steps, *found.scores.values())])
