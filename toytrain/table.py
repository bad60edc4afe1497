"""A text file of somebody's (CSV and its kin) -> points.

What a stranger has saved is read as bytes: encoding, delimiter, header and decimal sign are recognised, and
what cannot be taken is refused with a line number. The standard library's csv does the reading; nothing is
ever opened by a name or an address. Nothing here knows runs, pages or PyTorch.
"""

import codecs
import csv
import io
import itertools
import random
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import ToytrainError
from .rows import FURTHEST, MOST_CLASSES, MOST_POINTS, Point, coordinate, standardise

MAX_BYTES = 12 * 2**20
MOST_COLUMNS = 100
MOST_LETTERS = 1000  # of one cell
LOOKED_AT = 100  # lines from which delimiter, header and decimal sign are recognised
LARGEST = 1e30  # of a number that may still be standardised

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
MISSING = {"", "nan", "na", "n/a", "null", "none", "?"}
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
GROUPED = re.compile(r"[+-]?\d{1,3}(?:([,' \u00a0\u202f\u2019])\d{3})(?:\1\d{3})*(?:\.\d*)?", re.ASCII)
WITH_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?", re.ASCII)
WITH_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Table:
    """The cells of a file as texts, the first line included, and what was recognised.

    `lines` holds the line in the file of each row. Of a file of more than 5000 rows that many are kept,
    drawn at random from the whole and in its order; `rows_in_file` says how many there were.
    """

    cells: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    rows_in_file: int
    encoding: str
    delimiter: str
    has_header: bool
    decimal: str

    def names(self, has_header: bool) -> tuple[str, ...]:
        """A name per column, no two the same; the number of the column where it has none."""
        width = len(self.cells[0])
        given = self.cells[0] if has_header else ("",) * width
        names: list[str] = []
        for number, name in enumerate(given, 1):
            name = (name.strip() or f"column {number}")[:40]
            free = (f"{name} ({again})" for again in itertools.count(2))
            names.append(next(free) if name in names else name)
            while names[-1] in names[:-1]:
                names[-1] = next(free)
        return tuple(names)


@dataclass(frozen=True)
class Choice:
    """Which columns are x1, x2 and label, and how the cells are to be read."""

    x1: int
    x2: int
    label: int
    has_header: bool
    decimal: str
    standardise: bool = False


@dataclass(frozen=True)
class Taken:
    """What a Choice makes of a Table: points, the text that each label stood for, and a sentence for each
    row that gives none. `scaling` holds mean and standard deviation of x1 and x2 if they were taken off."""

    points: tuple[Point, ...]
    classes: tuple[str, ...]
    problems: tuple[str, ...]
    scaling: tuple[tuple[float, float], ...] = ()


# Reading


def read_table(data: bytes) -> Table:
    """The table in a file's bytes, or a ToytrainError that says what is wrong with it."""
    text, encoding = _decode(data)
    delimiter = _delimiter(text)
    stream = io.StringIO(text, newline="")  # a line ends with CR, LF or both, and keeps its end
    ends = _row_ends(stream, delimiter, is_plain='"' not in text and delimiter != " ")
    if not ends:
        raise ToytrainError("This file is empty; take one with a row per point.", code="empty")
    looked_at = _cells(stream, delimiter, ends, range(min(LOOKED_AT, len(ends))))
    decimal = _decimal(looked_at, delimiter)
    has_header = _has_header(looked_at, decimal)
    kept: Sequence[int] = range(len(ends))
    if len(ends) - has_header > MOST_POINTS:
        # The first row stays in any case: somebody may see a header where none was recognised.
        drawn = random.Random(0).sample(range(1, len(ends)), MOST_POINTS - 1 + has_header)
        kept = [0, *sorted(drawn)]
    return Table(
        cells=tuple(_cells(stream, delimiter, ends, kept)),
        lines=tuple(ends[row] for row in kept),
        rows_in_file=len(ends) - has_header,
        encoding=encoding,
        delimiter=delimiter,
        has_header=has_header,
        decimal=decimal,
    )


def guess(table: Table) -> Choice:
    """The columns that are called x1, x2 and label; else the first two of numbers and the last of others."""
    names = [name.strip().lower() for name in table.names(table.has_header)]
    body = table.cells[table.has_header :]
    numeric = [
        column
        for column in range(len(names))
        if body and sum(number(row[column], table.decimal) is not None for row in body) > len(body) / 4
    ]
    known = ("label", "class", "target", *(() if "x" in names else ("y",)))
    label = next((names.index(name) for name in known if name in names), None)
    if label is None:
        label = [column for column in range(len(names)) if column not in numeric[:2]][-1]
    rest = [column for column in numeric if column != label]
    rest += [column for column in range(len(names)) if column != label and column not in rest]
    x1 = next((names.index(name) for name in ("x1", "x") if name in names), rest[0])
    others = [column for column in rest if column != x1]
    x2 = next((names.index(name) for name in ("x2", "y") if name in names), others[0])
    if len({x1, x2, label}) < 3:
        x1, x2 = rest[:2]
    return Choice(x1, x2, label, table.has_header, table.decimal)


def take(table: Table, choice: Choice) -> Taken:
    """The points of a table; `problems` names the rows that give none.

    A ToytrainError says why the whole cannot be taken.
    """
    names = table.names(choice.has_header)
    if len({choice.x1, choice.x2, choice.label}) < 3:
        raise ToytrainError("x1, x2 and the label must be three different columns; choose another.")
    rows: list[tuple[float, float, str]] = []
    problems: list[str] = []
    largest = LARGEST if choice.standardise else FURTHEST
    body = slice(int(choice.has_header), None)
    for line, cells in zip(table.lines[body], table.cells[body], strict=True):
        values = [number(cells[column], choice.decimal) for column in (choice.x1, choice.x2)]
        label = cells[choice.label].strip()
        for column, value in zip((choice.x1, choice.x2), values, strict=True):
            if problem := _problem(cells[column], value, largest):
                problems.append(f"Line {line}: {names[column]} is {problem}")
                break
        else:
            if label.lower() in MISSING:
                problems.append(f"Line {line} has no label.")
            else:
                rows.append((values[0] or 0.0, values[1] or 0.0, label))
    if not rows or (problems and len({label for _, _, label in rows}) < 2):
        first = f" {problems[0]}" if problems else ""
        if rows:
            raise ToytrainError(
                f"All rows that give a point ({len(rows)}) have one label.{first}", code="oneclass"
            )
        raise ToytrainError(f"There are no rows that could be points.{first}", code="norows")
    # One row more is kept where a header was recognised that is none.
    rows = rows[:MOST_POINTS]
    classes, labels = _classes([label for _, _, label in rows], names[choice.label], choice.decimal)
    points = tuple((x1, x2, label) for (x1, x2, _), label in zip(rows, labels, strict=True))
    scaling: tuple[tuple[float, float], ...] = ()
    if choice.standardise:
        points, scaling = standardise(points)
    points = tuple((coordinate(x1), coordinate(x2), label) for x1, x2, label in points)
    return Taken(points, classes, tuple(problems), scaling)


def number(text: str, decimal: str) -> float | None:
    """The number that a cell shows, infinite if it is too great for any; None if it is no number.

    "1.5", "-2e3", and by the decimal sign "1,5"; between thousands a comma, a space or an apostrophe.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if decimal == ",":
        text = text.translate({ord(","): ".", ord("."): ","})
    if grouped := GROUPED.fullmatch(text):
        text = text.replace(grouped[1], "")
    return float(text) if PLAIN.fullmatch(text) else None


def _problem(text: str, value: float | None, largest: float) -> str:
    """What is wrong with a cell as a coordinate, or nothing."""
    if text.strip().lower() in MISSING:
        return "missing."
    if value is None:
        return f"“{_short(text)}”, which is no number."
    if not abs(value) <= largest:
        return f"{_short(text)}; permitted is -{largest:,.10g} to {largest:,.10g}."
    return ""


def _classes(labels: list[str], name: str, decimal: str) -> tuple[tuple[str, ...], list[int]]:
    """The text of each class, in order, and the class of each label. 1 and 1.0 are one class."""
    values = {text: number(text, decimal) for text in dict.fromkeys(labels)}
    are_numbers = all(value is not None for value in values.values())
    keys = values if are_numbers else {text: text for text in values}
    distinct = sorted(set(keys.values()))  # type: ignore[type-var]
    if len(distinct) == 1:
        raise ToytrainError(
            f"All rows have the same label in {name}, “{_short(labels[0])}”; "
            "at least two classes are needed: choose another column.",
            code="oneclass",
        )
    if len(distinct) > MOST_CLASSES:
        raise ToytrainError(
            f"The column {name} has {len(distinct):,} different values; up to {MOST_CLASSES} classes are "
            "permitted: choose another column for the label.",
            code="classes",
        )
    first = {keys[text]: text for text in reversed(values)}
    place = {key: label for label, key in enumerate(distinct)}
    return tuple(first[key] for key in distinct), [place[keys[text]] for text in labels]


def _decode(data: bytes) -> tuple[str, str]:
    """The text of a file and the encoding it was in."""
    if len(data) > MAX_BYTES:
        raise ToytrainError(
            f"This file has {len(data) / 2**20:.0f} MB; {MAX_BYTES // 2**20} MB are permitted: "
            "take fewer rows.",
            code="big",
        )
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _decoded(data, encoding), encoding.removesuffix("-sig")
    start = data[:4096]
    if b"\0" in start:
        for encoding, zeros in ("utf-16-le", start[1::2]), ("utf-16-be", start[::2]):
            if zeros.count(0) > 0.8 * len(zeros):
                return _decoded(data, encoding), "utf-16"
        raise _no_text()
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        if data[:2] in (b"PK", b"\x1f\x8b") or any(byte < 9 for byte in start):
            raise _no_text() from None
        return data.decode("latin-1"), "latin-1"  # every byte is a letter there, if not always the right one


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _no_text() from error


def _row_ends(stream: io.StringIO, delimiter: str, is_plain: bool) -> "array[int]":
    """The line on which each row ends, empty rows left out; a ToytrainError for a row unlike the first.

    In a plain text, without quotation marks, a row is a line and has one cell more than delimiters: most
    lines of a large file need no csv. One that looks different goes through it all the same.
    """
    ends = array("l")
    width = line = 0
    spaces = delimiter + " \r\n"

    def lines() -> Iterator[str]:
        """The lines that csv is to read; between two of its rows the others are counted here."""
        nonlocal line
        for text in stream:
            line += 1
            if (
                is_plain
                and text.count(delimiter) == width - 1
                and len(text) <= MOST_LETTERS
                and text.strip(spaces)
            ):
                ends.append(line)
            else:
                yield text

    try:
        for row in csv.reader(lines(), delimiter=delimiter, skipinitialspace=True):
            if not any(row):
                continue
            width = width or _check_width(len(row), delimiter)
            if len(row) != width:
                raise ToytrainError(
                    f"Line {line} has {len(row)} cells where the first line has {width}; "
                    "give every line the same number of cells.",
                    code="ragged",
                )
            if max(map(len, row)) > MOST_LETTERS:
                raise _long_cell(line)
            ends.append(line)
    except csv.Error as error:
        raise _long_cell(line) from error
    return ends


def _cells(
    stream: io.StringIO, delimiter: str, ends: Sequence[int], rows: Sequence[int]
) -> list[tuple[str, ...]]:
    """The cells of some rows, in order, of a text whose rows end on these lines."""
    stream.seek(0)
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for row in rows:
            start = ends[row - 1] if row else 0
            yield from itertools.islice(stream, start - read, ends[row] - read)
            read = ends[row]

    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True)
    return [tuple(row) for row in reader if any(row)]


def _delimiter(text: str) -> str:
    """The delimiter with which most lines have equally many cells, and most cells are numbers."""
    lines = text[: 200 * LOOKED_AT].splitlines()[:LOOKED_AT]

    def fits(delimiter: str) -> float:
        with_cells = [row for row in _split(lines, delimiter) if any(row)]
        width, times = Counter(map(len, with_cells)).most_common(1)[0] if with_cells else (0, 0)
        if width < 2:
            return 0.0
        cells = [cell for row in with_cells[1:] or with_cells for cell in row]
        numbers = sum(number(cell, sign) is not None for cell in cells for sign in ".,") / 2
        return times / len(with_cells) + numbers / len(cells)

    return max(DELIMITERS, key=fits)


def _split(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return []


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """The decimal sign: a comma if some numbers have one that cannot, or need not, divide thousands."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if WITH_COMMA.fullmatch(cell)]
    points = [cell for cell in cells if WITH_POINT.fullmatch(cell)]
    no_thousands = [cell for cell in commas if not GROUPED.fullmatch(cell)]
    if len(no_thousands) > len(points) or (commas and not points and delimiter != ","):
        return ","
    return "."


def _has_header(rows: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first row holds a text where the others hold numbers, or nothing but other texts."""
    first, rest = rows[0], rows[1:]

    def is_number(cell: str) -> bool:
        return number(cell, decimal) is not None

    for column, cell in enumerate(first):
        numbers = sum(is_number(row[column]) for row in rest)
        if not is_number(cell) and (numbers > len(rest) / 2 or not rest):
            return True
    return False


def _check_width(width: int, delimiter: str) -> int:
    if width < 3:
        found = "only one column" if width == 1 else "only two columns"
        raise ToytrainError(
            f"This file has {found}; three are needed, x1, x2 and a label, with a comma, a semicolon "
            "or a tab between them.",
            code="columns",
        )
    if width > MOST_COLUMNS:
        raise ToytrainError(
            f"The first line has {width:,} cells; up to {MOST_COLUMNS} columns are permitted: "
            "keep x1, x2 and the label.",
            code="columns",
        )
    return width


def _long_cell(line: int) -> ToytrainError:
    return ToytrainError(
        f"Line {line} has a cell of more than {MOST_LETTERS:,} characters, which is neither a number nor a "
        "label; look for a quotation mark that is not closed.",
        code="cell",
    )


def _no_text() -> ToytrainError:
    return ToytrainError(
        "This is not a text file; save your table as CSV (in a spreadsheet: Save as, CSV).", code="binary"
    )


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 40 else text[:39] + "…"
