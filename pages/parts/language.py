"""The switch between languages, in the bar on top of every page."""

from pathlib import Path

import streamlit as st

from . import session
from .live.routes import STATIC
from .words import LANGUAGES, _, language

# Streamlit has no place of its own for widgets in its top bar.
BESIDE_THE_MENU = """<style>
.st-key-language { position: fixed; top: 0.6rem; right: 1.5rem; z-index: 999991; width: 6.5rem; }
@media (max-width: 640px) { .st-key-language { right: 1rem; } }
</style>"""

# Letters that Streamlit's fonts lack join those families, so that they are there on a machine without a
# font for them. A browser fetches them only where a page has such a letter. From Noto Sans CJK JP (its
# licence lies beside it): kana, punctuation and the 2,965 kanji of JIS X 0208 level 1.
FONTS = Path(__file__).parent / "live/static"
FONT = """<style>
@font-face {{ font-family: "{family}"; font-weight: 100 900; font-style: normal;
              src: url("{address}") format("woff2");
              unicode-range: U+3000-30FF, U+4E00-9FFF, U+FF00-FFEF; }}
</style>"""
FAMILIES = ("Source Sans", "Source Code Pro")


def show_switch() -> None:
    """Let the visitor choose a language; until then the browser's counts."""
    st.html(BESIDE_THE_MENU)
    font = f"{language()}.woff2"
    if (FONTS / font).exists():
        for family in FAMILIES:
            st.html(FONT.format(family=family, address=f"{STATIC}/{font}"))
    with st.container(key="language"):
        st.selectbox(_("Language"), LANGUAGES, key=session.language_key(), on_change=session.choose_language,
                     format_func=lambda code: LANGUAGES[code], label_visibility="collapsed")  # fmt: skip
