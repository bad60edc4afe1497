"""The page list. No logic."""

import streamlit as st

from pages.parts import language
from pages.parts.words import _

st.set_page_config(page_title="toytrain", layout="wide", initial_sidebar_state="auto")
language.show_switch()
st.navigation(
    [
        st.Page("train.py", title=_("Train"), default=True),
        st.Page("checkpoint.py", title=_("Checkpoint")),
        st.Page("distributed.py", title=_("Distributed")),
        st.Page("mistakes.py", title=_("Mistakes")),
    ],
    position="top",
).run()
