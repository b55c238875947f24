"""The plain model: what a partition's counts must be, worked out one record at a time.

It is the oracle of the tests, of `feedback audit` and so of every fault that is tried. It knows
no batch, no group and no stored bytes, and derives cells in the most obvious way. With the
product it shares only the reading of an event, its admission, sentiment and routing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from streams.events.admission import OTHER, UNKNOWN, Admission, Answer, Late
from streams.events.event import FeedbackEvent, Refusal, decode_event
from streams.events.intake import ROUTE_SAMPLE
from streams.events.routing import partition_of
from streams.events.sentiment import classify, compound, ten_thousandths
from streams.ledger.cells import Cell
from streams.ledger.contribution import Contribution
from streams.ledger.folded import LOG_APPEND_TIME, OUTCOMES, Outcome, Record
from streams.ledger.keys import Bucket
from streams.ledger.layout import SENTIMENT, Layout

# In every dimension 0 stands for `unknown` and 1 for `other`; admitted values follow.
_RESERVED_NAMES: Final = (UNKNOWN, OTHER)


class Counted(NamedTuple):
    """What one answer counts, and everything needed to take it back.

    `moment` is when it was judged, in Unix seconds with their fraction.
    """

    layout: Layout
    moment: float
    occurred: int
    segment: Mapping[str, str]
    answers: tuple[int | None, ...]
    sentiment: int | None

    def cells(self, now: float) -> Iterator[tuple[Bucket, Cell, int]]:
        """Each cell that it counts in and is still kept at `now`, and by how much it moves it."""
        cells = list(self._cells())
        for tier in self.layout.tiers:
            if self.occurred >= now - tier.retention_seconds:
                bucket = Bucket(tier.seconds, self.occurred - self.occurred % tier.seconds)
                for cell, amount in cells:
                    yield bucket, cell, amount

    def _cells(self) -> Iterator[tuple[Cell, int]]:
        for measure, value, amount in self._moved():
            for breakdown in self.layout.breakdowns:
                segment = tuple([self.segment[dimension] for dimension in breakdown])
                yield Cell(breakdown, segment, measure, value), amount

    def _moved(self) -> Iterator[tuple[str, str, int]]:
        for measure, answer in zip(self.layout.measures, self.answers, strict=True):
            if answer is not None and measure.kind == "amount":
                yield measure.cell_id, "count", 1
                yield measure.cell_id, "sum", answer
                yield measure.cell_id, "squares_high", answer**2 // (measure.high + 1)
                yield measure.cell_id, "squares_low", answer**2 % (measure.high + 1)
            elif answer is not None:
                yield measure.cell_id, str(answer), 1
        yield from self._moved_together()
        measured = self.layout.sentiment
        if measured is not None and self.sentiment is not None:
            yield measured.cell_id, classify(self.sentiment / 10_000), 1
            yield measured.cell_id, "sum", self.sentiment
            yield measured.cell_id, "sum_squares", self.sentiment**2

    def _moved_together(self) -> Iterator[tuple[str, str, int]]:
        """What pairs of measures count that were both answered."""
        measures = {measure.name: measure for measure in self.layout.measures}
        given: dict[str, int | str | None] = dict(zip(measures, self.answers, strict=True))
        if self.sentiment is not None:
            given[SENTIMENT] = classify(self.sentiment / 10_000)
        for first, second in self.layout.joints:
            one, other = given[first], given[second]
            if one is None or other is None:
                continue
            cell_id = f"{measures[first].cell_id}*{measures[second].cell_id}"
            if measures[second].kind != "amount":
                yield cell_id, f"{one},{other}", 1
            elif measures[first].kind != "amount":
                yield cell_id, f"{one},sum", int(other)
            else:
                base = 1 + max(measures[first].high, measures[second].high)
                yield cell_id, "products_high", int(one) * int(other) // base
                yield cell_id, "products_low", int(one) * int(other) % base


class PlainModel:
    """One partition, from the first record on.

    `layouts` maps the offset from which each layout holds to the layout. Read off the results:
    `position` (the next offset), `outcomes`, `cells` (zeros included), `entries` by event id, and
    `values`, the number of each admitted value by dimension.
    """

    def __init__(
        self,
        partition: int,
        partitions: int,
        layouts: Mapping[int, Layout],
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
        self._admissions = {layout.version: Admission(layout) for layout in layouts.values()}
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
        if isinstance(judged, Late):
            return "late"
        return self._replace(judged, layout, int(now))

    def _is_misrouted(self, record: Record, event: FeedbackEvent) -> bool:
        key = event.event_id.encode()
        if record.key != key:
            return True
        checked = event.revision > 0 or event.withdrawn or record.offset % ROUTE_SAMPLE == 0
        return checked and partition_of(key, self._partitions) != self._partition

    def _layout_at(self, offset: int) -> Layout:
        return [layout for first, layout in self._layouts if first <= offset][-1]

    def _replace(self, answer: Answer, layout: Layout, now: float) -> Outcome:
        """Let an answer take the place of what its id counted before, if it may."""
        if layout.horizon_seconds is None:
            self._count(answer, layout, now)
            return "applied"
        entry = self.entries.get(answer.event_id)
        if entry is not None and not _is_forgotten(entry, now, layout.horizon_seconds):
            order = (answer.revision, answer.withdrawn)
            standing = (entry.revision, entry.withdrawn)
            if order == standing:
                return "duplicate"
            if order < standing:
                return "superseded"
            self._take_back(answer.event_id, now)
        counted = None if answer.withdrawn else self._count(answer, layout, now)
        self._remember(answer, layout, now, counted)
        return "withdrawn" if answer.withdrawn else "applied"

    def _count(self, answer: Answer, layout: Layout, now: float) -> Counted:
        named = zip(layout.dimensions, answer.values, strict=True)
        segment = {d.name: self._admitted(d.name, value, d.admitted) for d, value in named}
        counted = Counted(
            layout, now, answer.occurred, segment, answer.answers, self._sentiment(answer, layout)
        )
        for bucket, cell, amount in counted.cells(now):
            self.cells[bucket, cell] += amount
        return counted

    def _take_back(self, event_id: str, now: float) -> None:
        """Undo what an id counted, in the buckets that are still kept."""
        counted = self._counted.pop(event_id, None)
        if counted is not None:
            for bucket, cell, amount in counted.cells(max(now, counted.moment)):
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

    def _remember(
        self, answer: Answer, layout: Layout, now: float, counted: Counted | None
    ) -> None:
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


def _is_forgotten(entry: Contribution, now: float, horizon_seconds: int) -> bool:
    oldest = now - horizon_seconds
    return entry.occurred < oldest and entry.recorded < oldest
