"""Where an audit reads events: a Kafka topic, or the file that was published to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from kafka import TopicPartition

from streams.errors import Unavailable
from streams.events.admission import Admission
from streams.events.event import Refusal, decode_event
from streams.events.routing import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafka import KafkaConsumer

    from agents.publish.event_file import EventFile
    from streams.ledger.folded import Record
    from streams.ledger.layout import Layout

_POLL_MILLISECONDS: Final = 1_000

# As long as a broker's leader may be away before we give up.
_PATIENCE_SECONDS: Final = 30.0


class Log(Protocol):
    """The records of a topic's partitions."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the next one to be written."""
        ...

    def records(self, partition: int, start: int, end: int) -> Iterator[Record]:
        """The records with offsets in [start, end), in their order."""
        ...


class KafkaLog:
    """A topic, read without a consumer group; committed records only."""

    def __init__(self, client: KafkaConsumer, topic: str) -> None:
        self._client = client
        self._topic = topic

    def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that Kafka still has, and the log's end."""
        tp = TopicPartition(self._topic, partition)
        return self._client.beginning_offsets([tp])[tp], self._client.end_offsets([tp])[tp]

    def records(self, partition: int, start: int, end: int) -> Iterator[Record]:
        """The records of a range; raises `Unavailable` where nothing comes for 30 seconds."""
        client = self._client
        tp = TopicPartition(self._topic, partition)
        client.assign([tp])
        client.seek(tp, start)
        last_progress = time.monotonic()
        # The position and not the last offset: what ends a range may be no record of anyone's.
        while client.position(tp) < end:
            found = client.poll(_POLL_MILLISECONDS).get(tp, ())
            if found:
                last_progress = time.monotonic()
            yield from (record for record in found if record.offset < end)
            if time.monotonic() - last_progress > _PATIENCE_SECONDS:
                raise Unavailable(
                    f"{self._topic} could not be read to offset {end} of partition {partition}: "
                    "Kafka sent nothing more."
                )


class FileRecord(msgspec.Struct):
    """A line of a file as the record that it became; only Kafka knows when that was."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = -1
    timestamp_type: int = 0


class FileLog:
    """A file whose every event was published, once and in its order, to a topic that was empty.

    `skipped` counts the lines that `feedback publish` refuses.
    """

    def __init__(self, lines: EventFile, layout: Layout, partitions: int) -> None:
        self.skipped = 0
        self._records: list[list[FileRecord]] = [[] for _ in range(partitions)]
        admission = Admission(layout)
        for line in lines:
            key = _key(line.value, admission)
            if key is None or isinstance(line.value, Refusal):
                self.skipped += 1
                continue
            records = self._records[partition_of(key, partitions)]
            records.append(FileRecord(len(records), key, line.value))

    def bounds(self, partition: int) -> tuple[int, int]:
        """0, and how many events went to the partition."""
        return 0, len(self._records[partition])

    def records(self, partition: int, start: int, end: int) -> Iterator[Record]:
        """The events of a range, as records."""
        yield from self._records[partition][start:end]


def _key(value: bytes | Refusal, admission: Admission) -> bytes | None:
    """The key of an event that is published, None for one that is refused whenever it comes."""
    event = value if isinstance(value, Refusal) else decode_event(value)
    if isinstance(event, Refusal):
        return None
    if isinstance(admission.admit(event, event.occurred_at.timestamp()), Refusal):
        return None
    return event.event_id.encode()
