"""A table of figures in HTML: what the book prints, what was computed, a tick or a cross.

Pure: nothing here knows Streamlit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from toytrain.book import Figure

from .words import _

STYLE = """<style>
.figures { --yes: light-dark(#00734f, #3ddc97); --no: light-dark(#b3400f, #ff9d5c);
  --line: 1px solid color-mix(in srgb, currentColor 12%, transparent);
  width: 100%; font-size: 0.8125rem; line-height: 1.5; }
.figures, .figures :is(tbody, tr, th, td) { display: block; padding: 0; border: 0; text-align: left;
  font-weight: 400; }
.figures tr { position: relative; padding: 0.375rem 1.75rem 0.375rem 0; border-bottom: var(--line); }
.figures :is(code, mark) { padding: 0; background: none; font-family: var(--st-code-font, monospace);
  font-size: 0.75rem; font-variant-numeric: tabular-nums; color: inherit; }
.figures mark { font-weight: 700; color: var(--no); text-decoration: underline 2px; }
.figures .side { display: grid; grid-template-columns: 3rem 1fr; }
.figures .side > :first-child { font-size: 0.75rem; opacity: 0.7; }
.figures td.verdict { position: absolute; top: 0.375rem; right: 0.25rem; font-weight: 700; }
.figures .yes td.verdict { color: var(--yes); }
.figures .no td.verdict { color: var(--no); }
.figures .stale .here { opacity: 0.45; }
.figures .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
</style>"""


@dataclass(frozen=True)
class Row:
    """A figure, in words what it is, and what became of it.

    `value` is what was computed, None where nothing was. `stale` marks what was computed with other
    settings and is being computed again.
    """

    figure: Figure
    name: str
    value: Any = None
    stale: bool = False

    @property
    def agrees(self) -> bool | None:
        """Whether the computed figure is the published one; None where there is nothing to compare."""
        return None if self.value is None else self.figure.agrees(self.value)


def table(rows: Sequence[Row], caption: str) -> str:
    """The rows as one table, which says its caption to those who hear it."""
    unseen = f'<caption class="unseen">{escape(caption)}</caption>'
    return f'{STYLE}<table class="figures">{unseen}<tbody>{"".join(map(_line, rows))}</tbody></table>'


def _line(row: Row) -> str:
    """The published figure over the computed one, so that digits stand under digits."""
    kind = {True: "yes", False: "no", None: "open"}[row.agrees]
    published = _code([escape(word) for word in row.figure.published.split(" ")])
    return (
        f'<tr class="{kind}{" stale" if row.stale else ""}" data-figure="{escape(row.figure.key)}">'
        f'<th scope="row">{escape(row.name)}</th><td>'
        f'<div class="side"><span>{escape(_("book"))}</span>{published}</div>'
        f'<div class="side here"><span>{escape(_("here"))}</span>{_computed(row)}</div>'
        f'</td><td class="verdict">{_verdict(row)}</td></tr>'
    )


def _computed(row: Row) -> str:
    if row.value is None or not row.figure.shown(row.value):
        return "<span>–</span>"
    words = [
        f"<mark>{escape(word)}</mark>" if differs else escape(word)
        for word, differs in row.figure.marked(row.value)
    ]
    return _code(words)


def _code(words: list[str]) -> str:
    """The words in a row that may be broken anywhere but within a pair such as [2.3, -1.1]."""
    pairs = [word + ("&nbsp;" if word.endswith((",", ",</mark>")) else " ") for word in words]
    return f"<code>{''.join(pairs).rstrip()}</code>"


def _verdict(row: Row) -> str:
    if row.agrees is None:
        return ""
    sign, word = ("✓", _("as in the book")) if row.agrees else ("✗", _("differs from the book"))
    return f'<span role="img" aria-label="{escape(word)}" title="{escape(word)}">{sign}</span>'
