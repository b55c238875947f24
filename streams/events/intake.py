"""Intake: from a record's bytes to an `Answer`, quickly where events resemble earlier ones.

Most answers repeat the measures and dimensions of others, text for text. So the outside of an
event is decoded, and the insides of `measures` and `dimensions` are looked up by their bytes. What
was not seen before goes the long way, `decode_event` and `Admission.admit`; both ways give the
same result, and a test holds that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol

from streams.events.admission import FUTURE_SECONDS, LATE, Admission, Answer, scored_comment
from streams.events.event import UNREADABLE, Refusal, decode_envelope, decode_event
from streams.events.routing import partition_of

if TYPE_CHECKING:
    from streams.events.admission import Late
    from streams.ledger.layout import Layout

# Hashing a key takes as long as all else that is done with a new event, so these are checked by a
# sample. It goes by offset, so that a replay in other batches checks, and refuses, the same ones.
ROUTE_SAMPLE: Final = 16
# Distinct texts of `measures` and of `dimensions` that are remembered, each some 200 bytes.
_REMEMBERED: Final = 50_000
# Longer ones, full of dimensions that nobody declared, say, hardly come again.
_LONGEST_REMEMBERED: Final = 512


class Arrived(Protocol):
    """What is judged of a Kafka record."""

    offset: int
    key: bytes | None


class Intake:
    """The way in for one layout."""

    def __init__(self, layout: Layout) -> None:
        self._admission = Admission(layout)
        self._late_after = layout.late_after_seconds
        self._keeps_ids = layout.horizon_seconds is not None
        self._answers: dict[bytes, tuple[int | None, ...]] = {}
        self._values: dict[bytes, tuple[tuple[str | None, ...], int]] = {}

    def judge(
        self, record: Arrived, value: bytes, now: float, partition: int, partitions: int
    ) -> Answer | Refusal | Late:
        """Judge a record's value at `now` (Unix seconds), as read from `partition`."""
        try:
            event = decode_envelope(value)
        except UNREADABLE:
            return self._the_long_way(record, value, now, partition, partitions)
        measures = bytes(event.measures)
        dimensions = bytes(event.dimensions)
        answers = self._answers.get(measures)
        known = self._values.get(dimensions)
        occurred = event.occurred_at.timestamp()
        key = event.event_id.encode()
        if (
            answers is None
            or known is None
            or record.key != key
            or occurred > now + FUTURE_SECONDS
            or not self._keeps_ids
        ):
            answer = self._the_long_way(record, value, now, partition, partitions)
            if isinstance(answer, Answer):
                self._remember(measures, dimensions, answer)
            return answer
        checked = event.revision or event.withdrawn or record.offset % ROUTE_SAMPLE == 0
        if checked and (belongs := partition_of(key, partitions)) != partition:
            return _elsewhere(belongs, partition)
        if occurred < now - self._late_after:
            return LATE
        return Answer(
            event.event_id,
            event.revision,
            event.withdrawn,
            math.floor(occurred),
            known[0],
            answers,
            scored_comment(event.comment, event.language) if event.comment else None,
            event.customer,
            known[1],
        )

    def _the_long_way(
        self, record: Arrived, value: bytes, now: float, partition: int, partitions: int
    ) -> Answer | Refusal | Late:
        event = decode_event(value)
        if isinstance(event, Refusal):
            return event
        key = event.event_id.encode()
        if record.key != key:
            return Refusal("misrouted", "The record's key must be the `event_id`.")
        if event.revision or event.withdrawn or record.offset % ROUTE_SAMPLE == 0:
            belongs = partition_of(key, partitions)
            if belongs != partition:
                return _elsewhere(belongs, partition)
        return self._admission.admit(event, now)

    def _remember(self, measures: bytes, dimensions: bytes, answer: Answer) -> None:
        if len(measures) + len(dimensions) > _LONGEST_REMEMBERED:
            return
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        if len(self._values) >= _REMEMBERED:
            self._values.clear()
        self._answers[measures] = answer.answers
        self._values[dimensions] = (answer.values, answer.unknown_dimensions)


def _elsewhere(belongs: int, partition: int) -> Refusal:
    return Refusal(
        "misrouted",
        f"The key belongs to partition {belongs} (murmur2), not {partition}; with librdkafka set "
        "partitioner=murmur2_random.",
    )
