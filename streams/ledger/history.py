"""The layouts by which a partition was counted, one after the other, and what follows of them.

When a newer KPI file keeps a tier or its ids for longer, this cannot bring back what the older
one had let go of. So what was let go of stays so:

- A bucket is kept for longer only if it was kept when the newer layout was raised. An answer that
  belongs into an older one counts in it neither more nor less than before.
- An event older than the older horizon was `late` then, because a duplicate of it could no longer
  be told. It stays late.

Both are lines in event time, drawn when a layout is raised (by Redis's clock, in Unix seconds), so
that every owner, and an audit, draws the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import msgspec

from streams.events.admission import FUTURE_SECONDS
from streams.ledger.keys import Bucket
from streams.ledger.layout import EXPIRY_GRACE_SECONDS, Layout

_LAYOUT = b"layout:"
_decode = msgspec.json.Decoder(Layout).decode


class Era(NamedTuple):
    """A layout, the offset from which it counts, and when it was raised; 0 for a ledger's first."""

    layout: Layout
    begins: int = 0
    raised_at: float = 0.0


class Promise(NamedTuple):
    """To keep something for so long, given at a time."""

    given_at: float
    seconds: int


class History:
    """The eras of a partition. Those of which nothing was counted, but the last, are left out."""

    def __init__(self, eras: Iterable[Era]) -> None:
        """`eras` in the order of their versions."""
        found = self.all_eras = tuple(eras)
        self.layouts: Mapping[int, Layout] = {era.layout.version: era.layout for era in found}
        self.eras = tuple(
            era for era, following in pairwise(found) if era.begins != following.begins
        ) + found[-1:]  # fmt: skip
        self._kept: dict[tuple[int, int], tuple[Promise, ...]] = {}
        self._not_before: dict[int, float] = {}

    @property
    def current(self) -> Layout:
        """The last layout, by which is counted now."""
        return self.all_eras[-1].layout

    @classmethod
    def of(cls, *layouts: Layout) -> Self:
        """Layouts that all hold from the beginning, as far as anybody knows."""
        return cls([Era(layout, number) for number, layout in enumerate(layouts)])

    @classmethod
    def stored(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The history in the fields of a ledger."""
        named = [name.removeprefix(_LAYOUT) for name in fields if name.startswith(_LAYOUT)]
        return cls(
            Era(
                _decode(fields[_LAYOUT + version]),
                int(fields.get(b"layout_from:" + version, 0)),
                float(fields.get(b"layout_at:" + version, 0)),
            )
            for version in sorted(named, key=int)
        )

    def kept_seconds(self, version: int, bucket: Bucket) -> int:
        """For how long answers are counted in a bucket, as of a version.

        The version, or one before it, has the bucket's tier.
        """
        promises = self._kept.get((version, bucket.seconds))
        if promises is None:
            promises = self._kept[version, bucket.seconds] = self._tier(version, bucket.seconds)
        kept = promises[0].seconds
        for promise in promises[1:]:
            if promise.seconds <= kept or bucket.start >= promise.given_at - kept:
                kept = promise.seconds
        return kept

    def expires_at(self, bucket: Bucket) -> int:
        """When Redis may drop a bucket (Unix seconds), as of the current layout."""
        kept = self.kept_seconds(self.current.version, bucket)
        return bucket.start + bucket.seconds + kept + EXPIRY_GRACE_SECONDS

    def raised(self, era: Era) -> History:
        """The history that goes on with `era`."""
        return type(self)([*self.all_eras, era])

    def prolonged(self, after: History, buckets: Iterable[Bucket]) -> dict[Bucket, int]:
        """Those of `buckets` that live on for longer `after` a raise, and their new expiry."""
        tiers = {tier.seconds for tier in after.current.tiers}
        return {
            bucket: expiry
            for bucket in buckets
            if bucket.seconds in tiers
            and (expiry := after.expires_at(bucket)) > self.expires_at(bucket)
        }

    def shortest_kept_seconds(self, version: int, tier_seconds: int) -> int:
        """For how long any bucket of a tier is kept at least."""
        return min(promise.seconds for promise in self._tier(version, tier_seconds))

    def not_before(self, version: int) -> float:
        """Events that occurred before this are late, whatever the version's horizon says."""
        found = self._not_before.get(version)
        if found is None:
            found = self._not_before[version] = whole_from(self._horizons(version))
        return found

    def shortest_horizon_seconds(self, version: int) -> int:
        """An event is late in no case while it is younger than this."""
        horizons = [promise.seconds for promise in self._horizons(version)]
        return min([*horizons, self.layouts[version].late_after_seconds])

    def complete_from(self, tier_seconds: int, counts: Callable[[Layout], bool]) -> float:
        """From which event time on a tier's buckets hold all of what the current layout `counts`.

        Before, some layout did not count it, or did not keep the tier for so long.
        Minus infinity where no layout stands in the way; the ledger's `complete_from` still may.
        """
        begin = -math.inf
        promises: list[Promise] = []
        for era in reversed(self.eras):
            kept = [t.retention_seconds for t in era.layout.tiers if t.seconds == tier_seconds]
            if not kept or not counts(era.layout):
                # Clocks of upstream apps differ: some of what came before occurred after.
                begin = promises[0].given_at + FUTURE_SECONDS if promises else math.inf
                break
            promises.insert(0, Promise(era.raised_at, *kept))
        return max(begin, whole_from(promises))

    def _horizons(self, version: int) -> list[Promise]:
        if self.layouts[version].horizon_seconds is None:
            return []
        return [
            Promise(era.raised_at, era.layout.horizon_seconds)
            for era in self._until(version)
            if era.layout.horizon_seconds is not None
        ]

    def _tier(self, version: int, seconds: int) -> tuple[Promise, ...]:
        return tuple(
            Promise(era.raised_at, tier.retention_seconds)
            for era in self._until(version)
            for tier in era.layout.tiers
            if tier.seconds == seconds
        )

    def _until(self, version: int) -> Iterable[Era]:
        return (era for era in self.eras if era.layout.version <= version)


def whole_from(promises: Sequence[Promise]) -> float:
    """From when on everything is kept for as long as the last promise says, or longer."""
    begin = -math.inf
    for before, promise in pairwise(promises):
        if before.seconds < min(promise.seconds, promises[-1].seconds):
            begin = max(begin, promise.given_at - before.seconds)
    return begin
