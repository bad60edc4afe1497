"""The buttons that train a run, as every page shows them that has some."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from . import session
from .session import Session
from .words import _

ENDED = ("finished", "diverged", "failed")


def button(
    here: Session,
    name: str,
    label: str,
    does: Callable[..., None],
    *arguments: Any,
    unless: bool = False,
    **looks: Any,
) -> None:
    """A button, unless a teacher or a lesson has hidden it. `name` is that of the Screen."""
    if here.screen.shows(name):
        disabled = unless or here.screen.locks(name)
        st.button(label, on_click=does, args=arguments, disabled=disabled, **looks)


def play(here: Session) -> None:
    """Play, or Pause while the run plays."""
    run = here.run
    if run.playing:
        button(here, "play", _("Pause"), session.attempt, run.pause, key="pause", icon=":material/pause:",
               type="primary", shortcut="P")  # fmt: skip
    else:
        button(here, "play", _("Play"), session.attempt, run.play, key="play", icon=":material/play_arrow:",
               type="primary", shortcut="P", unless=run.status in ENDED)  # fmt: skip


def step_batch(here: Session) -> None:
    run = here.run
    button(here, "step_batch", _("Step batch"), session.attempt, run.step_batch, key="step_batch",
           shortcut="B", unless=run.status in ENDED,
           help=_("Train on one batch and stand still."))  # fmt: skip


def step_epoch(here: Session) -> None:
    run = here.run
    button(here, "step_epoch", _("Step epoch"), session.attempt, run.step_epoch, key="step_epoch",
           shortcut="E", unless=run.status in ENDED, help=_("Train to the end of the epoch."))  # fmt: skip


def reset(here: Session) -> None:
    """Reset, marked where there is nothing else to do."""
    button(here, "reset", _("Reset"), session.reset, key="reset", shortcut="X",
           type="primary" if here.pending or here.run.status in ENDED else "secondary",
           help=_("A new run with the settings on the left; same seed, same weights."))  # fmt: skip
