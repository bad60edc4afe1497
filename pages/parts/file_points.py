"""Own points from a file: asking for it, correcting what was recognised, and handing its points on."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from toytrain import ToytrainError
from toytrain.rows import MOST_POINTS, Point
from toytrain.table import LARGEST, Choice, Table, guess, number, take

from . import controls, session
from .words import _

FAR = 10  # coordinates beyond this train badly as they are
PREVIEWED = 6  # rows of a file
LETTERS = 24  # of a cell in the preview

STYLE = """<style>
.file-preview { overflow-x: auto; }
.file-preview table { border-collapse: collapse; font-size: 0.8125rem; }
.file-preview :is(th, td) { padding: 0.125rem 0.5rem; text-align: left; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.file-preview th { font-weight: 600; }
.file-preview small { display: block; font-weight: 400; opacity: 0.72; }
</style>"""


def show() -> None:
    """Ask for a file, show what was read in it, and offer to put its points on the plane."""
    limit = st.get_option("server.maxUploadSize")
    file = st.file_uploader(
        _("A text file of up to {limit} MB with a row per point: x1, x2 and a label.").format(limit=limit),
        type=["csv", "tsv", "txt", "dat"],
        max_upload_size=limit,
    )
    if file is None:
        st.caption(
            _("Nothing changes until you put its points on the plane; Undo brings back what was there.")
        )
        return
    upload = session.read_table(file)
    if upload.table is None:
        st.error(controls.sentence(upload.refusal))
        return
    table = upload.table
    choice = ask_for_columns(table, file.file_id)
    show_preview(table, choice)
    show_taken(table, choice, file.file_id)


def ask_for_columns(table: Table, key: str) -> Choice:
    """What was recognised, to be corrected."""
    found = guess(table)
    one, two = st.columns(2, vertical_alignment="bottom")
    has_header = one.checkbox(_("The first line holds names"), value=found.has_header, key=f"header_{key}")
    signs = {".": _("point: 1.5"), ",": _("comma: 1,5")}
    decimal = two.selectbox(_("Decimal sign"), list(signs), index=list(signs).index(found.decimal),
                            format_func=signs.__getitem__, key=f"decimal_{key}")  # fmt: skip
    names = table.names(has_header)
    columns = []
    for place, label, default in zip(
        st.columns(3), (_("x1"), _("x2"), _("label")), (found.x1, found.x2, found.label), strict=True
    ):
        columns.append(place.selectbox(label, range(len(names)), index=default, key=f"{label}_{key}",
                                       format_func=names.__getitem__))  # fmt: skip
    return Choice(columns[0], columns[1], columns[2], has_header, decimal)


def show_preview(table: Table, choice: Choice) -> None:
    """The first rows of a file, as texts."""
    delimiters = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("bar"), " ": _("space")}
    rows = table.cells[choice.has_header :][:PREVIEWED]
    names = table.names(choice.has_header)
    st.html(as_html(names, rows, {choice.x1: "x1", choice.x2: "x2", choice.label: "label"}))
    read = _("{rows} rows, read as {encoding}, divided by {delimiter}.").format(
        rows=f"{table.rows_in_file:,}", encoding=table.encoding, delimiter=delimiters[table.delimiter]
    )
    if table.rows_in_file > MOST_POINTS:
        read += " " + _("A run takes up to {most} points: so many rows were drawn from all over it.").format(
            most=f"{MOST_POINTS:,}"
        )
    st.caption(read)


def show_taken(table: Table, choice: Choice, key: str) -> None:
    """What the rows become, which of them cannot, and the button that puts the points on the plane."""
    scaled = st.checkbox(_("Standardise: (x - mean) / standard deviation"), value=is_far(table, choice),
                         key=f"standardise_{key}",
                         help=_("Coordinates far from 0, or of different sizes, train badly."))  # fmt: skip
    try:
        taken = take(table, replace(choice, standardise=scaled))
    except ToytrainError as error:
        st.error(controls.sentence(error))
        return
    mapping = [f"{controls.escaped(name)} → {label}" for label, name in enumerate(taken.classes)]
    lines = [_("Labels: {mapping}").format(mapping=", ".join(mapping))]
    if taken.scaling:
        lines.append(scaling_in_words(taken.scaling))
    st.caption("; ".join(lines))
    may_take = True
    if taken.problems:
        st.warning(controls.sentence(taken.problems[0]))
        may_take = st.checkbox(_("Leave out the rows that give no point: {rows}").format(
            rows=len(taken.problems)), key=f"leave_out_{key}")  # fmt: skip
    st.button(_("Put {points} points on the plane").format(points=len(taken.points)), type="primary",
              key="put_points", disabled=not may_take, on_click=session.put_points, args=(taken.points,),
              )  # fmt: skip


def is_far(table: Table, choice: Choice) -> bool:
    """Whether some coordinates of a file lie so far from 0 that they should be standardised."""
    cells = (row[column] for row in table.cells[choice.has_header :] for column in (choice.x1, choice.x2))
    values = (number(cell, choice.decimal) for cell in cells)
    return any(value is not None and FAR < abs(value) <= LARGEST for value in values)


def scaling_in_words(scaling) -> str:
    return ", ".join(
        _("{name}: mean {mean}, standard deviation {deviation}").format(
            name=name, mean=f"{mean:.4g}", deviation=f"{deviation:.4g}"
        )
        for name, (mean, deviation) in zip(("x1", "x2"), scaling, strict=False)
    )


def are_far(points: Iterable[Point]) -> bool:
    """Whether points lie so far from 0 that they should be standardised."""
    return any(abs(x1) > FAR or abs(x2) > FAR for x1, x2, _label in points)


def as_html(names: Sequence[str], rows: Sequence[Sequence[str]], chosen: Mapping[int, str]) -> str:
    """Cells as a table, above each chosen column what it is taken for. (A table of Streamlit's could be
    downloaded as CSV, with the formulas that somebody has put into the file.)"""

    def cell(text: str) -> str:
        return html.escape(text if len(text) <= LETTERS else text[: LETTERS - 1] + "…")

    titles = "".join(
        f"<th>{cell(name)}<small>{html.escape(chosen.get(column, ''))}&nbsp;</small></th>"
        for column, name in enumerate(names)
    )
    lines = "".join("<tr>" + "".join(f"<td>{cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    return f'{STYLE}<div class="file-preview">{table}</div>'
