"""Tables as CSV files that a spreadsheet opens and no cell of which it runs. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Numbers keep every digit; a text that a spreadsheet would take for a
    formula gets an apostrophe in front, as OWASP advises."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return file.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    if isinstance(value, np.float32):
        return str(value)  # the fewest digits that give the same float32
    return value
