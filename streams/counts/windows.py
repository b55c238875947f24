"""Windows: which buckets a moving window covers, and its sums kept up to date as both move.

A window of `seconds` over buckets of `t` seconds ends with the bucket that its end lies in, so it
covers the starts from `floor(end / t) * t + t - seconds` up to and including `floor(end / t) * t`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.counts.projection import Group, Projection, Segment
    from streams.scores.scores import Tally

_EMPTY: Tally = {}


class Span(NamedTuple):
    """The length of a window and the tier whose buckets it sums; the second divides the first.

    `shift_seconds` is how long before its end the window already stops: what came later is too
    young to be judged.
    """

    seconds: int
    tier_seconds: int
    shift_seconds: int = 0

    def last_end(self, end: float) -> int:
        """The end of the bucket that `end` lies in: where a window ending at `end` stops.

        Shifted, it stops with the last bucket that is old enough as a whole.
        """
        if self.shift_seconds:
            return math.floor((end - self.shift_seconds) / self.tier_seconds) * self.tier_seconds
        return (math.floor(end / self.tier_seconds) + 1) * self.tier_seconds

    def starts(self, end: float) -> range:
        """The starts of the buckets in the window that ends at `end`."""
        stop = self.last_end(end)
        return range(stop - self.seconds, stop, self.tier_seconds)


class WindowSum:
    """The tallies of one window over all partitions, moved by what changed, never summed anew.

    Changes are collected by cell (`moved`, `advance`) and reach the tallies with `settle`. A tally
    is never changed in place: as long as it is the same object, so are its numbers. A count that
    fell back to 0 may stay in its tally.
    """

    def __init__(
        self, span: Span, projection: Projection, groups: Iterable[Group] | None = None
    ) -> None:
        """`groups` are those that are wanted of this window; by default all."""
        self.span = span
        self._projection = projection
        self._starts = range(0)
        self._pending: dict[int, int] = {}
        wanted = projection.groups if groups is None else groups
        self._tallies: dict[Group, dict[Segment, Tally]] = {group: {} for group in wanted}

    def moved(self, start: int, increments: Mapping[int, int]) -> None:
        """The bucket at `start` changed by `increments` (cell number to difference)."""
        if start in self._starts:
            self._collect(increments.items(), 1)

    def advance(
        self, end: float, buckets_at: Callable[[int], Iterable[Iterable[tuple[int, int]]]]
    ) -> None:
        """Move the end, forwards or backwards: add buckets that entered, subtract those that left.

        `buckets_at` gives the cells of every partition's bucket of this tier at a start.
        """
        old, new = self._starts, self.span.starts(end)
        if new == old:
            return
        for sign, some, others in ((-1, old, new), (1, new, old)):
            for start in some:
                if start not in others:
                    for cells in buckets_at(start):
                        self._collect(cells, sign)
        self._starts = new

    def settle(self) -> None:
        """Bring what was collected into the tallies."""
        changed: dict[int, dict[str, int]] = {}
        for number, increment in self._pending.items():
            if increment:
                for group, segment, value in self._projection.targets(number):
                    if group not in self._tallies:
                        continue
                    tally = self._writable(group, segment, changed)
                    tally[value] = tally.get(value, 0) + increment
        self._pending.clear()

    def forget(self, group: Group, segment: Segment) -> None:
        """Drop a segment of which no bucket holds a cell any more."""
        if group in self._tallies:
            self._tallies[group].pop(segment, None)

    def tally(self, group: Group, segment: Segment) -> Tally:
        """The tally of one segment; empty where nothing was counted."""
        return self._tallies[group].get(segment, _EMPTY)

    def _writable(
        self, group: Group, segment: Segment, changed: dict[int, dict[str, int]]
    ) -> dict[str, int]:
        """A copy of a tally, made once for each `settle`, that may be changed."""
        tally = self._tallies[group].get(segment, _EMPTY)
        copy = changed.get(id(tally))
        if copy is None:
            copy = dict(tally)
            changed[id(copy)] = copy
            self._tallies[group][segment] = copy
        return copy

    def _collect(self, cells: Iterable[tuple[int, int]], sign: int) -> None:
        pending = self._pending
        for number, amount in cells:
            pending[number] = pending.get(number, 0) + sign * amount
