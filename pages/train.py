"""The train page: controls in the sidebar, the strip of buttons, and the live views."""

from functools import partial

import streamlit as st

from pages.parts import controls, lessons, live, rate_search, session, strip, teachers
from pages.parts.words import _


def show_downloads(here: session.Session) -> None:
    """The menu of what can be taken along: files, and addresses."""
    run = here.run
    with st.popover(_("Download"), disabled=here.screen.locks("download")):
        st.download_button(_("Script (.py)"), run.script, "toytrain_run.py", "text/x-python",
                           on_click="ignore", width="stretch",
                           help=_("The plain PyTorch script that prints this run's losses."))  # fmt: skip
        st.download_button(_("model.pth"), run.model, "model.pth", "application/octet-stream",
                           on_click="ignore", width="stretch",
                           help=_("The weights as a bare state_dict (book, section A.8)."))  # fmt: skip
        st.download_button(_("Full checkpoint"), run.checkpoint, session.checkpoint_name(),
                           "application/octet-stream", on_click="ignore", width="stretch",
                           help=_("Everything from which the run resumes bit for bit: "
                                  "python -m toytrain --resume checkpoint.pth"))  # fmt: skip
        if run.has_initial_weights:
            st.download_button(_("initial.pth"), run.initial_model, "initial.pth",
                               "application/octet-stream", on_click="ignore", width="stretch",
                               help=_("The weights that this run started from; its script loads them."),
                               )  # fmt: skip
        st.caption(_("Address of this experiment; whoever opens it gets a run of their own:"))
        st.code(session.share_address(), language=None, wrap_lines=True)
        if here.leaves_points_out:
            st.caption(_("The own points are too many for an address: send them along as CSV (page Data)."))
        st.caption(_("Address at which others watch this run and cannot touch it:"))
        st.code(session.watch_address(), language=None, wrap_lines=True)


live.fit_to_window()

watched = session.watched_run()
if watched is not None:
    st.caption(_("You are watching somebody's run: it is steered from its own address."))
    live.show(watched)
    st.stop()

here = session.open_page()
run = here.run

lessons.show(here)
controls.show(here.config, here.refused, here.screen)
teachers.show_task(here.screen)


with st.container(key="strip", horizontal=True, vertical_alignment="bottom", gap="xsmall"):
    strip.play(here)
    strip.step_batch(here)
    if here.screen.shows("step"):  # which shows where it stands
        strip.button(here, "half_step", _("Half step"), session.half_step, key="half_step", shortcut="H",
                     unless=run.status in strip.ENDED,
                     help=_("One part of a step: forward, loss, backward, optimizer step."))  # fmt: skip
    strip.step_epoch(here)
    strip.reset(here)
    strip.button(here, "new_seed", _("New seed"), session.new_seed, key="new_seed", shortcut="N",
                 unless=here.screen.locks("seed"),
                 help=_("A new run with other weights and another order of the batches."))  # fmt: skip
    if here.screen.shows("speed"):
        st.selectbox(_("Speed"), session.SPEEDS, key=session.speed_key(), on_change=session.set_speed,
                     format_func=lambda speed: (_("{speed} batches/s").format(speed=speed) if speed
                                                else _("max")),
                     width=190 if here.screen.present else 150, label_visibility="collapsed",
                     disabled=here.screen.locks("speed"),
                     help=_("Batches per second at the most."))  # fmt: skip
    if here.screen.shows("download"):
        show_downloads(here)

if problem := session.saving_problem(here.run):
    st.warning(controls.escaped(problem))
if here.notices:
    st.warning("\n".join(f"- {controls.escaped(notice)}" for notice in here.notices))
if here.pending:
    settings = ", ".join(f"{name} = {text}" for name, text in here.pending.items())
    st.info(controls.escaped(_("Reset starts a new run with {settings}; this one keeps its settings.")
                             .format(settings=settings)))  # fmt: skip

sets_rate = here.screen.shows("learning_rate") and not here.screen.locks("learning_rate")
find_rate = partial(rate_search.show, here) if sets_rate else None
live.show(run, here.config, here.screen, session.half(), find_rate)
