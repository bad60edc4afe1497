"""Screen: which controls and views a page shows, which of them are locked, and the task above them.

A teacher decides it and the address holds it. It keeps a class from what would lead it astray; it
protects nothing, because whoever edits the address undoes it. Pure: nothing here knows Streamlit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from toytrain.config import FIELDS, GROUPS, limits

from .words import _

SETTINGS = tuple(name for name in FIELDS if limits(name).group in GROUPS)  # the fields with a widget
BUTTONS = ("play", "step_batch", "half_step", "step_epoch", "reset", "new_seed", "speed", "download")
CHARTS = ("loss", "rates", "gradients", "weights", "activity")
VIEWS = ("numbers", "network", "boundary", *CHARTS, "step")  # as the modules of live/static name them
TEACHERS = "teachers"  # the panel in which all this is chosen; a link for students hides it
CAN_HIDE = (*SETTINGS, *BUTTONS, *VIEWS, TEACHERS)
CAN_LOCK = (*SETTINGS, *BUTTONS)
LONGEST_TASK = 500  # letters: a task stands above the views, and an address must stay short
NAMED = 3  # so many unknown names are quoted


@dataclass(frozen=True)
class Screen:
    """What one page shows. `hide` and `lock` hold names of CAN_HIDE and CAN_LOCK, in that order;
    `present` is the large type for a projector.

    A hidden setting keeps its value; a locked control shows it and cannot be used.
    """

    hide: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    task: str = ""
    present: bool = False

    def shows(self, name: str) -> bool:
        return name not in self.hide

    def locks(self, name: str) -> bool:
        return name in self.lock

    def fixes(self, name: str) -> bool:
        """Whether nobody is to change it, on whichever page: what is hidden is meant to stay as it is."""
        return self.locks(name) or not self.shows(name)

    @property
    def views(self) -> list[str]:
        """The live views that are shown."""
        return [name for name in VIEWS if self.shows(name)]

    def to_texts(self) -> dict[str, str]:
        """What differs from a page that shows everything, as the texts of a query string."""
        texts = {
            "hide": ",".join(self.hide),
            "lock": ",".join(self.lock),
            "task": self.task,
            "present": "1" if self.present else "",
        }
        return {name: text for name, text in texts.items() if text}

    @classmethod
    def take_from(cls, texts: dict[str, str], notices: list[str]) -> "Screen":
        """Take the screen out of an address's texts. What makes no sense is named and left out."""
        return cls(
            hide=_names("hide", texts.pop("hide", ""), CAN_HIDE, notices),
            lock=_names("lock", texts.pop("lock", ""), CAN_LOCK, notices),
            task=_task(texts.pop("task", ""), notices),
            present=_switch(texts.pop("present", ""), notices),
        )


def in_order(chosen: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """The chosen names once each, in the order of those known: equal screens have equal addresses."""
    chosen = set(chosen)
    return tuple(name for name in known if name in chosen)


def trimmed(task: str) -> str:
    """A task as it is kept: without blanks around it and without control characters."""
    return "".join(sign for sign in task if sign.isprintable() or sign == "\n").strip()[:LONGEST_TASK]


def _names(kind: str, text: str, known: tuple[str, ...], notices: list[str]) -> tuple[str, ...]:
    asked = [name for name in map(str.strip, text.split(",")) if name]
    unknown = list(dict.fromkeys(name for name in asked if name not in known))
    if unknown:
        quoted = ", ".join(_short(name) for name in unknown[:NAMED]) + (" …" if len(unknown) > NAMED else "")
        sentence = {
            "hide": _("In the address: hide = {names} names nothing that can be hidden, such as {some}. "
                      "It was left out."),
            "lock": _("In the address: lock = {names} names nothing that can be locked, such as {some}. "
                      "It was left out."),
        }[kind]  # fmt: skip
        notices.append(sentence.format(names=quoted, some=", ".join((known[0], BUTTONS[0]))))
    return in_order(asked, known)


def _task(text: str, notices: list[str]) -> str:
    if len(text) > LONGEST_TASK:
        notices.append(
            _("In the address: the task has {length} letters; its first {most} are shown.").format(
                length=len(text), most=LONGEST_TASK
            )
        )
    return trimmed(text)


def _switch(text: str, notices: list[str]) -> bool:
    if text in ("", "0", "1"):
        return text == "1"
    notices.append(
        _("In the address: present = {text} is neither 1 nor 0. It was left out.").format(text=_short(text))
    )
    return False


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
