"""The learning-rate finder as a dialog: the curve of a search on a copy of the run, and the rate to take."""

from typing import Any

import streamlit as st

from toytrain import ToytrainError
from toytrain.config import limits

from . import charts, live, session
from .words import _


def show(here: session.Session) -> None:
    """Search, which takes some hundred batches of time, and open the dialog."""
    try:
        with st.spinner(_("Searching for a learning rate …")):
            found = here.run.find_learning_rate()
    except ToytrainError as error:
        here.refuse(error)
        st.rerun()
    st.dialog(_("Find a learning rate"), width="large")(_show_found)(found)


def _show_found(found: dict[str, Any]) -> None:
    st.caption(
        _(
            "A copy of this run has trained with a rate that grows from batch to batch (Smith, 2015). Where "
            "the loss falls steeply the rate is good; where it rises again the rate is too high. The run "
            "itself, its weights and its random state stay as they were. It tells most before the run has "
            "learned much."
        )
    )
    suggestion = found["suggestion"]
    live.show_chart(charts.rate_search(found), "rate_search", in_words(found))
    if suggestion is None:
        st.info(_("The smoothed loss has hardly fallen at any rate, so there is none to suggest: the run may "
                  "have learned all it can, or it needs more than a hundred batches to begin."))  # fmt: skip
        return
    bounds = limits("learning_rate")
    low, high = float(bounds.low or 0), float(bounds.high or 1)
    rounded = min(max(float(f"{suggestion:.2g}"), low), high)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rate = st.number_input(_("learning rate"), low, high, rounded, format="%g", width=200,
                               help=_("Suggested: a tenth of the rate with the lowest loss."))  # fmt: skip
        if st.button(_("Use this rate"), type="primary"):
            session.use_rate(rate)
            st.rerun()


def in_words(found: dict[str, Any]) -> str:
    """What the curve shows, for who cannot see it."""
    if not found["rates"]:
        return _("The search found no finite loss.")
    lowest = min(range(len(found["rates"])), key=lambda at: found["smoothed"][at])
    sentence = _(
        "Loss by learning rate, from {first} to {last}: the smoothed loss is lowest at {rate}."
    ).format(
        first=f"{found['rates'][0]:.1g}",
        last=f"{found['rates'][-1]:.2g}",
        rate=f"{found['rates'][lowest]:.2g}",
    )
    if found["suggestion"] is None:
        return sentence
    return " ".join((sentence, _("Suggested: {rate}.").format(rate=f"{found['suggestion']:.2g}")))
