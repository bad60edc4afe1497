"""Figures of the mistake lab: both sides over the epochs. Pure, as charts.py is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def losses(shown: Sequence[Shown]) -> go.Figure:
    """The loss of each batch as the script prints it."""
    figure = _figure(_("batch loss"))
    highest = 0.0
    for one in shown:
        points = [(one.epochs(at + 1), loss) for at, loss in enumerate(one.side.losses)]
        _draw(figure, one.name, one.colour, averaged(points))
        highest = max([highest, *one.side.losses])
    if highest > TALL:
        figure.update_layout(yaxis={"type": "log"})
    return figure


def accuracies(shown: Sequence[Shown]) -> go.Figure:
    """The accuracy after each epoch as the script finds it, on test data and (dotted) on training data."""
    figure = _figure(_("accuracy"))
    for one in shown:
        for column, dash in ((4, "solid"), (2, "dot")):
            points = [(one.epochs(row[0]), row[column]) for row in one.side.scores]
            name = one.name if column == 4 else _("{side}, training data").format(side=one.name)
            _draw(figure, name, one.colour, points, dash, in_legend=column == 4)
    figure.update_layout(yaxis={"range": [-0.02, 1.04]})
    return figure


def readings(probe: Probe, shown: Sequence[Shown], config: Config) -> go.Figure:
    """What a probe has read; each curve of it in a dash of its own."""
    figure = _figure("")
    for one in shown:
        rows = one.side.readings
        for number in range(len(rows[0]) - 1 if rows else 0):
            curve = said(probe.curves[number]) if probe.curves else _("class {label}").format(label=number)
            name = f"{one.name}: {curve}" if len(shown) > 1 else curve
            points = [(one.epochs(row[0]), row[number + 1]) for row in rows]
            _draw(figure, name, one.colour, averaged(points), DASHES[number % len(DASHES)])
    if probe.is_log:
        figure.update_layout(yaxis={"type": "log"})
    if probe.floor is not None:
        figure.add_hline(probe.floor(config), line={"color": GREY, "width": 1, "dash": "dash"},
                         annotation={"text": "ln(1 + (K-1)/e)", "font": {"color": GREY}})  # fmt: skip
    return figure


def gradients(shown: Sequence[Shown]) -> go.Figure:
    """The latest batches: what each adds to one gradient, and the stack that the optimizer takes."""
    figure = _figure("")
    for number, one in enumerate(shown, 1):
        rows = one.side.readings[-BARS:]
        steps = [row[0] for row in rows]
        axis = {} if number == 1 else {"xaxis": f"x{number}"}
        for column, name, width, opacity in (
            (2, _("{side}: what the optimizer takes"), 0.9, 0.4),
            (1, _("{side}: this batch alone"), 0.35, 1.0),
        ):
            figure.add_bar(
                x=steps,
                y=[row[column] for row in rows],
                name=name.format(side=one.name),
                marker={"color": one.colour, "opacity": opacity},
                width=width,
                **axis,
            )
    share = 1 / len(shown)
    axes = {
        f"xaxis{number if number > 1 else ''}": {
            "title": {"text": _("batch")},
            "domain": [(number - 1) * share + (0.03 if number > 1 else 0), number * share],
            "gridcolor": "rgba(128, 128, 128, 0.15)",
        }
        for number in range(1, len(shown) + 1)
    }
    figure.update_layout(barmode="overlay", **axes)
    return figure


def averaged(points: Points) -> Points:
    """At most MOST_POINTS of them, each the mean of equally many."""
    width = math.ceil(len(points) / MOST_POINTS)
    if width <= 1:
        return points
    groups = [points[at : at + width] for at in range(0, len(points), width)]
    return [(group[-1][0], sum(value for _x, value in group) / len(group)) for group in groups]


def _draw(
    figure: go.Figure, name: str, colour: str, points: Points, dash: str = "solid", in_legend: bool = True
) -> None:
    """A curve; what is not finite is a gap."""
    figure.add_scatter(
        x=[x for x, _value in points],
        y=[value if math.isfinite(value) else None for _x, value in points],
        mode="lines+markers" if len(points) <= FEW else "lines",
        name=name,
        showlegend=in_legend,
        line={"color": colour, "width": 2 if in_legend else 1.2, "dash": dash},
        marker={"size": 5 if in_legend else 3},
    )


def _figure(title: str) -> go.Figure:
    return go.Figure(
        layout={
            "template": "none",
            "height": 232,
            "margin": {"l": 46, "r": 8, "t": 8, "b": 36},
            "uirevision": "same",
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "showlegend": True,
            "xaxis": {"title": {"text": _("epochs")}, "rangemode": "tozero", "zeroline": False},
            "yaxis": {"title": {"text": title}, "zeroline": False},
        }
    )
