"""The switch between languages, in the bar on top of every page."""

from pathlib import Path

import streamlit as st

from . import session
from .live.routes import STATIC
from .words import ENGLISH, LANGUAGES, _, language

# Streamlit has no place of its own for widgets in its top bar.
BESIDE_THE_MENU = """<style>
.st-key-language { position: fixed; top: 0.6rem; right: 1.5rem; z-index: 999991; width: 6.5rem; }
@media (max-width: 640px) {
  .st-key-language { right: 1rem; }
  /* The open sidebar lies over the bar here, and its way out under these. */
  .stApp:has([data-collapsed="false"]) :is(.st-key-language, .st-key-corner) { display: none; }
}
</style>"""

# Letters that Streamlit's fonts lack, so that they are there on a machine without a font for them. The theme
# in config.toml names this family after Streamlit's own. A browser fetches it only where a page has such a
# letter, and makes bold letters itself, because no weight but 400 is promised. From Noto Sans CJK JP (its
# licence lies beside it): kana, punctuation and the 2,965 kanji of JIS X 0208 level 1.
FONTS = Path(__file__).parent / "live/static"
FONT = """<style>
@font-face {{ font-family: toytrain-letters; font-weight: 400; font-style: normal;
              src: url("{address}") format("woff2");
              unicode-range: U+3000-30FF, U+4E00-9FFF, U+FF00-FFEF; }}
</style>"""

# Streamlit's own words at a place for files: its button in the visitor's language; the rest says our label.
UPLOAD = """<style>
.stFileUploader section button p {{ font-size: 0; }}
.stFileUploader section button p::after {{ content: "{upload}"; font-size: 0.875rem; }}
[data-testid="stFileUploaderDropzoneInstructions"] {{ display: none; }}
</style>"""


def show_switch() -> None:
    """Let the visitor choose a language; until then the browser's counts."""
    st.html(BESIDE_THE_MENU)
    font = f"{language()}.woff2"
    if (FONTS / font).exists():
        st.html(FONT.format(address=f"{STATIC}/{font}"))
    if language() != ENGLISH:
        st.html(UPLOAD.format(upload=_("Upload")))
    with st.container(key="language"):
        st.selectbox(_("Language"), LANGUAGES, key=session.language_key(), on_change=session.choose_language,
                     format_func=lambda code: LANGUAGES[code], label_visibility="collapsed")  # fmt: skip
