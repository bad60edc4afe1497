"""Figures of Plotly from plain values. Pure: nothing here knows Streamlit or a run that goes on."""

from collections.abc import Sequence

import plotly.graph_objects as go

from toytrain.distributed import Plan, Step

from .words import _

# Okabe-Ito, whose colours stay apart for colour-blind eyes.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")
GREY = "#8a8f98"
MANY_POINTS = 1000  # from here on by WebGL
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


def rank_losses(losses: Sequence[Sequence[float]], single: Sequence[float]) -> go.Figure:
    """The loss of each rank by step, and of the single process on the same global batches."""
    figure = go.Figure()
    steps = list(range(1, len(losses[0]) + 1))
    mode = "lines+markers" if len(steps) <= 30 else "lines"
    for rank, values in enumerate(losses):
        line = {"color": COLOURS[rank], "width": 2}
        figure.add_scatter(
            x=steps, y=list(values), mode=mode, name=_("rank {rank}").format(rank=rank), line=line
        )
    if single:
        line = {"color": GREY, "width": 1.5, "dash": "dot"}
        figure.add_scatter(x=steps, y=list(single), mode="lines", name=_("one process"), line=line)
    figure.update_layout(
        height=260,
        margin={**MARGIN, "l": 48, "b": 40},
        legend={"orientation": "h", "y": 1.12},
        xaxis={"title": _("step"), "rangemode": "tozero"},
        yaxis={"title": _("batch loss"), "rangemode": "tozero"},
        uirevision="losses",
    )
    return figure


def gradients(step: Step) -> go.Figure:
    """One gradient as each rank found it, and as each optimizer took it."""
    ranks = [_("rank {rank}").format(rank=rank) for rank in range(len(step.gradients))]
    figure = go.Figure()
    colours = list(COLOURS[: len(ranks)])
    figure.add_bar(x=ranks, y=list(step.gradients), marker={"color": colours}, name=_("from its own batch"))
    figure.add_bar(x=ranks, y=list(step.averages), marker={"color": GREY}, name=_("what the optimizer took"))
    figure.update_layout(
        height=260,
        margin={**MARGIN, "l": 56, "b": 30},
        legend={"orientation": "h", "y": 1.12},
        yaxis={"title": _("gradient of {name}").format(name=step.gradient), "zeroline": True},
        barmode="group",
        uirevision="gradients",
    )
    return figure


def plane(plan: Plan, rows: Sequence[int], coloured: bool) -> go.Figure:
    """The training points, faint, and one rank's batch upon them; classes are coloured."""
    kind = go.Scattergl if len(plan.points) > MANY_POINTS else go.Scatter
    labels = plan.labels
    figure = go.Figure()
    for chosen, size, opacity in (range(len(plan.points)), 6, 0.25), (rows, 11, 1.0):
        colours = [COLOURS[int(labels[row]) % len(COLOURS)] if coloured else GREY for row in chosen]
        figure.add_trace(
            kind(
                x=[plan.points[row][0] for row in chosen],
                y=[plan.points[row][1] for row in chosen],
                mode="markers",
                customdata=list(chosen),
                hovertemplate=_("row {row}").format(row="%{customdata}") + "<extra></extra>",
                marker={"color": colours, "size": size, "opacity": opacity, "line": {"color": GREY}},
            )
        )
    left, right, bottom, top = plan.extent
    figure.update_layout(
        height=190,
        margin={**MARGIN, "l": 26, "b": 22},
        showlegend=False,
        xaxis={"range": [left, right]},
        yaxis={"range": [bottom, top]},
        uirevision="plane",
    )
    return figure
