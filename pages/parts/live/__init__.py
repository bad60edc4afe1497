"""The live views: numbers, decision boundary and loss, drawn in the browser from a stream.

They are one Streamlit component whose element stays: Streamlit reruns only when somebody clicks.
The JavaScript is in static/, the stream in routes.py, every word in words.py.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from toytrain import Config, ToytrainError
from toytrain.config import limits
from toytrain.engine import Run

from .. import session
from ..screen import Screen
from ..words import _, language, said
from . import words
from .routes import LANGUAGE, PLOTLY, STATIC, STREAM

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Sent again with every update of the component, so it only fetches the real module. Inline code runs
# from a blob: address, hence the absolute one.
LOADER = """
export default function (component) {
  const address = new URL(component.data.module, location.href);
  const ready = import(address.href).then((module) => module.show(component));
  return () => ready.then((view) => view.unmount());
}
"""

MOST_VALUES = 8  # rows and columns of a tensor that a half-step shows: more would be a wall of digits

_views = st.components.v2.component("toytrain.live", js=LOADER, isolate_styles=False)
_chart = st.components.v2.component("toytrain.chart", js=LOADER, isolate_styles=False)


def show(
    run: Run,
    config: Config | None = None,
    screen: Screen | None = None,
    half: dict[str, Any] | None = None,
    find_rate: Callable[[], None] | None = None,
) -> None:
    """Draw the run here, live, until the page goes. The page reruns when its status changes.

    `config` is what the page's controls say; without one the run can only be watched. `half` is what the
    run's last half-step answered (engine/half_steps.py): its lines and tensors are shown. `find_rate` is
    what a click on "Find a rate" does; without it there is no such button.
    """
    screen = screen or Screen()
    asked = _views(
        key=session.LIVE,
        data={
            "module": f"{STATIC}/index.js",
            "plotly": PLOTLY,
            "stream": f"{STREAM}/{run.stream_token}?{LANGUAGE}={language()}",
            # A run that is being made shows the buttons of a paused one: no rerun is needed when it is there.
            "status": "paused" if run.status == "starting" else run.status,
            "words": words.words(),
            "settings": None if config is None else _settings(config, screen),
            "hidden": screen.hide,
            "large": screen.present,
            "half": _drawable(half) if half else None,
            "finds": find_rate is not None,
        },
        on_change_change=session.change_at_network,
        on_edit_change=session.edit_weight,
        on_pause_change=session.pause,
        on_status_change=_rerun,
        on_gone_change=_rerun,
        on_backward_change=_rerun,
        on_find_rate_change=_rerun,
    )
    if asked.backward:
        st.dialog(_("What backward() really does"), width="large")(_show_fast_step)(run)
    if asked.find_rate and find_rate:
        find_rate()


def _settings(config: Config, screen: Screen) -> dict[str, Any]:
    """What the network view may change, and how far; `fixed` is what a teacher has taken away."""
    bounds = limits("hidden")
    names = session.AT_NETWORK
    return {
        "hidden": list(config.hidden),
        "features": list(config.features),
        "fixed": [name for name in names if screen.locks(name) or not screen.shows(name)],
        "most_layers": bounds.count[1] if bounds.count else None,
        "most_neurons": bounds.high,
    }


def _drawable(half: dict[str, Any]) -> dict[str, Any]:
    """What is drawn of a half-step: a corner of each tensor, with words for what JSON cannot write."""

    def corner(values: Any) -> Any:
        if isinstance(values, list):
            return [corner(value) for value in values[:MOST_VALUES]]
        return values if values is None or math.isfinite(values) else str(values)

    tensors = [
        {**tensor, "values": corner(tensor["values"]), "before": corner(tensor["before"])}
        for tensor in half["tensors"]
    ]
    return {**half, "source": None, "tensors": tensors}


def _show_fast_step(run: Run) -> None:
    """The operations that a step consists of, or the sentence that says why only plain steps are taken."""
    try:
        reason, source = run.fast_step()
    except ToytrainError as error:
        reason, source = str(error), ""
    if not source:
        st.info(
            said(reason)
            or _(
                "On an NVIDIA GPU the run repeats Trainer.step itself as a CUDA graph, which starts all its "
                "operations at once: there are no other lines to show."
            )
        )
        return
    st.caption(
        _(
            "Trainer.step once, traced: autograd's backward pass and the optimizer written out as single "
            "operations on one flat tensor. The run trains with these lines where they give the same bits, "
            "which each run proves first, and where more than a few batches are trained at once."
        )
    )
    st.code(source, language="python")


def show_chart(figure: "go.Figure", key: str, alt: str) -> None:
    """Draw a figure here; another one of the same key takes its place without a blink."""
    content = figure.to_plotly_json()
    data = {"module": f"{STATIC}/chart.js", "plotly": PLOTLY, "figure": content, "alt": alt}
    _chart(key=key, data=data, height="content")


def fit_to_window() -> None:
    """Take away Streamlit's wide margins, so that a projector shows the page without scrolling."""
    st.html(
        """<style>
        .stMainBlockContainer { padding: 4.25rem 1.5rem 0.5rem; }
        .stMain .stVerticalBlock { gap: 0.75rem; }
        /* Streamlit's own pale words, and white on the accent of the dark theme, are too pale to read. */
        .stMain kbd, [data-testid="stCaptionContainer"] { color: inherit; opacity: 0.75; }
        [data-testid="stBaseButton-primary"]:enabled:not(:hover) {
          background: light-dark(#0b6bcb, #2272bf); border-color: light-dark(#0b6bcb, #2272bf);
        }
        .stMain .stAlertContainer { padding: 0.5rem 0.75rem; font-size: 0.875rem; }
        .stMain .stAlertContainer :is(p, li) { font-size: inherit; }
        .stSidebar [data-testid="stSidebarHeader"] {
          position: absolute; right: 0; height: 2.75rem; margin: 0; z-index: 1;
        }
        .stSidebar [data-testid="stSidebarUserContent"] { padding: 0.75rem 0 1rem; }
        .stSidebar .stVerticalBlock { gap: 0.375rem; }
        .stSidebar .stVerticalBlock .stVerticalBlock { gap: 0.25rem; }
        .stSidebar label { margin-bottom: 0; }
        .stSidebar .stAlertContainer { padding: 0.5rem 0.75rem; font-size: 0.8125rem; }
        .stSidebar .stAlertContainer p { font-size: inherit; }
        .stSidebar .stButtonGroup [role] { flex-wrap: wrap; }
        .stSidebar summary { opacity: 0.75; }
        /* One row of buttons, in Japanese too. */
        @media (max-width: 1366px) { .st-key-strip button { padding-inline: 0.5rem; } }
        /* A finger hovers nowhere: a table's own buttons are always there, and would cover what is above. */
        @media (hover: none) { .stMain .stElementContainer:has(.stDataFrame) { margin-top: 1.75rem; } }
        .stPageLink p { white-space: normal; }
        @media (max-width: 640px) {
          .stMainBlockContainer { padding: 4rem 1rem 1rem; }
          .stSidebar [data-testid="stSidebarNav"] { padding-top: 2.75rem; }
        }
        </style>"""
    )


def _rerun() -> None:
    """A callback is what makes a trigger rerun the page; the rerun itself shows the new status."""
