"""Everything that is stored of a partition as it was at one moment, for an audit.

Nothing is written and nothing is held up: buckets are read as the exporter reads them, ids in
small pieces. The workers go on meanwhile, so ids may be a little older than the rest; `began`
says since when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from streams.audit.comparison import Stored
from streams.counts.partition_reader import PartitionReader
from streams.errors import Unavailable
from streams.ledger.cells import SEPARATOR, Cell, decode_cell
from streams.ledger.contribution import Contribution, decode_contribution
from streams.ledger.history import History
from streams.ledger.keys import EVENT_SHARDS, Bucket, PartitionKeys
from streams.ledger.layout import Layout

if TYPE_CHECKING:
    from redis import Redis

    from streams.ledger.folded import Outcome

# Entries asked for at once: a few tenths of a millisecond of Redis.
_PIECE: Final = 1_000
# Between two reads a busy partition may move on; it stands still for long enough soon.
_MOST_TRIES: Final = 50


class Snapshot(NamedTuple):
    """A partition's counts up to `position`, at `now` by the clock of Redis (Unix seconds).

    `layouts` has each layout by the offset from which it holds, `raised_at` when each version was
    raised. Entries of ids that changed at
    offsets from `began` on may be those from before.
    """

    began: int
    position: int
    now: float
    layouts: Mapping[int, Layout]
    raised_at: Mapping[int, float]
    stored: Stored


class _Ledger(NamedTuple):
    position: int
    epoch: str
    now: float
    fields: Mapping[bytes, bytes]
    values: Mapping[bytes, bytes]


def read_snapshot(redis: Redis, topic: str, partition: int) -> Snapshot | None:
    """The partition at one moment, None where it has no ledger. `redis` answers with bytes.

    Raises `Unavailable` where the ledger is rewound or changes too fast again and again.
    """
    keys = PartitionKeys(topic, partition)
    for _ in range(_MOST_TRIES):
        before = _ledger(redis, keys)
        if before is None:
            return None
        entries = dict(_entries(redis, keys))
        settled = _settled(redis, keys)
        if settled is None:
            continue
        ledger, outcomes, cells = settled
        if ledger.epoch == before.epoch and ledger.position >= before.position:
            stored = Stored(outcomes, _values(ledger.values), cells, entries)
            eras = History.stored(ledger.fields).eras
            return Snapshot(
                before.position,
                ledger.position,
                ledger.now,
                {era.begins: era.layout for era in eras},
                {era.layout.version: era.raised_at for era in eras},
                stored,
            )
    raise Unavailable(
        f"partition {partition} never stood still for long enough to be read; "
        "try again, or stop the workers for the audit"
    )


def stored_layout(redis: Redis, topic: str, partitions: int) -> Layout | None:
    """The newest layout that any partition is counted by; None where nothing is stored."""
    newest: dict[int, Layout] = {}
    for partition in range(partitions):
        fields = redis.hgetall(PartitionKeys(topic, partition).ledger)
        if fields:
            layout = History.stored(cast("dict[bytes, bytes]", fields)).current
            newest[layout.version] = layout
    return newest[max(newest)] if newest else None


def _settled(
    redis: Redis, keys: PartitionKeys
) -> tuple[_Ledger, Mapping[Outcome, int], dict[tuple[Bucket, Cell], int]] | None:
    """Cells, outcomes and ledger at one position; None if it went away or moves too fast."""
    reader = PartitionReader(redis, keys.topic, keys.partition)
    buckets: dict[Bucket, dict[bytes, bytes]] = {}
    for _ in range(_MOST_TRIES):
        change = reader.read()
        if change is None:
            return None
        if change.anew:
            buckets.clear()
        buckets.update(change.buckets)
        ledger = _ledger(redis, keys)
        mark = change.ledger.mark
        if ledger and change.settled and mark == (ledger.epoch, ledger.position):
            cells = {
                (bucket, decode_cell(field)): int(number)
                for bucket, fields in buckets.items()
                for field, number in fields.items()
            }
            return ledger, cast("Mapping[Outcome, int]", change.ledger.outcomes), cells
    return None


def _ledger(redis: Redis, keys: PartitionKeys) -> _Ledger | None:
    pipeline = redis.pipeline(transaction=True)
    pipeline.hgetall(keys.ledger)
    pipeline.hgetall(keys.values)
    pipeline.time()
    fields, values, (seconds, microseconds) = pipeline.execute()
    if b"position" not in fields:
        return None
    now = seconds + microseconds / 1e6
    return _Ledger(int(fields[b"position"]), fields[b"epoch"].decode(), now, fields, values)


def _entries(redis: Redis, keys: PartitionKeys) -> Iterator[tuple[str, Contribution]]:
    for shard in range(EVENT_SHARDS):
        for event_id, entry in redis.hscan_iter(keys.events(shard), count=_PIECE):
            yield event_id.decode(), decode_contribution(entry)


def _values(fields: Mapping[bytes, bytes]) -> dict[str, dict[str, int]]:
    values: dict[str, dict[str, int]] = {}
    for field, number in fields.items():
        dimension, value = field.decode().split(SEPARATOR)
        values.setdefault(dimension, {})[value] = int(number)
    return values
