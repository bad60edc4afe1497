"""The confusion matrix as a table in HTML: it is one, and so everybody can read it. Pure."""

from html import escape

import numpy as np

from .words import _

STYLE = """<style>
.confusion-scroll { overflow-x: auto; }
.confusion { border-collapse: separate; border-spacing: 2px; font-size: 0.875rem;
  font-variant-numeric: tabular-nums; }
.confusion-scroll p { margin: 4px 0 0; opacity: 0.75; font-size: 0.8125rem; }
.confusion :is(th, td) { padding: 3px 6px; border: 0; text-align: center; font-weight: 400; }
.confusion th { opacity: 0.75; }
.confusion td { min-width: 2.25rem; border-radius: 4px; font-family: monospace; }
.confusion td.right { background: color-mix(in srgb, #0072b2 calc(8% + 47% * var(--share)), transparent); }
.confusion td.wrong { background: color-mix(in srgb, #d55e00 calc(8% + 47% * var(--share)), transparent); }
.confusion td.none { opacity: 0.65; }
.confusion thead th { white-space: nowrap; }
</style>"""


def confusion_matrix(counts: np.ndarray) -> str:
    """Label i in row i, prediction j in column j; the colour is the share of the row."""
    classes = range(len(counts))
    heads = "".join(f'<th scope="col">{label}</th>' for label in classes)
    lines = []
    for label in classes:
        total = counts[label].sum()
        cells = []
        for predicted in classes:
            count = int(counts[label, predicted])
            kind = "none" if count == 0 else "right" if label == predicted else "wrong"
            share = count / total if total else 0.0
            cells.append(f'<td class="{kind}" style="--share: {share:.3f}">{count:,}</td>')
        lines.append(f'<tr><th scope="row">{label}</th>{"".join(cells)}</tr>')
    caption = escape(_("Rows: the label. Columns: the predicted class. The diagonal is right."))
    corner = escape(_("label"))
    return (
        f'{STYLE}<div class="confusion-scroll"><table class="confusion">'
        f"<thead><tr><th>{corner}</th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f"<p>{caption}</p></div>"
    )
