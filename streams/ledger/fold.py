"""Folding: a batch of records, and what their ids counted before, give what must change.

A pure function of (records, entries of known ids, admitted values, layout, clock). However a log
is cut into batches, and however often a piece of it is folded again from the same state, the
changes add up to the same counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, Literal, Protocol

import msgspec

from streams.events.admission import Answer
from streams.events.event import Refusal
from streams.events.intake import Intake
from streams.events.sentiment import compound, ten_thousandths
from streams.ledger.admitted import AdmittedValues, Draft
from streams.ledger.cells import CellFields
from streams.ledger.contribution import Contribution, decode_contribution, encode_contribution
from streams.ledger.keys import Bucket
from streams.ledger.layout import Layout

Outcome = Literal["applied", "duplicate", "superseded", "withdrawn", "late", "refused", "tombstone"]
OUTCOMES: Final[tuple[Outcome, ...]] = (
    "applied", "duplicate", "superseded", "withdrawn", "late", "refused", "tombstone",
)  # fmt: skip

LOG_APPEND_TIME: Final = 1
_REMEMBERED_COMMENTS: Final = 4_000  # those of a slice
# Buckets outlive their retention by this, so that a reader never meets half-expired ones.
EXPIRY_GRACE_SECONDS: Final = 7_200


class Record(Protocol):
    """A Kafka record, as aiokafka and kafka-python both shape it. `timestamp` is in ms."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


class Refused(msgspec.Struct, frozen=True):
    """A record that is not counted, and why."""

    record: Record
    refusal: Refusal


class Folded(msgspec.Struct):
    """What a batch changes.

    `increments` maps bucket and cell field to a number that is never 0; `contributions` maps event
    id to its new entry. `outcomes` sum to the number of records. `recorded` is the time, in Unix
    seconds, of the last record.
    """

    increments: dict[Bucket, dict[bytes, int]] = {}
    contributions: dict[str, bytes] = {}
    outcomes: dict[Outcome, int] = {}
    refused: list[Refused] = []
    values: Draft | None = None
    unknown_dimensions: int = 0
    recorded: float | None = None


class PartitionView(msgspec.Struct, frozen=True):
    """What a fold must know of its partition besides the records.

    `layouts` has every layout under which entries of this partition may have been counted.
    """

    partition: int
    partitions: int
    values: AdmittedValues
    layouts: Mapping[int, Layout]


# Segment, answers and sentiment: what decides which cells an answer counts in.
_What = tuple[tuple[str, ...], tuple[int | None, ...], int | None]
# What is summed before it is spread over tiers, breakdowns and measures: the number of the
# bucket in the finest tier that keeps it, that tier's place, and the cells.
_Group = tuple[int, int, _What]


class Fold:
    """Folds batches for one layout. Its memory holds only what recurs, never a result."""

    def __init__(
        self,
        layout: Layout,
        *,
        customer_key: bytes = b"",
        score: Callable[[str], float] = compound,
    ) -> None:
        self.layout = layout
        self.intake = Intake(layout)
        self.customer_key = customer_key
        self.score = score
        self.scores_comments = layout.sentiment is not None
        self._fields = {layout.version: CellFields(layout)}
        # Where ids turn out to be known a batch is folded again, with the same comments.
        self._scored: dict[str, int] = {}

    def __call__(
        self,
        records: Iterable[Record],
        known: Mapping[str, bytes],
        view: PartitionView,
        clock: float,
    ) -> Folded:
        """Fold `records`, in log order. `known` has the stored entry of each id that has one.

        `clock` (Unix seconds) judges records of topics without LogAppendTime.
        """
        batch = _Batch(self, known, view)
        record = None
        for record in records:
            now = record.timestamp / 1000 if record.timestamp_type == LOG_APPEND_TIME else clock
            batch.take(record, now)
        return batch.result(recorded=record.timestamp / 1000 if record else None)

    def fields_of(self, layout: Layout) -> CellFields:
        """The cell fields of an older layout."""
        found = self._fields.get(layout.version)
        if found is None:
            found = self._fields[layout.version] = CellFields(layout)
        return found

    def sentiment_of(self, comment: str) -> int | None:
        """The comment's sentiment in 1/10,000, None where none is counted."""
        if not self.scores_comments or not comment.strip():
            return None
        found = self._scored.get(comment)
        if found is None:
            if len(self._scored) >= _REMEMBERED_COMMENTS:
                self._scored.clear()
            found = self._scored[comment] = ten_thousandths(self.score(comment))
        return found

    def customer_of(self, customer: str) -> bytes:
        """The keyed hash that stands for a customer."""
        return blake2b(customer.encode(), digest_size=8, key=self.customer_key).digest()


class _Batch:
    """One fold under way."""

    def __init__(self, fold: Fold, known: Mapping[str, bytes], view: PartitionView) -> None:
        self.fold = fold
        self.view = view
        self.known = known
        self.judge = fold.intake.judge
        self.layout = fold.layout
        self.draft = view.values.draft()
        self.latest: dict[str, Contribution] = {}
        self.groups: dict[int, dict[_Group, int]] = {fold.layout.version: {}}
        self.outcomes: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self.refused: list[Refused] = []
        self.unknown_dimensions = 0

    def take(self, record: Record, now: float) -> None:
        """Judge one record at `now` and count it; every record ends in one outcome."""
        if record.value is None:
            self.outcomes["tombstone"] += 1
            return
        judged = self.judge(record, record.value, now, self.view.partition, self.view.partitions)
        if isinstance(judged, Answer):
            # From here on in whole seconds, as entries keep them: so taking back meets exactly
            # the tiers that counted.
            self.outcomes[self._count(judged, int(now))] += 1
        elif isinstance(judged, Refusal):
            self.refused.append(Refused(record, judged))
            self.outcomes["refused"] += 1
        else:
            self.outcomes["late"] += 1

    def _count(self, answer: Answer, now: int) -> Outcome:
        """Count an answer in place of what its id counted before."""
        if answer.unknown_dimensions:
            self.unknown_dimensions += answer.unknown_dimensions
        layout = self.layout
        if layout.horizon_seconds is not None:
            previous = self._previous(answer.event_id, now, layout.horizon_seconds)
            if previous is not None:
                order = (answer.revision, answer.withdrawn)
                if order <= previous.order:
                    return "duplicate" if order == previous.order else "superseded"
                self._take_back(previous, now)
        if answer.withdrawn:
            self._remember(answer, now, (), (), None)
            return "withdrawn"
        segment = self.draft.segment(answer.values)
        sentiment = self.fold.sentiment_of(answer.comment) if answer.comment else None
        what = (segment.names, answer.answers, sentiment)
        self._add(1, answer.occurred, now, layout, what)
        if layout.horizon_seconds is not None:
            self._remember(answer, now, segment.numbers, answer.answers, sentiment)
        return "applied"

    def _previous(self, event_id: str, now: int, horizon_seconds: int) -> Contribution | None:
        """The entry that stands for an id, None where it has none or counts as absent."""
        found = self.latest.get(event_id)
        if found is None and event_id in self.known:
            found = decode_contribution(self.known[event_id])
        if found is None or found.forgotten(now, horizon_seconds):
            return None
        return found

    def _remember(
        self,
        answer: Answer,
        now: int,
        numbers: tuple[int, ...],
        answers: tuple[int | None, ...],
        sentiment: int | None,
    ) -> None:
        """Write what the answer counted as its id's new entry."""
        self.latest[answer.event_id] = Contribution(
            answer.revision,
            answer.withdrawn,
            self.layout.version,
            answer.occurred,
            now,
            numbers,
            answers,
            sentiment,
            self.fold.customer_of(answer.customer) if answer.customer else None,
        )

    def _take_back(self, entry: Contribution, now: int) -> None:
        """Undo exactly what an entry counted, in the buckets that are still kept."""
        if entry.withdrawn:
            return
        layout = self.view.layouts[entry.version]
        dimensions = tuple(d.name for d in layout.dimensions)
        names = self.draft.names(dimensions, entry.segment)
        # A clock that stepped back must not reach a tier that the entry was too old for.
        now = max(now, entry.recorded)
        self._add(-1, entry.occurred, now, layout, (names, entry.answers, entry.sentiment))

    def _add(self, weight: int, occurred: int, now: int, layout: Layout, what: _What) -> None:
        """Add to the group of the finest tier that still keeps this time."""
        for place, tier in enumerate(layout.tiers):
            if occurred >= now - tier.retention_seconds:
                group = (occurred // tier.seconds, place, what)
                groups = self.groups.setdefault(layout.version, {})
                groups[group] = groups.get(group, 0) + weight
                return

    def result(self, recorded: float | None) -> Folded:
        """Spread the groups over tiers, breakdowns and measures."""
        increments: dict[Bucket, dict[bytes, int]] = {}
        for version, groups in self.groups.items():
            layout = self.fold.layout
            if version != layout.version:
                layout = self.view.layouts[version]
            fields = self.fold.fields_of(layout)
            for (number, place, what), weight in groups.items():
                if weight == 0:
                    continue
                moved = fields.increments(*what)
                second = number * layout.tiers[place].seconds
                for tier in layout.tiers[place:]:
                    start = second - second % tier.seconds
                    cells = increments.setdefault(Bucket(tier.seconds, start), {})
                    for field, amount in moved:
                        cells[field] = cells.get(field, 0) + amount * weight
        return Folded(
            increments=_without_zeros(increments),
            contributions={i: encode_contribution(c) for i, c in self.latest.items()},
            outcomes=self.outcomes,
            refused=self.refused,
            values=self.draft,
            unknown_dimensions=self.unknown_dimensions,
            recorded=recorded,
        )


def _without_zeros(
    increments: dict[Bucket, dict[bytes, int]],
) -> dict[Bucket, dict[bytes, int]]:
    kept = {b: {f: n for f, n in cells.items() if n} for b, cells in increments.items()}
    return {bucket: cells for bucket, cells in kept.items() if cells}
