"""Mistake: what one mistake is. Texts and a Config, nothing that trains."""

from dataclasses import dataclass

from ..config import Config

Lines = tuple[str, str]  # lines of the script, and what stands in their place


@dataclass(frozen=True)
class Mistake:
    """The right line of the exported script, the wrong one, and all that is to be said about them.

    `happens` says what the wrong line does, `look` what the curves show, `find` how to find it in code of
    one's own. `config` is a run on which the harm shows; `probe` names the measurement of `probes.PROBES`
    that shows it best.

    `right` and `wrong` are lines as `scripts.replace_lines` takes them. `given` changes both scripts, so
    that the mistake can be made at all; `also` is what else whoever makes the mistake writes. `in_book`:
    the five points of the book show it too. `raises`: it ends with an error message. `hides`: it can be
    the mistake of a mystery, because its sign is in the curves.
    """

    title: str
    happens: str
    look: str
    find: str
    right: str
    wrong: str
    config: Config
    probe: str
    given: tuple[Lines, ...] = ()
    also: tuple[Lines, ...] = ()
    in_book: bool = False
    raises: bool = False
    hides: bool = True
