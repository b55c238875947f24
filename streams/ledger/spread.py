"""Spreading: answers that agree in all that is counted become increments of cells, tier by tier.

Answers of a batch are first tallied by the number of their bucket in the finest tier that still
keeps it. A coarser tier's tally is the finer one's, rolled up, and what begins there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.ledger.keys import Bucket

if TYPE_CHECKING:
    from streams.ledger.cells import CellFields
    from streams.ledger.layout import Layout
    from streams.ledger.shapes import What

Tally = dict[tuple[int, "What"], int]
"""How many answers more (or fewer) there are of a bucket number and what they count as."""


def spread(
    tallies: Sequence[Tally],
    layout: Layout,
    fields: CellFields,
    increments: dict[Bucket, dict[bytes, int]],
) -> None:
    """Add to `increments` what the tallies, one for each tier of `layout`, come to.

    `fields` are the cells of `layout`.
    """
    rolled: Tally = {}
    for place, tier in enumerate(layout.tiers):
        tally = _sum(rolled, tallies[place])
        buckets: dict[int, dict[bytes, int]] = {}
        for (number, what), weight in tally.items():
            cells = buckets.get(number)
            if cells is None:
                bucket = Bucket(tier.seconds, number * tier.seconds)
                cells = buckets[number] = increments.setdefault(bucket, {})
            for field, amount in fields.increments(what):
                cells[field] = cells.get(field, 0) + amount * weight
        if place + 1 < len(layout.tiers):
            rolled = _roll_up(tally, layout.tiers[place + 1].seconds // tier.seconds)


def _sum(rolled: Tally, begun: Tally) -> Tally:
    """Both together; one of them is mostly empty."""
    if not rolled or not begun:
        return rolled or begun
    for group, weight in begun.items():
        rolled[group] = rolled.get(group, 0) + weight
    return rolled


def _roll_up(tally: Tally, ratio: int) -> Tally:
    rolled: Tally = {}
    for (number, what), weight in tally.items():
        if weight:
            group = (number // ratio, what)
            rolled[group] = rolled.get(group, 0) + weight
    return rolled
