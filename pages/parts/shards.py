"""The shards of a distributed run as coloured cards in HTML. Pure: nothing here knows Streamlit."""

from html import escape

from toytrain.distributed import Card, Plan

from .charts import COLOURS, GREY
from .words import _

FEW_CARDS = 40  # of the batches around the present one
MOST_CARDS = 400  # of one batch

STYLE = """<style>
.shard { display: grid; gap: 3px; font-size: 0.75rem; font-variant-numeric: tabular-nums; }
.shard-row { display: flex; flex-wrap: wrap; gap: 3px; align-items: center; padding: 2px 4px; }
.shard-row.now { border-radius: 4px; outline: 2px solid currentColor; }
.shard-row.dropped .shard-card { border-style: dashed; opacity: 0.6; text-decoration: line-through; }
.shard-name { min-width: 4.2em; opacity: 0.75; }
.shard-card { min-width: 1.9em; padding: 0 3px; text-align: center; border: 1px solid var(--class);
  border-left-width: 5px; border-radius: 3px; }
</style>"""


def cards(
    plan: Plan, epoch: int, rank: int, batch_now: int | None, coloured: bool, whole: bool = False
) -> str:
    """A rank's shard: a row per batch from the one being trained on, and the rows that are dropped.

    A card is a row of the training data in the colour of its class; a star marks a repeated row.
    """
    shard = plan.epochs[epoch][rank]
    batches = sorted({card.batch for card in shard if card.batch is not None})
    size = sum(card.batch == 0 for card in shard)
    most = len(batches) if whole else max(1, FEW_CARDS // size)
    first = max(0, min(batch_now or 0, len(batches) - most))
    rows = [
        (
            _("batch {number}").format(number=batch + 1),
            "now" if batch == batch_now else "",
            [card for card in shard if card.batch == batch],
        )
        for batch in batches[first : first + most]
    ]
    dropped = [card for card in shard if card.dropped]
    if dropped:
        rows.append((_("dropped"), "dropped", dropped))
    lines = [_line(name, kind, some, plan, coloured) for name, kind, some in rows]
    if most < len(batches):
        line = _("of {batches} batches in this epoch").format(batches=len(batches))
        lines.append(f'<div class="shard-name">{escape(line)}</div>')
    spoken = escape(_in_words(plan, epoch, rank))
    return f'{STYLE}<div class="shard" role="img" aria-label="{spoken}">{"".join(lines)}</div>'


def _line(name: str, kind: str, some: list[Card], plan: Plan, coloured: bool) -> str:
    shown = "".join(_card(card, plan, coloured) for card in some[:MOST_CARDS])
    more = f"<span>+{len(some) - MOST_CARDS}</span>" if len(some) > MOST_CARDS else ""
    return f'<div class="shard-row {kind}"><span class="shard-name">{escape(name)}</span>{shown}{more}</div>'


def _card(card: Card, plan: Plan, coloured: bool) -> str:
    colour = COLOURS[int(plan.labels[card.row]) % len(COLOURS)] if coloured else GREY
    star = "*" if card.padding else ""
    return f'<span class="shard-card" style="--class: {colour}">{card.row}{star}</span>'


def _in_words(plan: Plan, epoch: int, rank: int) -> str:
    rows = ", ".join(map(str, plan.rows(epoch, rank)[:MOST_CARDS]))
    return _("Rows of rank {rank} in epoch {epoch}: {rows}").format(rank=rank, epoch=epoch + 1, rows=rows)
