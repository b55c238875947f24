"""What is stored: measures, dimensions, breakdowns and tiers, with a version and a hash.

The layout is the part of a KPI file that decides the shape of the counts. Two workers whose
layouts differ must never write to the same ledger, so its `token` is part of every write's
compare-and-set. A layout is kept in the ledger under its version, because taking back an old
answer needs the cells as they were when it was counted.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

MeasureKind = Literal["rating", "flag", "sentiment", "amount"]

SENTIMENT = "sentiment"
# Buckets outlive their retention by this, so that a reader never meets half-expired ones.
EXPIRY_GRACE_SECONDS: Final = 7_200


class Measure(msgspec.Struct, frozen=True):
    """One thing a customer can answer, or the sentiment computed from the comment.

    `low` and `high` are the least and the greatest answer. Those of an amount are whole numbers
    of its smallest unit, 10 to the power of `decimals` of which are one `unit`.
    """

    name: str
    kind: MeasureKind
    low: int = 0
    high: int = 1
    # Left out of the layout's hash where they are not set: files without amounts keep theirs.
    decimals: int | UnsetType = UNSET
    unit: str | UnsetType = UNSET

    @property
    def smallest_units(self) -> int:
        """How many of what is counted make one of the unit that people write."""
        return int(10 ** (self.decimals or 0))

    @property
    def cell_id(self) -> str:
        """Its name in a cell: a changed scale is another name, so old counts never mix in."""
        match self.kind:
            case "rating":
                return f"{self.name}@{self.low}..{self.high}"
            case "flag":
                return f"{self.name}@flag"
            case "sentiment":
                return f"{self.name}@vader3"
            case "amount":
                return f"{self.name}@0..{self.high}/{self.smallest_units}{self.unit or ''}"


class Dimension(msgspec.Struct, frozen=True):
    """A way to split answers. Up to `10 * shown` values are counted apart in each partition."""

    name: str
    shown: int

    @property
    def admitted(self) -> int:
        """How many values a partition tells apart before the rest becomes `other`."""
        return 10 * self.shown


class Tier(msgspec.Struct, frozen=True):
    """Buckets of `seconds`, kept while younger than `retention_seconds` by event time."""

    seconds: int
    retention_seconds: int


class Layout(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shape of what is stored.

    `breakdowns` are the ones that must be stored: none is contained in another, and every other
    declared breakdown, and the total, is a sum over one of them. `tiers` run from fine to coarse;
    each tier's seconds divide the next one's and its retention is not longer.
    `horizon_seconds` is how long an id is remembered; None: ids are not kept (`dedupe: off`).
    `joints` are the pairs of measures, by name and in their order here, of which it is also counted
    how they were answered together (`streams.ledger.joints`).
    """

    version: int
    measures: tuple[Measure, ...]
    dimensions: tuple[Dimension, ...]
    breakdowns: tuple[tuple[str, ...], ...]
    tiers: tuple[Tier, ...]
    horizon_seconds: int | None
    late_after_seconds: int
    joints: tuple[tuple[str, str], ...] = ()

    @property
    def hash(self) -> str:
        """Twelve hex digits that differ when anything stored would differ."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]

    @property
    def token(self) -> str:
        """Version and hash together, as the ledger compares them."""
        return f"{self.version}:{self.hash}"

    @property
    def sentiment(self) -> Measure | None:
        """The measure computed from comments, if any KPI needs it."""
        return next((m for m in self.measures if m.kind == SENTIMENT), None)

    @property
    def longest_retention_seconds(self) -> int:
        """Retention of the coarsest tier."""
        return self.tiers[-1].retention_seconds
