"""The plain model: what a partition's counts must be, worked out one record at a time.

It is the oracle of the tests, of `feedback audit` and so of every fault that is tried. It knows
no batch, no group and no stored bytes, and derives cells in the most obvious way. With the
product it shares only the reading of an event, its admission, sentiment and routing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from streams.audit.counted import Counted
from streams.events.admission import OTHER, UNKNOWN, Admission, Answer, Late
from streams.events.event import FeedbackEvent, Refusal, decode_event
from streams.events.intake import ROUTE_SAMPLE
from streams.events.routing import partition_of
from streams.events.sentiment import compound, ten_thousandths
from streams.ledger.cells import Cell
from streams.ledger.contribution import Contribution
from streams.ledger.folded import LOG_APPEND_TIME, OUTCOMES, Outcome, Record
from streams.ledger.keys import Bucket
from streams.ledger.layout import Layout

# In every dimension 0 stands for `unknown` and 1 for `other`; admitted values follow.
_RESERVED_NAMES: Final = (UNKNOWN, OTHER)


class PlainModel:
    """One partition, from the first record on.

    `layouts` maps the offset from which each layout holds to the layout, `raised_at` its version
    to when that was, by Redis's clock. Read off the results:
    `position` (the next offset), `outcomes`, `cells` (zeros included), `entries` by event id, and
    `values`, the number of each admitted value by dimension.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        layouts: Mapping[int, Layout],
        raised_at: Mapping[int, float] | None = None,
        *,
        customer_key: bytes = b"",
        score: Callable[[str], float] = compound,
    ) -> None:
        self.position = min(layouts)
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.cells: Counter[tuple[Bucket, Cell]] = Counter()
        self.entries: dict[str, Contribution] = {}
        self.values: dict[str, dict[str, int]] = {}
        self._counted: dict[str, Counted] = {}
        self._partition = partition
        self._partitions = partitions
        self._layouts = sorted(layouts.items(), key=lambda item: item[0])
        self._until = {
            layout.version: [each for _, each in self._layouts if each.version <= layout.version]
            for layout in layouts.values()
        }
        self._admissions = {layout.version: Admission(layout) for layout in layouts.values()}
        self._raised_at = raised_at or {}
        self._customer_key = customer_key
        self._score = score

    def take(self, record: Record, clock: float) -> Outcome:
        """Judge one record and count it; gives its outcome.

        `clock` (Unix seconds) judges a record whose time Kafka did not set itself.
        """
        outcome = self._outcome(record, clock)
        self.outcomes[outcome] += 1
        self.position = record.offset + 1
        return outcome

    def _outcome(self, record: Record, clock: float) -> Outcome:
        if record.value is None:
            return "tombstone"
        event = decode_event(record.value)
        if isinstance(event, Refusal) or self._is_misrouted(record, event):
            return "refused"
        stamped = record.timestamp_type == LOG_APPEND_TIME
        now = record.timestamp / 1000 if stamped else clock
        layout = self._layout_at(record.offset)
        judged = self._admissions[layout.version].admit(event, now)
        if isinstance(judged, Refusal):
            return "refused"
        if isinstance(judged, Late) or self._is_late_by_the_past(judged, layout):
            return "late"
        return self._replace(judged, layout, int(now))

    def _is_late_by_the_past(self, answer: Answer, layout: Layout) -> bool:
        """Whether it was late already when this layout, that remembers longer, was raised."""
        return answer.occurred < self._forgotten_before(layout)

    def _forgotten_before(self, layout: Layout) -> float:
        """Of ids that are older, a layout before this one may have dropped the entries."""
        if layout.horizon_seconds is None:
            return -math.inf
        horizons = [
            (self._raised(each), each.horizon_seconds)
            for each in self._until[layout.version]
            if each.horizon_seconds is not None
        ]
        lines = [
            raised - before
            for (_, before), (raised, after) in pairwise(horizons)
            if before < min(after, layout.horizon_seconds)
        ]
        return max(lines, default=-math.inf)

    def _raised(self, layout: Layout) -> float:
        return self._raised_at.get(layout.version, 0.0)

    def _keeps(self, bucket: Bucket, layout: Layout) -> int:
        """For how many seconds a bucket is kept, as of this layout.

        Each layout may keep it shorter than those before; longer only where it was kept still.
        """
        promised = [
            (self._raised(each), tier.retention_seconds)
            for each in self._until[layout.version]
            for tier in each.tiers
            if tier.seconds == bucket.seconds
        ]
        kept = promised[0][1]
        for raised, seconds in promised[1:]:
            if seconds < kept or bucket.start >= raised - kept:
                kept = seconds
        return kept

    def _is_misrouted(self, record: Record, event: FeedbackEvent) -> bool:
        key = event.event_id.encode()
        if record.key != key:
            return True
        checked = event.revision > 0 or event.withdrawn or record.offset % ROUTE_SAMPLE == 0
        return checked and partition_of(key, self._partitions) != self._partition

    def _layout_at(self, offset: int) -> Layout:
        return [layout for first, layout in self._layouts if first <= offset][-1]

    def _replace(self, answer: Answer, layout: Layout, now: int) -> Outcome:
        """Let an answer take the place of what its id counted before, if it may."""
        if layout.horizon_seconds is None:
            self._count(answer, layout, now)
            return "applied"
        entry = self.entries.get(answer.event_id)
        oldest = max(now - layout.horizon_seconds, self._forgotten_before(layout))
        if entry is not None and max(entry.occurred, entry.recorded) >= oldest:
            order = (answer.revision, answer.withdrawn)
            standing = (entry.revision, entry.withdrawn)
            if order == standing:
                return "duplicate"
            if order < standing:
                return "superseded"
            self._take_back(answer.event_id, layout, now)
        counted = None if answer.withdrawn else self._count(answer, layout, now)
        self._remember(answer, layout, now, counted)
        return "withdrawn" if answer.withdrawn else "applied"

    def _count(self, answer: Answer, layout: Layout, now: int) -> Counted:
        named = zip(layout.dimensions, answer.values, strict=True)
        segment = {d.name: self._admitted(d.name, value, d.admitted) for d, value in named}
        sentiment = self._sentiment(answer, layout)
        buckets = [Bucket.of(tier.seconds, answer.occurred) for tier in layout.tiers]
        counted = Counted(
            layout,
            answer.occurred,
            segment,
            answer.answers,
            sentiment,
            now,
            tuple(b for b in buckets if answer.occurred >= now - self._keeps(b, layout)),
        )
        for bucket in counted.buckets:
            for cell, amount in counted.cells():
                self.cells[bucket, cell] += amount
        return counted

    def _take_back(self, event_id: str, layout: Layout, now: int) -> None:
        """Undo what an id counted, where it counted it and the buckets are still kept."""
        counted = self._counted.pop(event_id, None)
        if counted is not None:
            # A clock that stepped back does not bring back buckets.
            now = max(now, counted.recorded)
            for bucket in counted.buckets:
                if counted.occurred >= now - self._keeps(bucket, layout):
                    for cell, amount in counted.cells():
                        self.cells[bucket, cell] -= amount

    def _admitted(self, dimension: str, value: str | None, most: int) -> str:
        """The name that a value is counted under."""
        if value is None:
            return UNKNOWN
        numbers = self.values.setdefault(dimension, {})
        if value not in numbers:
            if len(numbers) >= most:
                return OTHER
            numbers[value] = len(_RESERVED_NAMES) + len(numbers)
        return value

    def _sentiment(self, answer: Answer, layout: Layout) -> int | None:
        if layout.sentiment is None or answer.comment is None or answer.comment.strip() == "":
            return None
        return ten_thousandths(self._score(answer.comment))

    def _remember(self, answer: Answer, layout: Layout, now: int, counted: Counted | None) -> None:
        self._counted.pop(answer.event_id, None)
        if counted is not None:
            self._counted[answer.event_id] = counted
        self.entries[answer.event_id] = Contribution(
            revision=answer.revision,
            withdrawn=answer.withdrawn,
            version=layout.version,
            occurred=answer.occurred,
            recorded=int(now),
            segment=tuple(self._number(d, v) for d, v in counted.segment.items())
            if counted
            else (),
            answers=counted.answers if counted else (),
            sentiment=counted.sentiment if counted else None,
            customer=self._customer(answer.customer),
        )

    def _number(self, dimension: str, name: str) -> int:
        if name in _RESERVED_NAMES:
            return _RESERVED_NAMES.index(name)
        return self.values[dimension][name]

    def _customer(self, customer: str | None) -> bytes | None:
        if not customer:
            return None
        return blake2b(customer.encode(), digest_size=8, key=self._customer_key).digest()
