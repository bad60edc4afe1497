"""Every word on the screen, in the language of whoever looks at it.

`_` translates a text of the pages, `said` a sentence of the core, which speaks English and knows of no
screen: the sentence is recognised by its form. Both by gettext, from languages/<code>.po. Neither may be
called while a module is imported: a language belongs to a visitor.

To add a language: its file in languages/, and its line in LANGUAGES. `python tests/messages.py CODE` lists
what the file lacks.
"""

import gettext
import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

# The code that browsers and the address use, and what the language calls itself.
LANGUAGES = {
    "en": "English",
    "ja": "日本語",
}
ENGLISH = "en"

FOLDER = Path(__file__).parent / "languages"
CORE = "core"  # the context (msgctxt) of the core's sentences; {0}, {1} stand for what is filled in
LONGEST_SENTENCE = 2000
DEEPEST = 3  # sentences within sentences: "... permitted is {2}." holds "{0} to {1}"


class _Reader:
    """Whose language counts: session.py says so, and this module stays free of Streamlit."""

    language: Callable[[], str] = staticmethod(lambda: ENGLISH)


def speak(language: Callable[[], str]) -> None:
    """Let `language()` tell the code of the present visitor's language."""
    _Reader.language = staticmethod(language)


def language() -> str:
    """The code of the present visitor's language."""
    return _Reader.language()


def _(text: str) -> str:
    """A text of the pages in the visitor's language; with {names} for `format`, as they stand in it."""
    return _catalog(language()).gettext(text) if text else ""


def said(sentence: str, code: str | None = None) -> str:
    """A sentence of the core, as it reads in the visitor's language (or that of `code`).

    One that no form of the catalog fits stays English.
    """
    return _said(sentence, code or language(), DEEPEST)


def _said(sentence: str, code: str, depth: int) -> str:
    if code == ENGLISH or not sentence or len(sentence) > LONGEST_SENTENCE:
        return sentence
    exact = _catalog(code).pgettext(CORE, sentence)
    if exact != sentence or not depth:
        return exact
    for pattern, translation in _forms(code):
        if found := pattern.fullmatch(sentence):
            # A single word is a name (a field, an optimizer) and stays one.
            parts = (_said(part, code, depth - 1) if " " in part else part for part in found.groups())
            return translation.format(*parts)
    return sentence


@cache
def _messages(code: str) -> Catalog:
    with (FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code, abort_invalid=True)


@cache
def _catalog(code: str) -> gettext.NullTranslations:
    if code == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _messages(code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def _forms(code: str) -> list[tuple[re.Pattern[str], str]]:
    """Each form of a core sentence that leaves something open, the most telling first."""
    forms = []
    for message in (message for message in _messages(code) if message.context == CORE):
        fixed = [part.replace("{{", "{").replace("}}", "}") for part in re.split(r"\{\d+\}", str(message.id))]
        if len(fixed) > 1 and message.string:
            pattern = "(.*?)".join(re.escape(part) for part in fixed)
            forms.append((sum(map(len, fixed)), re.compile(pattern, re.DOTALL), str(message.string)))
    return [form[1:] for form in sorted(forms, key=lambda form: -form[0])]
