"""The corner at the top right of every page: presentation mode, the keys, and the teacher's panel."""

import streamlit as st

from . import session, teachers
from .screen import TEACHERS
from .words import _

LARGE = 1.25  # times the usual type


def show() -> None:
    """Draw the corner, and the page in large type where it is being presented."""
    here = session.opened()
    if here is None:
        return
    st.html(STYLE)
    if here.screen.present:
        st.html(PRESENTING)
    with st.container(key="corner", horizontal=True, gap="small", width="content"):
        if here.screen.present:
            st.button(_("Leave"), key="leave", icon=":material/close_fullscreen:", shortcut="Escape",
                      on_click=session.present, help=_("Leave presentation mode."))  # fmt: skip
            return
        if here.screen.shows(TEACHERS):
            teachers.show_panel(here.screen)
        st.button(_("Present"), key="present", icon=":material/present_to_all:", shortcut="F",
                  on_click=session.present,
                  help=_("Large type for a projector, and only what is not hidden."))  # fmt: skip
        if st.button(_("Keys"), key="keys", icon=":material/keyboard:", shortcut="K",
                     help=_("What can be done without a mouse.")):  # fmt: skip
            show_keys()


def keys() -> list[tuple[str, str]]:
    """Each key with what it does."""
    return [
        ("P", _("Play or pause")),
        ("B", _("Step batch: train on one batch")),
        ("H", _("Half step: forward, loss, backward, optimizer step, one by one")),
        ("E", _("Step epoch: train to the end of the epoch")),
        ("X", _("Reset: a new run with the settings on the left")),
        ("N", _("New seed: other weights, another order of the batches")),
        ("F", _("Presentation mode: large type for a projector")),
        ("Esc", _("Leave presentation mode, or close what is open")),
        ("K", _("This list")),
        ("Tab", _("To the next control; Shift and Tab to the one before")),
        ("Enter", _("Press the button or open the list that is marked")),
        (_("Arrow keys"), _("Choose in a list, or go up and down by a step in a number's field")),
        (_("Arrow keys"), _("In the network: to the next neuron; Enter enlarges it, Esc puts it back")),
    ]


def show_keys() -> None:
    """The list of keys, over the page."""
    st.dialog(_("Keys"))(_list_keys)()


def _list_keys() -> None:
    with st.container(gap=None):  # all of them are seen at once on a projector
        for key, action in keys():
            left, right = st.columns([1, 4], gap="small", vertical_alignment="center")
            left.markdown(f":gray-background[{key}]")
            right.markdown(action)
    st.caption(_("Letters work wherever you are not writing into a field."))


# Icons alone, whose words are for screen readers: the bar is full.
STYLE = """<style>
.st-key-corner { position: fixed; top: 0.6rem; right: 8.5rem; z-index: 999991; width: auto; }
.stLayoutWrapper:has(> :is(.st-key-corner, .st-key-language)) { position: absolute; } /* no gap is left */
.st-key-corner button { min-height: 2.25rem; padding: 0.25rem 0.5rem; }
.st-key-corner button :is([data-testid="stMarkdownContainer"], kbd) {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
.toytrain-task {
  margin: 0; padding: 0.25rem 0.75rem; border-left: 3px solid var(--st-primary-color, #0b6bcb);
  font-size: 1.0625rem; line-height: 1.45; white-space: pre-line; overflow-wrap: anywhere;
}
/* A phone has neither keys nor a projector. */
@media (max-width: 640px) { .st-key-corner :is(.st-key-keys, .st-key-present) { display: none; } }
</style>"""

# Streamlit measures in rem: the root's size is the size of everything. What is no part of the lesson goes.
PRESENTING = f"""<style>
html {{ font-size: {16 * LARGE}px !important; }}
[data-testid="stTopNav"], .st-key-language {{ display: none; }}
[data-testid="stHeader"] {{ background: none; height: 2.75rem; min-height: 0; }}
[data-testid="stHeader"], [data-testid="stHeader"] * {{ pointer-events: none; }} /* it covers the strip */
[data-testid="stHeader"] :is(button, button *) {{ pointer-events: auto; }}
.stMainBlockContainer.stMainBlockContainer {{ padding: 0.5rem 3.5rem 0; }}
.st-key-corner {{ top: 0.5rem; right: 0.75rem; }}
.stMain kbd {{ display: none; }}
.toytrain-live.toytrain-live {{ --toytrain-upper: 1.35fr; --toytrain-least: 24rem; }}
</style>"""
