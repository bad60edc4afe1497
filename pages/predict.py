"""The predict page: one point's way through the network, and every prediction on the data."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from pages.parts import charts, controls, live, session, strip, tables
from pages.parts.confusion import confusion_matrix
from pages.parts.live import prediction
from pages.parts.words import _
from toytrain import ToytrainError
from toytrain.engine import Run
from toytrain.evaluation import PARTS, Evaluation

LOOK_EVERY = 1.0  # seconds between two looks at the data of a run that plays
MANY_ROWS = 1000  # from which on it is looked at less often
SHOWN_ROWS = 12  # of the table; the others are scrolled to


def show_predictions(
    run: Run, part: str, here: session.Session | None, drawn: tuple[str, dict[str, int] | None]
) -> None:
    """The rows and the metrics of one part of the data. Looked at again and again while the run plays.

    `drawn` is what the rest of the page shows: the run's status and the point chosen here.
    """
    if drawn != (run.status, here.chosen if here else None):
        st.rerun()
    try:
        found = run.evaluation(part)
    except ToytrainError as error:
        st.info(controls.sentence(error))
        return
    st.caption(sentence(found))
    left, right = st.columns([3, 2], gap="large")
    with left:
        show_rows(run, found, chooses=here is not None)
    with right:
        if found.confusion is None:
            show_errors(run, found)
        else:
            show_classes(run, found, found.confusion)


def sentence(found: Evaluation) -> str:
    """Where the run stands and what the numbers say, for who cannot see the table too."""
    name = {"test": _("test"), "train": _("training")}[found.part]
    stands = _("Batch {step}, epoch {epoch}:").format(step=f"{found.steps:,}", epoch=f"{found.epoch:,}")
    if not np.isfinite(found.losses).all():
        said = _("not every prediction on the {rows} {part} rows is a finite number.")
    elif found.has_classes:
        said = _("{wrong} of {rows} {part} rows wrong, accuracy {score}.")
    else:
        said = _("{rows} {part} rows, R² {score}.")
    score = found.scores["accuracy" if found.has_classes else "R²"]
    filled = said.format(
        wrong=int(found.wrong.sum()), rows=len(found.labels), part=name, score=f"{score:.3f}"
    )
    return f"{stands} {filled}"


def show_rows(run: Run, found: Evaluation, chooses: bool) -> None:
    """A line per row of the data, the wrong ones first. A line that is chosen is traced above."""
    heading(_("Every row, the wrong ones first") if found.has_classes else _("Every row, the worst first"),
            _("Rows (CSV)"), file_of(tables.rows_csv, run, found.part), f"{found.part}_rows.csv")  # fmt: skip
    order = found.worst_first
    columns: dict[str, Any] = {}
    if found.has_classes:
        columns[_("wrong")] = np.where(found.wrong[order], "✗", "")
    columns |= {_("row"): order, "x1": found.points[order, 0], "x2": found.points[order, 1]}
    config: dict[str, Any] = dict.fromkeys(("x1", "x2"), number("%.3f"))
    if found.has_classes:
        columns |= {_("label"): found.labels[order], _("predicted"): found.predictions[order]}
        names = [_("p({label})").format(label=label) for label in range(found.probabilities.shape[1])]
        columns |= dict(zip(names, found.probabilities[order].T, strict=True))
        config |= dict.fromkeys(names, number("%.4f"))
    else:
        columns |= {
            _("target"): found.labels[order],
            _("output"): found.predictions[order],
            _("error"): (found.predictions - found.labels)[order],
        }
        config |= dict.fromkeys((_("target"), _("output"), _("error")), number("%.4f"))
    columns[_("loss")] = found.losses[order]
    config[_("loss")] = number("%.4f")
    height = 36 * (min(len(order), SHOWN_ROWS) + 1)
    shared: dict[str, Any] = {
        "hide_index": True,
        "height": height,
        "column_config": config,
        "alt": _("The {part} rows with their predictions").format(part=found.part),
    }
    if chooses and not run.playing:  # of rows that change their order nobody could choose one
        first = len(order) if found.part == "test" else 0
        shift = rows_of(run)["train"] if first else 0
        key = f"rows_{found.part}_{found.steps}"
        st.dataframe(columns, key=key, selection_mode="single-row",
                     on_select=partial(session.choose_point, key, [shift + int(row) for row in order]),
                     **shared)  # fmt: skip
    else:
        st.dataframe(columns, key=f"rows_{found.part}", **shared)


def show_classes(run: Run, found: Evaluation, confusion: np.ndarray) -> None:
    heading(_("Confusion matrix"), _("Confusion matrix (CSV)"),
            file_of(tables.confusion_csv, run, found.part), f"{found.part}_confusion_matrix.csv")  # fmt: skip
    st.html(confusion_matrix(confusion))
    heading(_("Precision, recall, F1"), _("Per class (CSV)"), file_of(tables.classes_csv, run, found.part),
            f"{found.part}_classes.csv")  # fmt: skip
    names = [_("class {label}").format(label=label) for label in range(len(found.classes))]
    rows = [*found.classes, *(found.average(average) for average in ("macro avg", "weighted avg"))]
    words = {"precision": _("precision"), "recall": _("recall"), "f1-score": _("F1")}
    columns: dict[str, Any] = {_("class"): [*names, _("mean"), _("weighted mean")]}
    columns |= {word: [row[name] for row in rows] for name, word in words.items()}
    columns[_("rows")] = [row.get("support", len(found.labels)) for row in rows]
    config = dict.fromkeys(words.values(), number("%.3f")) | {_("rows"): number("%d")}
    st.dataframe(columns, hide_index=True, height="content", placeholder="–", column_config=config,
                 alt=_("Precision, recall and F1 of each class"))  # fmt: skip
    if any(np.isnan(row["precision"]) or np.isnan(row["recall"]) for row in found.classes):
        st.caption(_("A dash: never predicted (no precision), or without a row (no recall)."))


def show_errors(run: Run, found: Evaluation) -> None:
    heading(
        _("Errors"),
        _("Errors (CSV)"),
        file_of(tables.scores_csv, run, found.part),
        f"{found.part}_errors.csv",
    )
    names = {
        "R²": _("R²"),
        "mean squared error": _("mean squared error"),
        "mean absolute error": _("mean absolute error"),
        "greatest error": _("greatest error"),
    }
    with st.container(horizontal=True, gap="medium"):
        for name, word in names.items():
            st.markdown(f"{word}  \n`{found.scores[name]:.4f}`", width="content")
    worst = found.worst_first[0]
    live.show_chart(
        charts.residuals(found.predictions.tolist(), (found.predictions - found.labels).tolist()),
        "residuals",
        _("Errors by output: from {least} to {greatest}; the worst is row {row}, {error}").format(
            least=f"{(found.predictions - found.labels).min():.3f}",
            greatest=f"{(found.predictions - found.labels).max():.3f}",
            row=worst,
            error=f"{(found.predictions - found.labels)[worst]:.3f}",
        ),
    )
    st.caption(_("Each row's error by its output. A good network leaves a band around 0 without a shape."))


def heading(title: str, label: str, data, file_name: str) -> None:
    """A title with the download of what stands under it, made when somebody clicks."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{title}**", width="content")
        st.download_button(label, data, file_name, "text/csv", on_click="ignore", key=f"csv_{file_name}",
                           type="tertiary", icon=":material/download:")  # fmt: skip


def rows_of(run: Run) -> dict[str, int]:
    """How many rows each part of the data has; none before the worker has made them."""
    view = run.description["view"] if run.description else {}
    return {part: view.get(f"{part}_points", 0) for part in PARTS}


def number(form: str) -> Any:
    return st.column_config.NumberColumn(format=form)


def file_of(table: Callable[[Evaluation], bytes], run: Run, part: str) -> Callable[[], bytes]:
    """What makes a CSV file when somebody clicks, of the run as it stands then."""
    return lambda: table(run.evaluation(part))


live.fit_to_window()
watched = session.watched_run()
if watched is not None:
    st.caption(_("You are watching somebody's run: it is steered from its own address."))
    run, chosen, here = watched, None, None
else:
    here = session.open_page()
    run, chosen = here.run, here.chosen
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        strip.play(here)
        strip.step_batch(here)
        strip.step_epoch(here)
    for notice in here.notices:
        st.warning(controls.escaped(notice))
prediction.show(run, chosen)
names = {"test": _("Test data"), "train": _("Training data")}
part = st.segmented_control(_("Data"), PARTS, default="test", required=True, key="predict_part",
                            persist_state="session", format_func=lambda part: names[part],
                            label_visibility="collapsed")  # fmt: skip
slowly = sum(rows_of(run).values()) > MANY_ROWS
looking = st.fragment(show_predictions, run_every=(1 + 2 * slowly) * LOOK_EVERY if run.playing else None)
looking(run, part or "test", here, (run.status, chosen))
