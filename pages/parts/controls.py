"""The sidebar: one widget per Config field, read off the field's metadata."""

from typing import Any

import streamlit as st

from toytrain.config import FIELDS, GROUPS, Config, limits

from . import session
from .words import _, said


def titles() -> dict[str, str]:
    """What the groups of fields are called."""
    return {
        "data": _("Data"),
        "features": _("Features"),
        "network": _("Network"),
        "training": _("Training"),
    }


def label(name: str) -> str:
    """What a field is called on the screen: its name, in words."""
    names = {
        "hidden": _("hidden layers"),
        "l1": _("L1"),
        "weight_decay": _("weight decay (L2)"),
        "step_size": _("epochs per drop"),
        "t_max": _("epochs to 0 (T_max)"),
        "clip_norm": _("clip gradients (norm)"),
    }
    return names.get(name) or said(name.replace("_", " "))


def show(config: Config, refused: dict[str, str]) -> None:
    """Draw every field that means something beside the others; a refusal stands under its widget."""
    for group in GROUPS:
        with st.sidebar.expander(titles()[group], expanded=True):
            names = [name for name in FIELDS if limits(name).group == group and config.uses(name)]
            for row in _rows(names):
                for column, name in zip(st.columns(len(row)), row, strict=True):
                    with column:
                        _widget(name)
                for name in row:
                    if name in refused:
                        st.error(escaped(refused[name]))


def _rows(names: list[str]) -> list[list[str]]:
    """Two numbers side by side, everything else alone, in the order of the fields."""
    rows: list[list[str]] = []
    for name in names:
        if rows and len(rows[-1]) == 1 and _is_number(name) and _is_number(rows[-1][0]):
            rows[-1].append(name)
        else:
            rows.append([name])
    return rows


def _is_number(name: str) -> bool:
    default: Any = FIELDS[name].default
    return not isinstance(default, str | tuple | bool)


def _widget(name: str) -> None:
    default: Any = FIELDS[name].default
    bounds = limits(name)
    shared: dict[str, Any] = {
        "key": session.widget_key(name),
        "on_change": session.change,
        "args": (name,),
        "help": _help(name),
    }
    if bounds.choices and bounds.count:
        st.pills(label(name), bounds.choices, selection_mode="multi", **shared)
    elif bounds.choices:
        st.selectbox(label(name), bounds.choices, **shared)
    elif isinstance(default, bool):
        st.checkbox(label(name), **shared)
    elif bounds.count:
        st.text_input(label(name), **shared)
    elif isinstance(default, int):
        st.number_input(label(name), step=int(bounds.step or 1), **shared)
    else:
        st.number_input(label(name), step=bounds.step, format="%g", **shared)


def _help(name: str) -> str:
    bounds = limits(name)
    lines = [said(bounds.help)]
    if _is_number(name) or name == "hidden":
        lines.append(_("Permitted: {range}.").format(range=said(session.permitted(name))))
    if bounds.book:
        lines.append(_("Book, section {section}.").format(section=bounds.book))
    return " ".join(lines)


def sentence(text: object) -> str:
    """A sentence of the core (or an error that holds one) in the visitor's language, for Markdown."""
    return escaped(said(str(text)))


def escaped(text: str) -> str:
    """A sentence that quotes what somebody typed, so that Markdown shows it as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+-!|$:~" else sign for sign in text)
