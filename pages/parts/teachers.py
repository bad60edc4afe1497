"""The teacher's panel: hide and lock controls, write a task, and copy the link for students."""

import html

import streamlit as st

from toytrain.config import FIELDS, limits

from . import controls, session
from .screen import CAN_HIDE, CAN_LOCK, LONGEST_TASK, TEACHERS, Screen
from .words import _


def name_of(name: str) -> str:
    """What a control or a view is called where it is chosen."""
    if name in FIELDS:
        group = limits(name).group
        return _("{group}: {name}").format(group=controls.titles()[group], name=controls.label(name))
    named = {
        "play": _("Button: Play"),
        "step_batch": _("Button: Step batch"),
        "half_step": _("Button: Half step"),
        "step_epoch": _("Button: Step epoch"),
        "reset": _("Button: Reset"),
        "new_seed": _("Button: New seed"),
        "speed": _("Button: Speed"),
        "download": _("Button: Download"),
        "numbers": _("View: numbers"),
        "network": _("View: network"),
        "boundary": _("View: decision boundary"),
        "loss": _("Chart: loss"),
        "rates": _("Chart: learning rate"),
        "gradients": _("Chart: gradients"),
        "weights": _("Chart: weights"),
        "activity": _("Chart: dead ReLUs"),
        "step": _("View: what one step does"),
        TEACHERS: _("Button: For teachers"),
    }
    return named.get(name, name)


def show_task(screen: Screen) -> None:
    """The teacher's words above the views: as they were typed, for an address may come from anybody."""
    if screen.task:
        st.html(
            f'<p class="toytrain-task" role="note" aria-label="{html.escape(_("Task"))}">'
            f"{html.escape(screen.task)}</p>"
        )


def show_panel(screen: Screen) -> None:
    """The button that opens the panel."""
    with st.popover(
        _("For teachers"),
        key=TEACHERS,
        icon=":material/school:",
        help=_("Hide and lock controls, write a task, copy the link for students."),
    ):
        st.multiselect(_("Hidden"), CAN_HIDE, key=session.screen_key("hide"), format_func=name_of,
                       on_change=session.change_screen, args=("hide",), placeholder=_("nothing"),
                       help=_("A hidden setting keeps its value."))  # fmt: skip
        with st.container(horizontal=True, gap="small"):
            st.button(_("Hide all settings"), key="hide_settings", on_click=session.hide_settings)
            st.button(_("Show everything"), key="show_everything", on_click=session.show_everything,
                      disabled=not (screen.hide or screen.lock or screen.task))  # fmt: skip
        st.multiselect(_("Locked"), CAN_LOCK, key=session.screen_key("lock"), format_func=name_of,
                       on_change=session.change_screen, args=("lock",), placeholder=_("nothing"),
                       help=_("A locked control is shown and cannot be used."))  # fmt: skip
        st.text_area(_("Task"), key=session.screen_key("task"), max_chars=LONGEST_TASK, height=90,
                     on_change=session.change_screen, args=("task",),
                     placeholder=_("Stands above the views, as you type it here."))  # fmt: skip
        st.caption(_("Link for students; each gets a run of their own, without this panel:"))
        st.code(session.student_address(), language=None, wrap_lines=True)
        st.caption(_("A help against distraction, not a protection: whoever edits the address undoes it. "
                     "To have this panel back, take the word teachers out of the link."))  # fmt: skip
