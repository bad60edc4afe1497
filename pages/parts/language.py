"""The switch between languages, in the bar on top of every page."""

import streamlit as st

from . import session
from .words import LANGUAGES, _

# Streamlit has no place of its own for widgets in its top bar.
BESIDE_THE_MENU = """<style>
.st-key-language { position: fixed; top: 0.6rem; right: 1.5rem; z-index: 999991; width: 6.5rem; }
@media (max-width: 640px) { .st-key-language { right: 1rem; } }
</style>"""


def show_switch() -> None:
    """Let the visitor choose a language; until then the browser's counts."""
    st.html(BESIDE_THE_MENU)
    with st.container(key="language"):
        st.selectbox(_("Language"), LANGUAGES, key=session.language_key(), on_change=session.choose_language,
                     format_func=lambda code: LANGUAGES[code], label_visibility="collapsed")  # fmt: skip
