"""What the address keeps of the book page: which settings are not the book's, and which sections were run.

The figures are computed again after a reload: they follow from these. Pure: nothing here knows Streamlit.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from toytrain import ToytrainError
from toytrain.book import SECTIONS, Settings

from .words import _

RUN = "book"  # the name of the sections; a setting's is book_seed
ALL = "all"
SWITCH = {"1": True, "0": False}


def to_texts(settings: Settings, sections: Iterable[str]) -> dict[str, str]:
    """Nothing as long as all is as in the book and nothing has been run."""
    texts = {_name(name): _text(value) for name, value in settings.changes().items()}
    run = [key for key in SECTIONS if key in set(sections)]
    return texts | ({RUN: ALL if len(run) == len(SECTIONS) else ",".join(run)} if run else {})


def take_from(texts: dict[str, str], notices: list[str]) -> tuple[Settings, tuple[str, ...]]:
    """Take both out of an address's texts. What makes no sense is named and left out."""
    settings, refused = Settings(), {}
    for name, default in settings.to_dict().items():
        if _name(name) not in texts:
            continue
        text = texts.pop(_name(name))
        try:
            value: Any = SWITCH[text] if isinstance(default, bool) else type(default)(text)
            settings = replace(settings, **{name: value})
        except (KeyError, ValueError, ToytrainError):
            refused[_name(name)] = text
    text = texts.pop(RUN, "")
    sections = tuple(key for key in SECTIONS if text == ALL or key in text.split(","))
    if text and not sections:
        refused[RUN] = text
    for name, text in refused.items():
        sentence = _("In the address: {name} = {text} is not permitted. It was left out.")
        notices.append(sentence.format(name=name, text=text[:60]))
    return settings, sections


def _name(setting: str) -> str:
    return f"{RUN}_{setting}"


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
