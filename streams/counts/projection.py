"""Projection: from a stored cell to the tallies that it counts in.

Only maximal breakdowns are stored. A declared breakdown, and the total, is the sum over the first
stored breakdown that contains it, so that no answer is summed twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from streams.ledger.cells import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.ledger.cells import Cell
    from streams.ledger.layout import Layout

Segment = tuple[str, ...]
"""One value for each dimension of a breakdown; `()` for the total."""


class Group(NamedTuple):
    """All tallies of one measure, by its cell name, split by one breakdown.

    With `joined`, of all these together: then `measure␟value` is what stands for a value. With
    `by`, a further dimension, whose value stands before that: `chat␟4`.
    """

    measure: str
    breakdown: tuple[str, ...]
    joined: tuple[str, ...] = ()
    by: str = ""


class Target(NamedTuple):
    """The count that a cell is part of."""

    group: Group
    segment: Segment
    value: str


class Projection:
    """What each known cell counts in, and which segments were seen."""

    def __init__(self, layout: Layout, groups: Iterable[Group]) -> None:
        self.groups = tuple(dict.fromkeys(groups))
        self._views = [(g, _source(layout, g)) for g in self.groups]
        self._targets: dict[int, list[Target]] = {}
        self._targets_in: dict[Group, dict[int, Target]] = {g: {} for g in self.groups}
        self._cells_in: dict[Group, Counter[Segment]] = {g: Counter() for g in self.groups}

    def add(self, number: int, cell: Cell | None) -> None:
        """Make a cell known; None stands for one that counts in nothing."""
        targets = [] if cell is None else list(self._project(cell))
        self._targets[number] = targets
        for target in targets:
            self._targets_in[target.group][number] = target
            self._cells_in[target.group][target.segment] += 1

    def remove(self, number: int) -> list[Target]:
        """Forget a cell; gives the targets whose segments went with it."""
        gone = []
        for target in self._targets.pop(number):
            del self._targets_in[target.group][number]
            cells_in = self._cells_in[target.group]
            cells_in[target.segment] -= 1
            if not cells_in[target.segment]:
                del cells_in[target.segment]
                gone.append(target)
        return gone

    def targets(self, number: int) -> list[Target]:
        """The counts that this cell is part of."""
        return self._targets[number]

    def targets_in(self, group: Group) -> Mapping[int, Target]:
        """Of each cell that counts in `group`, where; kept up to date."""
        return self._targets_in[group]

    def seen(self, group: Group) -> Iterable[Segment]:
        """The segments of which some bucket holds a cell, be its count 0."""
        return self._cells_in[group].keys()

    def _project(self, cell: Cell) -> Iterable[Target]:
        for group, source in self._views:
            if cell.breakdown != source or cell.measure not in (group.joined or (group.measure,)):
                continue
            segment = tuple([cell.segment[source.index(name)] for name in group.breakdown])
            value = f"{cell.measure}{SEPARATOR}{cell.value}" if group.joined else cell.value
            if group.by:
                value = f"{cell.segment[source.index(group.by)]}{SEPARATOR}{value}"
            yield Target(group, segment, value)


def _source(layout: Layout, group: Group) -> tuple[str, ...]:
    """The stored breakdown that a group is summed over."""
    needed = {*group.breakdown, *([group.by] if group.by else [])}
    for stored in layout.breakdowns:
        if needed <= set(stored):
            return stored
    raise ValueError(f"no stored breakdown contains {group.breakdown or 'the total'}")
