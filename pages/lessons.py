"""The lessons: what there is to learn here, in order, and what of it is done."""

import streamlit as st

from pages.parts import controls, lesson_files, live, session
from pages.parts.lesson_files import Broken, Lesson
from pages.parts.words import _, language

WIDE = 3  # lessons beside one another


def show_lesson(number: int, lesson: Lesson, here: session.Session) -> None:
    """A card: what it is about, and the button that begins it."""
    is_passed = lesson.name in here.passed
    with st.container(border=True, height="stretch", vertical_alignment="distribute"):
        with st.container():
            mark = ":green[:material/check_circle:] " if is_passed else ""
            st.markdown(f"{mark}**{number}. {controls.escaped(lesson.title)}**")
            st.markdown(lesson.intro)
        with st.container():
            show_button(lesson, here, is_passed)


def show_button(lesson: Lesson, here: session.Session, is_passed: bool) -> None:
    is_begun = lesson.name == here.lesson
    st.caption(_("{done} of {steps} steps done").format(done=here.done, steps=len(lesson.steps))
               if is_begun else _("{steps} steps").format(steps=len(lesson.steps)))  # fmt: skip
    if is_begun:
        if st.button(_("Go on"), key=f"go_on_{lesson.name}", type="primary"):
            st.switch_page("train.py")
    elif st.button(_("Again") if is_passed else _("Begin"), key=f"begin_{lesson.name}"):
        session.start_lesson(lesson.name)
        st.switch_page("train.py")  # which also says why, if it could not begin


def show_broken(broken: list[Broken]) -> None:
    """The files that are no lessons: their names, lines and reasons."""
    for file in broken:
        st.warning(controls.escaped(_("lessons/{file}, line {line}: {reason}").format(
            file=file.file, line=file.line, reason=file.reason)))  # fmt: skip


live.fit_to_window()
here = session.open_page()
lessons, broken = lesson_files.all_lessons(language())
st.caption(_("Each lesson opens beside the live views and takes a few minutes. What you have done stands in "
             "the address of the page: keep it to go on later."))  # fmt: skip
if here.notices:
    st.warning("\n".join(f"- {controls.escaped(notice)}" for notice in here.notices))
for first in range(0, len(lessons), WIDE):
    columns = st.columns(WIDE)
    for column, lesson in zip(columns, lessons[first : first + WIDE], strict=False):
        with column:
            show_lesson(lessons.index(lesson) + 1, lesson, here)
if not lessons:
    st.info(_("There is no lesson yet: put a Markdown file into the folder lessons."))
show_broken(broken)
