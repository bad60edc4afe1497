"""The page list. No logic."""

import streamlit as st

from pages.parts import corner, language, session
from pages.parts.words import _

st.set_page_config(
    page_title="toytrain",
    layout="wide",
    initial_sidebar_state="collapsed" if session.is_presented() else "auto",
)
language.show_switch()
st.navigation(
    [
        st.Page("train.py", title=_("Train"), default=True),
        st.Page("lessons.py", title=_("Lessons")),
        st.Page("data.py", title=_("Data")),
        st.Page("predict.py", title=_("Predict")),
        st.Page("book.py", title=_("Book")),
        st.Page("mistakes.py", title=_("Mistakes")),
        st.Page("checkpoint.py", title=_("Checkpoint")),
        st.Page("distributed.py", title=_("Distributed")),
    ],
    position="top",
).run()
corner.show()
