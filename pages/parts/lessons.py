"""A lesson beside the live views: its steps in the sidebar, which turn green when the run has done them."""

import html

import streamlit as st

from toytrain.config import FIELDS

from . import controls, lesson_files, session
from .lesson_files import Condition, Lesson
from .words import _, language

LOOK_EVERY = 0.5  # seconds


def show(here: session.Session) -> None:
    """The lesson that one is in, if any; it looks at the run by itself while that plays."""
    lesson = lesson_files.find(here.lesson, language()) if here.lesson else None
    if lesson is None:
        return
    st.html(STYLE)
    _show_now(here, lesson)
    with st.sidebar:
        every = LOOK_EVERY if here.run.playing and here.done < len(lesson.steps) else None
        st.fragment(_show_steps, run_every=every)(here, lesson)


def _show_now(here: session.Session, lesson: Lesson) -> None:
    """One line above the views, where the sidebar is folded away."""
    if here.done < len(lesson.steps):
        step = lesson.steps[here.done]
        text = f"{step.title}: {in_words(step.check)}"
    else:
        text = _("Done: {title}").format(title=lesson.title)
    st.html(f'<p class="toytrain-task toytrain-lesson-now" role="note">{html.escape(text)}</p>')


def _show_steps(here: session.Session, lesson: Lesson) -> None:
    if session.look_at_lesson(lesson):
        st.rerun()  # the whole page: the line above the views, the address
    with st.container(key="lesson"):
        st.markdown(f"**{controls.escaped(lesson.title)}**")
        if here.done == 0 and lesson.intro:
            st.markdown(lesson.intro)
        for number, step in enumerate(lesson.steps):
            title = controls.escaped(step.title)
            if number < here.done:
                st.markdown(f":green[:material/check_circle:] {title}")
            elif number == here.done:
                st.markdown(f":primary[:material/radio_button_unchecked:] **{title}**")
                st.markdown(step.text)
                st.caption(_("Done when: {check}").format(check=controls.escaped(in_words(step.check))))
            else:
                st.markdown(f":gray[:material/radio_button_unchecked: {title}]")
        if here.done == len(lesson.steps):
            _show_end(lesson)
        with st.container(horizontal=True, gap="xsmall"):
            st.button(_("Start over"), key="lesson_again", type="tertiary",
                      on_click=session.start_lesson, args=(lesson.name,))  # fmt: skip
            st.button(_("Leave lesson"), key="leave_lesson", type="tertiary", on_click=session.leave_lesson)


def _show_end(lesson: Lesson) -> None:
    lessons = lesson_files.all_lessons(language())[0]
    following = [other for other in lessons if (other.order, other.name) > (lesson.order, lesson.name)]
    if following:
        st.success(_("All steps done."))
        st.button(_("Next: {title}").format(title=following[0].title), key="next_lesson", type="primary",
                  on_click=session.start_lesson, args=(following[0].name,), width="stretch")  # fmt: skip
    else:
        st.success(_("All steps done, and this was the last lesson."))


def in_words(check: tuple[Condition, ...]) -> str:
    """A check as it is read: 'test accuracy ≥ 0.95, epoch ≤ 20'."""
    return ", ".join(map(_condition_in_words, check))


def _condition_in_words(condition: Condition) -> str:
    name, value = name_of(condition.name), condition.value
    if isinstance(value, bool):
        value = _("on") if value else _("off")
    elif isinstance(value, float):
        value = f"{value:g}"
    form = {
        ">=": _("{name} ≥ {value}"),
        "<=": _("{name} ≤ {value}"),
        ">": _("{name} > {value}"),
        "<": _("{name} < {value}"),
        "is": _("{name}: {value}"),
        "has": _("{name} with {value}"),
        "lacks": _("{name} without {value}"),
    }[condition.relation]
    return form.format(name=name, value=value)


def name_of(name: str) -> str:
    """What a quantity or a setting is called in a check."""
    if name in FIELDS:
        return controls.label(name)
    return {
        "epoch": _("epoch"),
        "step": _("batches"),
        "test_loss": _("test loss"),
        "test_accuracy": _("test accuracy"),
        "rise": _("test loss divided by its lowest"),
        "train_loss": _("train loss"),
        "train_accuracy": _("train accuracy"),
        "gap": _("test loss minus train loss"),
        "neurons": _("hidden neurons"),
        "status": _("status"),
    }[name]


# Where the sidebar stands open the line above the views would say it twice.
STYLE = """<style>
.stSidebar .st-key-lesson { gap: 0.5rem; padding-bottom: 0.75rem; font-size: 0.9375rem; }
.stSidebar .st-key-lesson p { font-size: inherit; line-height: 1.45; }
.stSidebar .st-key-lesson [data-testid="stCaptionContainer"] p { font-size: 0.8125rem; }
.stApp:has([data-collapsed="false"]) .stElementContainer:has(.toytrain-lesson-now) { display: none; }
</style>"""
