"""That every page says every word through `_` or `said`: in a language that marks what it has translated."""

import gettext
import re

import messages
import pytest
from browser import wait_until
from conftest import ROOT
from streamlit.testing.v1 import AppTest

from pages.parts import words
from pages.parts.live import words as live_words
from toytrain import engine

pytestmark = pytest.mark.slow

PAGES = [
    path.name for path in sorted((ROOT / "pages").glob("*.py")) if path.name not in ("main.py", "__init__.py")
]
SAID = ("label", "help", "placeholder", "body", "value", "caption", "title", "alt", "options")
UNSAID = {"code", "html", "text_input", "text_area", "number_input", "json"}  # what they hold is data
LESSONS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lessons").glob("*.md"))
# Names of the program, numbers, formulas and symbols are the same in every language.
WORD = re.compile(r"[a-zA-Z]{2,} [a-zA-Z]{2,}")


class Marked(gettext.NullTranslations):
    """Shows every text that there is to translate as ⟦text⟧."""

    def gettext(self, message):
        return f"⟦{message}⟧"

    def pgettext(self, context, message):
        return f"⟦{message}⟧" if (context, message) in messages.messages() else message


@pytest.fixture(scope="module", autouse=True)
def marked():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOYTRAIN_RUNS", "")
        known = messages.messages()
        patch.setattr(messages, "messages", lambda: known)
        patch.setitem(words.LANGUAGES, "xx", "Marked")
        patch.setattr(words, "_catalog", lambda code: Marked())
        patch.setattr(words, "_forms", lambda code: _forms_of(known))
        engine.start(workers=1)
        wait_until(lambda: engine.pool().warm, 60, "the worker is warm")
        yield
        engine.stop()


def _forms_of(known):
    """As words._forms, of a catalog that marks each form."""
    forms = []
    for context, text in known:
        fixed = [part.replace("{{", "{").replace("}}", "}") for part in re.split(r"\{\d+\}", text)]
        if context and len(fixed) > 1:
            pattern = re.compile("(.*?)".join(map(re.escape, fixed)), re.DOTALL)
            forms.append((sum(map(len, fixed)), pattern, f"⟦{text}⟧"))
    return [form[1:] for form in sorted(forms, key=lambda form: -form[0])]


def elements(block):
    for child in getattr(block, "children", {}).values():
        yield child
        yield from elements(child)


def unmarked(page):
    """What stands on a page and has not been translated, with the kind of element."""
    for element in elements(page._tree):
        for name in SAID:
            if name == "value" and element.type in UNSAID:
                continue
            found = getattr(element, name, None) if element.type not in {"code", "html"} else None
            for text in found if isinstance(found, list | tuple) else [found]:
                if not isinstance(text, str) or text.strip("*0123456789. ") in LESSONS:  # files of their own
                    continue
                if WORD.search(re.sub(r"⟦.*⟧|`[^`]*`|\$[^$]*\$", "", text, flags=re.DOTALL)):
                    yield element.type, name, text


@pytest.mark.parametrize("name", PAGES)
def test_no_word_of_a_page_is_left_out(name):
    page = AppTest.from_file(str(ROOT / "pages/main.py"), default_timeout=60)
    page.query_params["lang"] = "xx"
    page.run()
    if name != "train.py":
        page.switch_page(name).run()
    assert not page.exception
    assert list(unmarked(page)) == []


def test_no_word_of_the_live_views_is_left_out(monkeypatch):
    monkeypatch.setattr(words._Reader, "language", staticmethod(lambda: "xx"))
    assert [text for text in live_words.words().values() if not text.startswith("⟦")] == []
