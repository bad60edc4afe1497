"""Figures of Plotly from plain values. Pure: nothing here knows Streamlit or a run that goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from toytrain.distributed import Plan, Step

from .words import _

# Okabe-Ito, whose colours stay apart for colour-blind eyes.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")
GREY = "#8a8f98"
ABOVE = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}  # a legend that grows away from the plot
MOST_STEPS = 500  # drawn of a curve
MOST_POINTS = 600  # drawn of those that are in no batch


def rank_losses(losses: Sequence[Sequence[float]], single: Sequence[float]) -> go.Figure:
    """The loss of each rank by step, and of the single process on the same global batches."""
    figure = _figure(height=260, left=48, bottom=40)
    curves = [
        (_("rank {rank}").format(rank=rank), values, {"color": COLOURS[rank], "width": 2})
        for rank, values in enumerate(losses)
    ]
    if single:
        curves.append((_("one process"), single, {"color": GREY, "width": 1.5, "dash": "dot"}))
    for name, values, line in curves:
        seen = range(0, len(values), len(values) // MOST_STEPS + 1)
        mode = "lines+markers" if len(seen) <= 30 else "lines"
        x, y = [at + 1 for at in seen], [values[at] for at in seen]
        figure.add_scatter(x=x, y=y, mode=mode, name=name, line=line)
    figure.update_layout(
        legend=ABOVE,
        xaxis={"title": {"text": _("step")}, "rangemode": "tozero"},
        yaxis={"title": {"text": _("batch loss")}, "rangemode": "tozero"},
    )
    return figure


def gradients(step: Step) -> go.Figure:
    """One gradient as each rank found it, and as each optimizer took it."""
    ranks = [_("rank {rank}").format(rank=rank) for rank in range(len(step.gradients))]
    figure = _figure(height=260, left=60, bottom=30)
    colours = list(COLOURS[: len(ranks)])
    figure.add_bar(x=ranks, y=list(step.gradients), marker={"color": colours}, name=_("from its own batch"))
    figure.add_bar(x=ranks, y=list(step.averages), marker={"color": GREY}, name=_("what the optimizer took"))
    title = _("gradient of {name}").format(name=step.gradient)
    figure.update_layout(legend=ABOVE, yaxis={"title": {"text": title}}, barmode="group")
    return figure


def rate_search(found: Mapping[str, Any]) -> go.Figure:
    """The losses of a learning-rate search by rate, on a log axis, and the suggested rate as a line."""
    figure = _figure(height=300, left=56, bottom=44)
    rates = found["rates"]
    figure.add_scatter(x=rates, y=found["losses"], mode="lines", name=_("each batch"),
                       line={"color": GREY, "width": 1})  # fmt: skip
    figure.add_scatter(x=rates, y=found["smoothed"], mode="lines", name=_("smoothed"),
                       line={"color": COLOURS[0], "width": 2.5})  # fmt: skip
    # What follows the lowest point explodes, and would press the rest of the curve to the axis.
    lowest = min(found["smoothed"], default=1.0)
    before = found["smoothed"][: found["smoothed"].index(lowest) + 1] if found["smoothed"] else [1.0]
    if found["suggestion"] is not None:
        figure.add_vline(x=found["suggestion"], line={"color": COLOURS[5], "width": 2, "dash": "dash"},
                         annotation_text=_("suggested"), annotation_position="top left")  # fmt: skip
    figure.update_layout(
        legend={"orientation": "h", "y": 1.12},
        xaxis={"title": {"text": _("learning rate")}, "type": "log", "dtick": 1, "exponentformat": "power"},
        yaxis={"title": {"text": _("batch loss")}, "range": [0, 1.5 * max(before)]},
    )
    return figure


def residuals(outputs: Sequence[float], errors: Sequence[float]) -> go.Figure:
    """A regression's errors (output minus target) by its outputs."""
    figure = _figure(height=240, left=56, bottom=40)
    figure.add_scatter(x=list(outputs), y=list(errors),
                       mode="markers", marker={"color": COLOURS[0], "size": 5, "opacity": 0.7})  # fmt: skip
    figure.update_layout(
        showlegend=False,
        xaxis={"title": {"text": _("output")}, "zeroline": False},
        yaxis={"title": {"text": _("error (output − target)")}, "zeroline": True},
    )
    return figure


def plane(plan: Plan, rows: Sequence[int], coloured: bool) -> go.Figure:
    """The training points, faint, and one rank's batch upon them."""
    figure = _figure(height=190, bottom=22, left=26)
    few = range(0, len(plan.points), len(plan.points) // MOST_POINTS + 1)
    for chosen, size, opacity in (few, 5, 0.3), (rows, 10, 1.0):
        colours = [COLOURS[int(plan.labels[row]) % len(COLOURS)] if coloured else GREY for row in chosen]
        figure.add_scatter(
            x=[plan.points[row][0] for row in chosen],
            y=[plan.points[row][1] for row in chosen],
            mode="markers",
            customdata=list(chosen),
            hovertemplate=_("row {row}").format(row="%{customdata}") + "<extra></extra>",
            marker={"color": colours, "size": size, "opacity": opacity},
        )
    left, right, bottom, top = plan.extent
    figure.update_layout(
        showlegend=False,
        xaxis={"range": [left, right], "zeroline": False},
        yaxis={"range": [bottom, top], "zeroline": False},
    )
    return figure


def _figure(height: int, left: int, bottom: int) -> go.Figure:
    """An empty figure without Plotly's own template, which would be sent along each time."""
    margin = {"l": left, "r": 8, "t": 8, "b": bottom}
    layout = {"template": "none", "height": height, "margin": margin, "uirevision": "same"}
    return go.Figure(layout=layout)
