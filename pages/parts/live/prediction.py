"""The live part of the predict page: a point's way through the network, fetched by the browser itself."""

from typing import Any

import streamlit as st

from toytrain.engine import Run

from . import LOADER, words
from .routes import STATIC, STREAM
from .traces import TRACE, TRACE_CSV

_prediction = st.components.v2.component("toytrain.predict", js=LOADER, isolate_styles=False)


def show(run: Run, chosen: dict[str, Any] | None = None) -> None:
    """Draw it here until the page goes. The page reruns when the run's status changes.

    `chosen` {"number", "point"}: the data point that somebody has picked elsewhere on the page, training
    points first; another number is another pick.
    """
    _prediction(
        key="prediction",
        data={
            "module": f"{STATIC}/predict.js",
            "stream": f"{STREAM}/{run.stream_token}",
            "trace": f"{TRACE}/{run.stream_token}",
            "csv": f"{TRACE_CSV}/{run.stream_token}",
            "status": "paused" if run.status == "starting" else run.status,
            "words": words.words() | words.prediction_words(),
            "chosen": chosen,
        },
        on_status_change=_rerun,
        on_gone_change=_rerun,
    )


def _rerun() -> None:
    """A callback is what makes a trigger rerun the page; the rerun itself shows the new status."""
