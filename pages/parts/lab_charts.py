"""Figures of the mistake lab: both sides over the epochs. Pure, as charts.py is."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from toytrain import Config
from toytrain.engine.lab_run import Side
from toytrain.mistakes.probes import Probe

from .charts import COLOURS, GREY
from .words import _, said

RIGHT, WRONG, ALONE = COLOURS[0], COLOURS[5], COLOURS[2]
DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "solid", "dot")
MOST_POINTS = 160  # of a curve; more are averaged
BARS = 24  # batches that the stack shows
FEW = 30  # points that get a marker each
TALL = 12.0  # a loss above which the axis is logarithmic
MOST_POWERS = 6  # of ten that get a figure beside a logarithmic axis

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Shown:
    """A side as a chart shows it."""

    name: str
    colour: str
    side: Side

    def epochs(self, step: float) -> float:
        """How many epochs so many batches are."""
        return step / max(self.side.batches, 1)


def losses(shown: Sequence[Shown], config: Config) -> go.Figure:
    """The loss of each batch as the script prints it."""
    figure = _figure(_("batch loss"), config)
    highest = 0.0
    for one in shown:
        points = [(one.epochs(at + 1), loss) for at, loss in enumerate(one.side.losses)]
        _draw(figure, one.name, one.colour, averaged(points))
        highest = max([highest, *one.side.losses])
    if highest > TALL:
        figure.update_layout(yaxis=logarithmic(loss for one in shown for loss in one.side.losses))
    if not any(one.side.losses or one.side.error for one in shown):
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        figure.add_annotation(text=_("Press Play"), font={"color": GREY, "size": 13}, **place)
    return _or_empty(figure)


def accuracies(shown: Sequence[Shown], config: Config) -> go.Figure:
    """The accuracy after each epoch as the script finds it, on test data and (dotted) on training data."""
    figure = _figure(_("accuracy"), config)
    lowest = 0.5
    for one in shown:
        for column, dash in ((4, "solid"), (2, "dot")):
            points = [(one.epochs(row[0]), row[column]) for row in one.side.scores]
            _draw(figure, _("{side}, test").format(side=one.name), one.colour, averaged(points), dash,
                  in_legend=column == 4)  # fmt: skip
            lowest = min([lowest, *(value for _epoch, value in points)])
    if any(one.side.scores for one in shown):
        key = {"color": GREY, "width": 1.2, "dash": "dot"}
        figure.add_scatter(x=[None], y=[None], mode="lines", name=_("training"), line=key)
    figure.update_layout(yaxis={"range": [lowest - 0.06, 1.04]})
    return figure


def readings(probe: Probe, shown: Sequence[Shown], config: Config) -> go.Figure:
    """What a probe has read; each curve of it in a dash of its own."""
    figure = _figure("", config)
    for one in shown:
        rows = one.side.readings
        for number in range(len(rows[0]) - 1 if rows else 0):
            curve = said(probe.curves[number]) if probe.curves else _("class {label}").format(label=number)
            name = f"{one.name}: {curve}" if len(shown) > 1 else curve
            points = [(one.epochs(row[0]), row[number + 1]) for row in rows]
            _draw(figure, name, one.colour, sampled(points), DASHES[number % len(DASHES)])
    if probe.is_log:
        rows = [row for one in shown for row in one.side.readings]
        figure.update_layout(yaxis=logarithmic(value for row in rows for value in row[1:]))
    if probe.floor is not None:
        figure.add_hline(probe.floor(config), line={"color": GREY, "width": 1, "dash": "dash"},
                         annotation={"text": "ln(1 + (K-1)/e)", "font": {"color": GREY}},
                         annotation_position="bottom left")  # fmt: skip
    return _or_empty(figure)


def gradients(shown: Sequence[Shown], config: Config) -> go.Figure:
    """The latest batches: what each adds to one gradient (dark), and the stack that step() takes (pale)."""
    figure = _figure("", config)
    share = 1 / len(shown)
    for number, one in enumerate(shown):
        rows = one.side.readings[-BARS:]
        first = int(rows[0][0]) if rows else 1
        figure.update_layout({
            f"xaxis{number + 1 if number else ''}": {
                "title": {"text": _("{side}, batch").format(side=one.name)},
                "domain": [number * share + (0.03 if number else 0), (number + 1) * share],
                "range": [first - 0.7, first + BARS - 0.3],
                "gridcolor": "rgba(128, 128, 128, 0.15)",
                "zeroline": False,
            }
        })  # fmt: skip
        for column, width, opacity in ((2, 0.9, 0.4), (1, 0.35, 1.0)):
            figure.add_bar(
                x=[row[0] for row in rows],
                y=[_finite(row[column]) for row in rows],
                xaxis=f"x{number + 1 if number else ''}",
                marker={"color": one.colour, "opacity": opacity},
                width=width,
            )
    figure.update_layout(barmode="overlay", showlegend=False, margin={"t": 12})
    return _or_empty(figure)


def logarithmic(values: Iterable[float]) -> dict[str, Any]:
    """A logarithmic axis for these values, with figures so far apart that none touches another."""
    powers = [math.log10(value) for value in values if 0 < value < math.inf]
    span = max(powers) - min(powers) if powers else 0.0
    return {"type": "log", "dtick": max(1, math.ceil(span / MOST_POWERS)), "exponentformat": "power"}


def averaged(points: Points) -> Points:
    """At most MOST_POINTS of them, each the mean of equally many."""
    width = math.ceil(len(points) / MOST_POINTS)
    if width <= 1:
        return points
    groups = [points[at : at + width] for at in range(0, len(points), width)]
    return [(group[-1][0], sum(value for _x, value in group) / len(group)) for group in groups]


def sampled(points: Points) -> Points:
    """At most MOST_POINTS of them, as they are."""
    return points[:: math.ceil(len(points) / MOST_POINTS) or 1]


def _draw(
    figure: go.Figure, name: str, colour: str, points: Points, dash: str = "solid", in_legend: bool = True
) -> None:
    """A curve; what is not finite is a gap."""
    figure.add_scatter(
        x=[x for x, _value in points],
        y=[_finite(value) for _x, value in points],
        mode="lines+markers" if len(points) <= FEW else "lines",
        name=name,
        showlegend=in_legend,
        # Where both sides are equal the right one shows on either side of the wrong one.
        line={
            "color": colour,
            "width": (2.8 if colour == RIGHT else 1.8) if in_legend else 1.2,
            "dash": dash,
        },
        marker={"size": 5 if in_legend else 3},
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_empty(figure: go.Figure) -> go.Figure:
    """The figure; while nothing is drawn in it, with an axis from 0 to 1 without figures."""
    if not any(trace.x for trace in figure.data):
        figure.update_layout(yaxis={"range": [0, 1], "showticklabels": False, "type": "linear"})
    return figure


def _figure(title: str, config: Config) -> go.Figure:
    return go.Figure(
        layout={
            "template": "none",
            "height": 205,
            "margin": {"l": 48, "r": 8, "t": 22, "b": 34},
            "uirevision": "same",
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
            "showlegend": True,
            "xaxis": {
                "title": {"text": _("epochs"), "standoff": 4},
                "range": [0, config.epochs * 1.02],
                "zeroline": False,
            },
            "yaxis": {"title": {"text": title}, "zeroline": False},
        }
    )
