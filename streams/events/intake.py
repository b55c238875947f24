"""Intake: a record's bytes become an `Answer`, or the reason why it does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from streams.events.admission import Admission, Answer
from streams.events.event import Refusal, decode_event
from streams.events.routing import partition_of

if TYPE_CHECKING:
    from streams.events.admission import Late
    from streams.ledger.layout import Layout

# Hashing a key takes as long as all else that is done with a new event, so these are checked by a
# sample. It goes by offset, so that a replay in other batches checks, and refuses, the same ones.
ROUTE_SAMPLE: Final = 16


class Arrived(Protocol):
    """What is judged of a Kafka record."""

    offset: int
    key: bytes | None


class Intake:
    """The way in for one layout."""

    def __init__(self, layout: Layout) -> None:
        self._admission = Admission(layout)

    def judge(
        self, record: Arrived, value: bytes, now: float, partition: int, partitions: int
    ) -> Answer | Refusal | Late:
        """Judge a record's value at `now` (Unix seconds), as read from `partition`."""
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


def _elsewhere(belongs: int, partition: int) -> Refusal:
    return Refusal(
        "misrouted",
        f"The key belongs to partition {belongs} (murmur2), not {partition}; with librdkafka set "
        "partitioner=murmur2_random.",
    )
