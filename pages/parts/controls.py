"""The sidebar: one widget per Config field, read off the field's metadata.

What a beginner needs stands in front, two by two; every other field of a group is folded away below
it, and so is a field that somebody adds to the Config.
"""

from typing import Any

import streamlit as st

from toytrain.config import FIELDS, GROUPS, Config, limits

from . import session
from .screen import Screen
from .words import _, said

BASICS = (
    ("dataset", "classes"),
    ("points", "noise"),
    ("features",),
    ("hidden", "activation"),
    ("learning_rate", "batch_size"),
    ("optimizer", "epochs"),
)


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


def show(config: Config, refused: dict[str, str], screen: Screen) -> None:
    """Draw every field that means something beside the others and is not hidden; a refusal stands under
    its widget."""
    for group in GROUPS:
        names = [name for name in FIELDS if limits(name).group == group]
        shown = [name for name in names if config.uses(name) and screen.shows(name)]
        basic = [row for row in (_kept(row, shown) for row in BASICS) if row]
        others = [name for name in shown if not any(name in row for row in BASICS)]
        if not shown:
            continue
        with st.sidebar.container(key=f"group_{group}"):
            # A group that is one field needs no second name.
            alone = _help(group, screen.locks(group)) if names == [group] else None
            st.markdown(f"**{titles()[group]}**", help=alone)
            for row in basic:
                _row(row, refused, screen)
            if others and basic:
                changed = sum(getattr(config, name) != FIELDS[name].default for name in others)
                label = _("{count} more, {changed} changed") if changed else _("{count} more")
                with st.expander(
                    label.format(count=len(others), changed=changed),
                    key=f"more_{group}",
                    type="compact",
                    expanded=any(name in refused for name in others),
                ):
                    _others(others, refused, screen)
            elif others:  # a lesson or a teacher has left only these
                _others(others, refused, screen)


def _others(names: list[str], refused: dict[str, str], screen: Screen) -> None:
    for row in _in_pairs(names):
        _row(row, refused, screen)


def _kept(row: tuple[str, ...], shown: list[str]) -> list[str]:
    return [name for name in row if name in shown]


def _row(names: list[str], refused: dict[str, str], screen: Screen) -> None:
    # A label of two lines must not move its field away from the one beside it.
    for column, name in zip(st.columns(len(names), vertical_alignment="bottom"), names, strict=True):
        with column:
            _widget(name, screen.locks(name))
    for name in names:
        if name in refused:
            st.error(escaped(refused[name]))


def _in_pairs(names: list[str]) -> list[list[str]]:
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


def _widget(name: str, locked: bool) -> None:
    default: Any = FIELDS[name].default
    bounds = limits(name)
    shared: dict[str, Any] = {
        "key": session.widget_key(name),
        "on_change": session.change,
        "args": (name,),
        "help": _help(name, locked),
        "disabled": locked,
    }
    if name == bounds.group:  # the group's title names it, and carries the help
        shared["label_visibility"] = "collapsed"
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


def _help(name: str, locked: bool) -> str:
    bounds = limits(name)
    lines = [said(bounds.help)]
    if _is_number(name) or name == "hidden":
        lines.append(_("Permitted: {range}.").format(range=said(session.permitted(name))))
    if bounds.book:
        lines.append(_("Book, section {section}.").format(section=bounds.book))
    if locked:
        lines.append(_("Locked by the address of this page."))
    return " ".join(lines)


def sentence(text: object) -> str:
    """A sentence of the core (or an error that holds one) in the visitor's language, for Markdown."""
    return escaped(said(str(text)))


def escaped(text: str) -> str:
    """A sentence that quotes what somebody typed, so that Markdown shows it as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+-!|$:~" else sign for sign in text)
