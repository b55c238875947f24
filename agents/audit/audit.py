"""The audit: a partition is recomputed from its log and compared with what is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.audit.comparison import Difference, Scope, differences
from streams.audit.plain_model import PlainModel
from streams.audit.snapshot import read_snapshot
from streams.events.event import FeedbackEvent, decode_event
from streams.ledger.folded import LOG_APPEND_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from redis import Redis

    from agents.audit.sources import Log
    from streams.audit.snapshot import Snapshot
    from streams.ledger.contribution import Contribution
    from streams.ledger.folded import Record

_NOT_EXACT: Final = (
    "not exact: {count} records have no time set by Kafka (message.timestamp.type=LogAppendTime) "
    "and were judged by a worker's clock; its reading is taken from the stored ids"
)


class PartitionAudit(NamedTuple):
    """What the audit of one partition found. `position` is None where it has no ledger."""

    partition: int
    position: int | None
    log_end: int
    records: int
    cells: int
    ids: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Audit:
    """Audits a topic's partitions. `redis` answers with bytes and is only read.

    `track` shows progress over records: called with them, a label and how many are expected.
    """

    redis: Redis
    log: Log
    topic: str
    partitions: int
    customer_key: bytes
    since: float | None
    track: Callable[[Iterable[Record], str, int], Iterator[Record]]

    def partition(self, partition: int) -> PartitionAudit:
        """Audit one partition.

        1. Read what is stored, up to the ledger's position.
        2. Without a ledger there is nothing to compare; a ledger past the log's end is of another
           log.
        3. Replay the log up to that position, from where the ledger began or Kafka's log begins.
        4. Compare.
        """
        # 1.
        snapshot = read_snapshot(self.redis, self.topic, partition)
        log_start, log_end = self.log.bounds(partition)
        # 2.
        if snapshot is None:
            return _without_ledger(partition, log_start, log_end)
        if snapshot.position > log_end:
            return _past_the_end(partition, snapshot.position, log_end)
        # 3.
        replay = Replay(snapshot, self._model(partition, snapshot))
        start = max(log_start, min(snapshot.layouts))
        end = snapshot.position
        records = self.log.records(partition, start, end)
        tracked = self.track(records, f"partition {partition}", end - start)
        replay.run(tracked, part_is_gone=log_start > min(snapshot.layouts))
        # 4.
        scope = Scope(snapshot.now, tuple(snapshot.layouts.values()), self.since, replay.log_begins)
        found = differences(replay.model, snapshot.stored, scope, replay.overtaken)
        return PartitionAudit(
            partition=partition,
            position=snapshot.position,
            log_end=log_end,
            records=replay.records,
            cells=sum(scope.has_bucket(bucket) for bucket, _ in snapshot.stored.cells),
            ids=len(snapshot.stored.entries),
            notes=tuple(replay.notes(start)),
            differences=tuple(found),
        )

    def _model(self, partition: int, snapshot: Snapshot) -> PlainModel:
        return PlainModel(
            partition,
            self.partitions,
            snapshot.layouts,
            snapshot.raised_at,
            customer_key=self.customer_key,
        )


class Replay:
    """One log going through the plain model.

    `log_begins` is the time of the first record where earlier ones are gone, else None;
    `overtaken` has what was right, while Redis was being read, for ids that changed meanwhile.
    """

    def __init__(self, snapshot: Snapshot, model: PlainModel) -> None:
        self.model = model
        self.records = 0
        self.log_begins: float | None = None
        self.overtaken: dict[str, list[Contribution | None]] = {}
        self._snapshot = snapshot
        self._moments = Moments(snapshot.stored.entries, snapshot.now)

    def run(self, records: Iterable[Record], *, part_is_gone: bool) -> None:
        """Take every record; with `part_is_gone`, admitted values are taken as they are stored."""
        if part_is_gone:
            self.model.values = {d: dict(v) for d, v in self._snapshot.stored.values.items()}
            self.log_begins = math.inf  # until there is a record
        for record in records:
            moment = self._moments.of(record)
            if part_is_gone and not self.records:
                self.log_begins = moment
            self._note_overtaken(record)
            self.model.take(record, moment)
            self.records += 1

    def _note_overtaken(self, record: Record) -> None:
        if record.offset >= self._snapshot.began and record.key is not None:
            event_id = record.key.decode(errors="replace")
            before = self.model.entries.get(event_id)
            self.overtaken.setdefault(event_id, []).append(before)

    def notes(self, start: int) -> Iterator[str]:
        """What keeps the comparison from being whole or exact."""
        if self.log_begins is not None:
            yield (
                f"the log begins at offset {start}, later than the counts: only buckets and ids "
                "of later records were compared, and no totals"
            )
        if self._moments.unknown:
            yield _NOT_EXACT.format(count=f"{self._moments.unknown:,}")


class Moments:
    """When each record was judged, in Unix seconds.

    Kafka's own time says it where the topic has LogAppendTime. Else it was the worker's clock:
    what is stored of the record's id tells it, or of an id shortly before. `unknown` counts these.
    """

    def __init__(self, entries: Mapping[str, Contribution], now: float) -> None:
        self.unknown = 0
        self._entries = entries
        self._latest = min((float(entry.recorded) for entry in entries.values()), default=now)

    def of(self, record: Record) -> float:
        """When this record was judged."""
        if record.timestamp_type == LOG_APPEND_TIME:
            return record.timestamp / 1000
        self.unknown += 1
        event = decode_event(record.value) if record.value is not None else None
        if isinstance(event, FeedbackEvent):
            entry = self._entries.get(event.event_id)
            if entry is not None and entry.order == (event.revision, event.withdrawn):
                self._latest = max(self._latest, entry.recorded)
        return self._latest


def _without_ledger(partition: int, log_start: int, log_end: int) -> PartitionAudit:
    found: tuple[Difference, ...] = ()
    if log_end > log_start:
        expected = f"counts of up to {log_end - log_start} records"
        found = (Difference("ledger", "position", expected, "no ledger"),)
    return PartitionAudit(partition, None, log_end, 0, 0, 0, (), found)


def _past_the_end(partition: int, position: int, log_end: int) -> PartitionAudit:
    """A ledger that has counted what the log does not hold."""
    found = Difference("ledger", "position", f"{log_end} at most, the log's end", f"{position}")
    return PartitionAudit(partition, position, log_end, 0, 0, 0, (), (found,))
