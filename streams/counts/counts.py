"""Counts in memory: every bucket of every partition, and what listens to their changes.

Fed by `streams.counts.reader` with whole buckets as Redis holds them. Only differences are passed
on, so a refresh costs what changed, not what exists.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Protocol

from streams.counts.cell_table import CellTable
from streams.counts.projection import Group, Projection, Segment
from streams.counts.windows import Span, WindowSum
from streams.ledger.keys import Bucket
from streams.ledger.layout import EXPIRY_GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streams.ledger.layout import Layout
    from streams.scores.scores import Tally


class _Packed:
    """A bucket's cells: 12 bytes each, where a dict takes some 50."""

    __slots__ = ("_counts", "_numbers")

    def __init__(self, cells: Mapping[int, int]) -> None:
        self._numbers = array("I", cells.keys())
        self._counts = array("q", cells.values())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._numbers, self._counts, strict=True)


_NOTHING = _Packed({})


class Listener(Protocol):
    """What is told of every change of a bucket of its tier."""

    def moved(self, start: int, increments: Mapping[int, int]) -> None:
        """The bucket at `start` changed by `increments` (cell number to difference)."""


class Counts:
    """The buckets of all partitions and the sums of every window over them.

    `windows` are the spans by name and `groups` the tallies wanted of each, but for those windows
    of which `only` some are. After feeding (`put`, `replace`, `expire`, `advance`), `settle` once;
    then read `tallies`.
    """

    def __init__(
        self,
        layout: Layout,
        windows: Mapping[str, Span],
        groups: Iterable[Group],
        only: Mapping[str, Iterable[Group]] | None = None,
    ) -> None:
        self.projection = Projection(layout, groups)
        self._layout = layout
        self._table = CellTable(self.projection)
        self._partitions: dict[int, dict[Bucket, _Packed]] = {}
        some = only or {}
        self._windows = {
            name: WindowSum(span, self.projection, some.get(name)) for name, span in windows.items()
        }
        self._listeners: dict[int, list[Listener]] = {}
        for window in self._windows.values():
            self.listen(window.span.tier_seconds, window)

    def listen(self, tier_seconds: int, listener: Listener) -> None:
        """Tell `listener` of every later change of a bucket of this tier."""
        self._listeners.setdefault(tier_seconds, []).append(listener)

    def put(self, partition: int, bucket: Bucket, fields: Mapping[bytes, bytes]) -> None:
        """Replace what `bucket` of `partition` holds by the hash that Redis has (empty: none)."""
        buckets = self._partitions.setdefault(partition, {})
        old = dict(buckets.get(bucket, _NOTHING))
        new = self._table.numbered(fields)
        if new == old:
            return
        self._table.hold(new.keys() - old.keys())
        self._table.release(old.keys() - new.keys())
        if new:
            buckets[bucket] = _Packed(new)
        else:
            del buckets[bucket]
        increments = _difference(old, new)
        for listener in self._listeners.get(bucket.seconds, ()):
            listener.moved(bucket.start, increments)

    def replace(self, partition: int, buckets: Mapping[Bucket, Mapping[bytes, bytes]]) -> None:
        """Replace all that is known of `partition`."""
        for bucket in [b for b in self._partitions.get(partition, ()) if b not in buckets]:
            self.put(partition, bucket, {})
        for bucket, fields in buckets.items():
            self.put(partition, bucket, fields)

    def expire(self, now: float) -> None:
        """Drop the buckets that Redis has dropped by `now` (Unix seconds, Redis's clock)."""
        keep = {t.seconds: t.seconds + t.retention_seconds for t in self._layout.tiers}
        for partition, buckets in self._partitions.items():
            for bucket in list(buckets):
                lives = keep.get(bucket.seconds, 0) + EXPIRY_GRACE_SECONDS
                if bucket.start + lives <= now:
                    self.put(partition, bucket, {})

    def advance(self, end: float) -> None:
        """Move the end of every window to `end` (Unix seconds)."""
        for window in self._windows.values():
            window.advance(end, self._at(window.span.tier_seconds))

    def settle(self) -> None:
        """Bring all changes into the tallies and forget segments that no bucket holds."""
        for window in self._windows.values():
            window.settle()
        for group, segment, _ in self._table.sweep():
            for window in self._windows.values():
                window.forget(group, segment)

    def tallies(self, window: str, group: Group) -> dict[Segment, Tally]:
        """The tally of every segment seen in any bucket; the total is always there."""
        tally = self._windows[window].tally
        segments = self.projection.seen(group) if group.breakdown else ((),)
        return {segment: tally(group, segment) for segment in segments}

    @property
    def cells_known(self) -> int:
        """How many distinct cells the buckets hold."""
        return len(self._table)

    def buckets_of(self, partition: int) -> Iterable[Bucket]:
        """The buckets of `partition` that are in memory."""
        return self._partitions.get(partition, {}).keys()

    def _at(self, tier_seconds: int) -> Callable[[int], Iterator[_Packed]]:
        def buckets_at(start: int) -> Iterator[_Packed]:
            bucket = Bucket(tier_seconds, start)
            for buckets in self._partitions.values():
                if bucket in buckets:
                    yield buckets[bucket]

        return buckets_at


def _difference(old: Mapping[int, int], new: Mapping[int, int]) -> dict[int, int]:
    """New minus old, without the zeros."""
    changed = {number for number, _ in old.items() ^ new.items()}
    moved = {number: new.get(number, 0) - old.get(number, 0) for number in changed}
    return {number: increment for number, increment in moved.items() if increment}
