"""Comparing what is stored of a partition with what the plain model makes of its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec

from streams.audit.plain_model import PlainModel
from streams.events.admission import FUTURE_SECONDS
from streams.ledger.cells import Cell
from streams.ledger.contribution import Contribution
from streams.ledger.folded import OUTCOMES, Outcome
from streams.ledger.keys import Bucket
from streams.ledger.layout import Layout

Kind = Literal["ledger", "total", "value", "cell", "entry"]

NOTHING = "nothing"


class Difference(NamedTuple):
    """One thing that is stored otherwise than the log says. Never quotes a comment."""

    kind: Kind
    place: str
    expected: str
    found: str


class Stored(msgspec.Struct, frozen=True):
    """What is stored of a partition. `values` has the number of each value by dimension."""

    outcomes: Mapping[Outcome, int]
    values: Mapping[str, Mapping[str, int]]
    cells: Mapping[tuple[Bucket, Cell], int]
    entries: Mapping[str, Contribution]


class Scope(msgspec.Struct, frozen=True):
    """How much of it can be compared at `now` (Unix seconds).

    `layouts` are all that answers were counted by. `since` leaves out earlier buckets, and totals
    with them. `log_begins` is the time of the first record that Kafka still has, where the ledger
    has counted earlier ones: what those did can't be recomputed.
    """

    now: float
    layouts: Sequence[Layout]
    since: float | None = None
    log_begins: float | None = None

    @property
    def whole(self) -> bool:
        """Whether everything that was ever counted is compared."""
        return self.since is None and self.log_begins is None

    def has_bucket(self, bucket: Bucket) -> bool:
        """Whether a bucket is surely still there, asked for, and fed by known records alone."""
        kept = [
            tier.retention_seconds
            for layout in self.layouts
            for tier in layout.tiers
            if tier.seconds == bucket.seconds
        ]
        return (
            bool(kept)
            and bucket.start + bucket.seconds + min(kept) > self.now
            and (self.since is None or bucket.start >= self.since)
            and (self.log_begins is None or bucket.start > self.log_begins + FUTURE_SECONDS)
        )

    def has_entry(self, expected: Contribution | None, found: Contribution | None) -> bool:
        """Whether an entry is asked for, not to be forgotten, and of a known record."""
        entries = [entry for entry in (expected, found) if entry is not None]
        if found and self.log_begins is not None and found.recorded <= self.log_begins:
            return False
        if self.since is not None and all(e.occurred < self.since for e in entries):
            return False
        return not any(self._may_be_forgotten(entry) for entry in entries)

    def _may_be_forgotten(self, entry: Contribution) -> bool:
        horizons = [h for layout in self.layouts if (h := layout.horizon_seconds) is not None]
        return bool(horizons) and entry.forgotten(self.now, min(horizons))


def differences(
    model: PlainModel,
    stored: Stored,
    scope: Scope,
    overtaken: Mapping[str, Sequence[Contribution | None]],
) -> Iterator[Difference]:
    """Every difference between model and store, within the scope.

    `overtaken` has, for ids that changed while Redis was being read, what was right before.
    """
    if scope.whole:
        yield from _totals(model, stored)
        yield from _values(model, stored)
    yield from _cells(model, stored, scope)
    yield from _entries(model, stored, scope, overtaken)


def _totals(model: PlainModel, stored: Stored) -> Iterator[Difference]:
    for outcome in OUTCOMES:
        expected, found = model.outcomes[outcome], stored.outcomes.get(outcome, 0)
        if expected != found:
            yield Difference("total", outcome, f"{expected}", f"{found}")


def _values(model: PlainModel, stored: Stored) -> Iterator[Difference]:
    for dimension in sorted(model.values.keys() | stored.values.keys()):
        expected = model.values.get(dimension, {})
        found = stored.values.get(dimension, {})
        for value in sorted(expected.keys() | found.keys()):
            if expected.get(value) != found.get(value):
                place = f"{dimension}={value}"
                yield Difference("value", place, *_shown(expected.get(value), found.get(value)))


def _cells(model: PlainModel, stored: Stored, scope: Scope) -> Iterator[Difference]:
    for place in sorted(_unequal(model.cells, stored.cells)):
        bucket, cell = place
        if scope.has_bucket(bucket):
            expected, found = model.cells.get(place, 0), stored.cells.get(place, 0)
            yield Difference("cell", _cell_place(bucket, cell), f"{expected}", f"{found}")


def _unequal(
    expected: Mapping[tuple[Bucket, Cell], int], found: Mapping[tuple[Bucket, Cell], int]
) -> Iterable[tuple[Bucket, Cell]]:
    """Cells that differ; one that is 0 is as good as none."""
    missing = {p for p, n in expected.items() if n != found.get(p, 0)}
    return missing | {p for p, n in found.items() if n and p not in expected}


def _entries(
    model: PlainModel,
    stored: Stored,
    scope: Scope,
    overtaken: Mapping[str, Sequence[Contribution | None]],
) -> Iterator[Difference]:
    for event_id in sorted(model.entries.keys() | stored.entries.keys()):
        expected, found = model.entries.get(event_id), stored.entries.get(event_id)
        if expected == found or not scope.has_entry(expected, found):
            continue
        if found not in overtaken.get(event_id, ()):
            yield Difference("entry", event_id, _entry(expected), _entry(found))


def _shown(expected: int | None, found: int | None) -> tuple[str, str]:
    return (
        NOTHING if expected is None else f"{expected}",
        NOTHING if found is None else f"{found}",
    )


def _cell_place(bucket: Bucket, cell: Cell) -> str:
    start = datetime.fromtimestamp(bucket.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = zip(cell.breakdown, cell.segment, strict=True)
    segment = ",".join(f"{dimension}={value}" for dimension, value in named) or "all"
    return f"{bucket.seconds}s {start} {segment} {cell.measure} {cell.value}"


def _entry(entry: Contribution | None) -> str:
    """An entry in a line; a customer's hash is only said to be there."""
    if entry is None:
        return NOTHING
    return (
        f"revision {entry.revision}{' withdrawn' if entry.withdrawn else ''}"
        f" version {entry.version} occurred {entry.occurred} recorded {entry.recorded}"
        f" segment {list(entry.segment)} answers {list(entry.answers)}"
        f" sentiment {entry.sentiment} customer {_fingerprint(entry.customer)}"
    )


def _fingerprint(customer: bytes | None) -> str:
    """Enough of a customer's hash to see that two differ."""
    return "none" if customer is None else f"{customer[:2].hex()}…"
