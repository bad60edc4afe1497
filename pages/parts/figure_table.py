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
.figures { width: 100%; border-collapse: collapse; font-size: 0.8125rem; line-height: 1.4; }
.figures :is(th, td) { padding: 0.3rem 0.5rem 0.3rem 0; border: 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.figures th { font-weight: 600; font-size: 0.75rem; opacity: 0.75; }
.figures th[scope=row] { font-weight: 400; font-size: inherit; opacity: 1; width: 34%; }
.figures :is(code, mark) { padding: 0; background: none; font-family: var(--st-code-font, monospace);
  font-size: 0.75rem; font-variant-numeric: tabular-nums; color: inherit; overflow-wrap: anywhere; }
.figures mark { font-weight: 700; color: var(--no); text-decoration: underline 2px; }
.figures td.verdict { width: 1.5rem; padding-right: 0; text-align: center; font-weight: 700; }
.figures { --yes: light-dark(#00734f, #3ddc97); --no: light-dark(#b3400f, #ff9d5c); }
.figures .yes td.verdict { color: var(--yes); }
.figures .no td.verdict { color: var(--no); }
.figures .stale td:not(:first-of-type) { opacity: 0.45; }
.figures .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 640px) {
  .figures, .figures :is(tbody, tr, th, td) { display: block; }
  .figures thead { display: none; }
  .figures tr { position: relative; padding: 0.4rem 2rem 0.4rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
  .figures :is(th, td), .figures th[scope=row] { width: auto; padding: 0.1rem 0; border: 0; }
  .figures td[data-name]::before { content: attr(data-name); margin-right: 0.5em; font-size: 0.75rem;
    opacity: 0.7; }
  .figures td.verdict { position: absolute; top: 0.4rem; right: 0.25rem; width: auto; }
}
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
    book, here = escape(_("the book")), escape(_("computed here"))
    head = (
        f'<thead><tr><th scope="col">{escape(_("figure"))}</th><th scope="col">{book}</th>'
        f'<th scope="col">{here}</th><th scope="col"><span class="unseen">{escape(_("equal?"))}</span></th>'
        "</tr></thead>"
    )
    body = "".join(_line(row, book, here) for row in rows)
    unseen = f'<caption class="unseen">{escape(caption)}</caption>'
    return f'{STYLE}<table class="figures">{unseen}{head}<tbody>{body}</tbody></table>'


def _line(row: Row, book: str, here: str) -> str:
    kind = {True: "yes", False: "no", None: "open"}[row.agrees]
    return (
        f'<tr class="{kind}{" stale" if row.stale else ""}" data-figure="{escape(row.figure.key)}">'
        f'<th scope="row">{escape(row.name)}</th>'
        f'<td data-name="{book}"><code>{escape(row.figure.published)}</code></td>'
        f'<td data-name="{here}">{_computed(row)}</td>'
        f'<td class="verdict">{_verdict(row)}</td></tr>'
    )


def _computed(row: Row) -> str:
    if row.value is None:
        return "–"
    words = [
        f"<mark>{escape(word)}</mark>" if differs else escape(word)
        for word, differs in row.figure.marked(row.value)
    ]
    return f"<code>{' '.join(words)}</code>"


def _verdict(row: Row) -> str:
    if row.agrees is None:
        return ""
    sign, word = ("✓", _("as in the book")) if row.agrees else ("✗", _("differs from the book"))
    return f'<span role="img" aria-label="{escape(word)}" title="{escape(word)}">{sign}</span>'
