"""The ledger: what has been counted of each partition, and the only way to count more.

Everything that a batch changes is changed by one script together with the position, and only if
position, epoch and layout are still what the batch was folded from. So a batch counts once,
whatever is retried, restarted, restored or still running elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

import msgpack
import msgspec
from redis.asyncio import Redis

from streams.errors import StorageMismatch, Unavailable
from streams.ledger.admitted import AdmittedValues
from streams.ledger.cells import SEPARATOR
from streams.ledger.contribution import decode_contribution
from streams.ledger.folded import Folded, PartitionView
from streams.ledger.history import Era, History
from streams.ledger.keys import EVENT_SHARDS, Bucket, PartitionKeys
from streams.ledger.layout import EXPIRY_GRACE_SECONDS, Layout

# Entries looked at in one sweep: a tenth of a millisecond of Redis, some 10 % of a batch's work.
SWEEP_ENTRIES: Final = 500
# An entry is swept this much later than it counts as absent, for records judged a little earlier.
_SWEEP_SLACK_SECONDS: Final = 3_600

# A former owner may still count a batch or two between preparing to raise a layout and doing it.
_MOST_RAISES: Final = 10
# Of epochs ended long ago nobody knows a position any more that could be taken for a newer one.
_REMEMBERED_EPOCHS: Final = 20

_FIRST_SHARD_KEY: Final = 4  # the place of event shard 0 in the script's KEYS
_FIRST_BUCKET_KEY: Final = _FIRST_SHARD_KEY + EVENT_SHARDS


class State(msgspec.Struct):
    """A partition's ledger as its owner last knew it; `position` is the next offset to apply.

    Whatever was known of it in one of the epochs that have `ended` holds no longer.
    """

    partition: int
    position: int
    epoch: str
    complete_from: str
    values: AdmittedValues
    history: History
    created: bool = False
    ended: tuple[str, ...] = ()
    sweep_shard: int = 0
    sweep_cursor: int = 0

    def view(self, partitions: int) -> PartitionView:
        """What a fold needs to know of it."""
        return PartitionView(self.partition, partitions, self.values, self.history)

    def expires_at(self, bucket: Bucket) -> int:
        """When Redis may drop a bucket (Unix seconds)."""
        return self.history.expires_at(bucket)


class Applied(NamedTuple):
    """The batch is counted."""


class Known(NamedTuple):
    """Nothing was changed: these ids have entries, so the batch must be folded with them."""

    entries: dict[str, bytes]


class Moved(NamedTuple):
    """Nothing was changed: the ledger is not where the fold began; empty texts where it is gone."""

    position: str
    epoch: str
    layout: str


class _Raising(NamedTuple):
    """What a newer layout is raised with at a position: buckets that live on, and their expiry."""

    position: str
    raised_at: int
    longer: dict[str, int]


NOTHING_PREPARED: Final = _Raising("", 0, {})


class Swept(NamedTuple):
    """Ids whose entries count as absent by now, by event shard."""

    ids: dict[int, list[bytes]]


NOTHING_SWEPT: Final = Swept({})


def shard_of(event_id: bytes) -> int:
    """The event shard of an id."""
    return crc32(event_id) % EVENT_SHARDS


class Ledger:
    """The ledgers of one topic's partitions, for workers of one layout."""

    def __init__(self, redis: Redis, topic: str, layout: Layout) -> None:
        """`redis` answers with bytes (no `decode_responses`)."""
        self._redis = redis
        self._topic = topic
        self._layout = layout
        self._apply = redis.register_script(_script("apply"))
        self._open = redis.register_script(_script("open"))
        self._restart = redis.register_script(_script("restart"))
        self._heartbeat = redis.register_script(_script("heartbeat"))
        self._shard_keys: dict[int, list[str]] = {}

    def keys(self, partition: int) -> PartitionKeys:
        """The keys of one partition."""
        return PartitionKeys(self._topic, partition)

    async def open(self, partition: int, log_start: int = 0, *, ended: Iterable[str] = ()) -> State:
        """Read a partition's ledger; a new one begins at `log_start`, the log's first offset.

        `ended` are epochs of ledgers before, of which there is nothing left if this one is new.
        It is `created` until `reported` is called.
        Raises `StorageMismatch` where the counts were written under another layout that is not
        older than ours, and `Unavailable` where ours is newer and an owner counts on by the older.
        """
        keys = self.keys(partition)
        layout = self._layout
        complete_from = "0" if log_start == 0 else "unknown"
        args: list[bytes | int | str] = [
            _token(), layout.version, layout.token, msgspec.json.encode(layout), log_start,
            complete_from, ",".join(ended),
        ]  # fmt: skip
        raising = NOTHING_PREPARED
        for _ in range(_MOST_RAISES):
            reply = await self._open(
                keys=[keys.ledger, keys.values, *raising.longer],
                args=[*args, raising.position, raising.raised_at, *raising.longer.values()],
            )
            if reply[0] == b"mismatch":
                raise mismatch(layout, reply[1].decode())
            fields = dict(zip(reply[1][::2], reply[1][1::2], strict=True))
            if reply[0] == b"open":
                return self._state(partition, fields, reply[2])
            raising = await self._prepare(keys, fields, reply[2])
        raise Unavailable(
            f"partition {partition} is counted by an older KPI file too fast to take it over"
        )

    def _state(self, partition: int, fields: dict[bytes, bytes], values: list[bytes]) -> State:
        return State(
            partition=partition,
            position=int(fields[b"position"]),
            epoch=fields[b"epoch"].decode(),
            complete_from=fields[b"complete_from"].decode(),
            values=AdmittedValues(self._layout, dict(zip(values[::2], values[1::2], strict=True))),
            history=History.stored(fields),
            created=b"new" in fields,
            ended=tuple(fields.get(b"ended", b"").decode().split(",")),
        )

    async def _prepare(
        self, keys: PartitionKeys, fields: dict[bytes, bytes], raised_at: int
    ) -> _Raising:
        """What raising the layout at this moment needs: which buckets live on for longer."""
        before = History.stored(fields)
        position = fields[b"position"].decode()
        after = before.raised(Era(self._layout, int(position), raised_at))
        members = cast("list[bytes]", await self._redis.zrange(keys.touched, 0, -1))
        touched = (Bucket.parse(member.decode()) for member in members)
        longer = before.prolonged(after, touched).items()
        return _Raising(position, raised_at, {keys.cells(b): expiry for b, expiry in longer})

    async def reported(self, partition: int) -> None:
        """Whoever must know has been told that the ledger is new."""
        await self._redis.hdel(self.keys(partition).ledger, "new")

    async def apply(
        self,
        state: State,
        folded: Folded,
        next_position: int,
        *,
        verified: bool,
        swept: Swept = NOTHING_SWEPT,
        call: str = "",
    ) -> Applied | Known | Moved:
        """Count a batch that was folded from `state`, if the ledger still is in that state.

        `verified` says that the entries of all the batch's ids were given to the fold. On success
        `state` is moved on; otherwise nothing has changed anywhere. A call that is repeated because
        no reply came, with the same token as `call`, is applied once and told so each time.
        """
        keys = self.keys(state.partition)
        shard_keys = self._shard_keys.get(state.partition)
        if shard_keys is None:
            shard_keys = [keys.events(shard) for shard in range(EVENT_SHARDS)]
            self._shard_keys[state.partition] = shard_keys
        recorded = "" if folded.recorded is None else repr(folded.recorded)
        reply = await self._apply(
            keys=[keys.ledger, keys.touched, keys.values, *shard_keys]
            + [keys.cells(bucket) for bucket in folded.increments],
            args=[
                state.position,
                state.epoch,
                self._layout.token,
                next_position,
                int(verified),
                recorded,
                _pack(state, folded, swept),
                call or _token(),
            ],
        )
        match reply:
            case [b"known", flat]:
                ids = (i.decode() for i in flat[::2])
                return Known(dict(zip(ids, flat[1::2], strict=True)))
            case [b"moved", position, epoch, layout]:
                return Moved(position.decode(), epoch.decode(), layout.decode())
        state.position = next_position
        if folded.values is not None:
            state.values.accept(folded.values)
        return Applied()

    async def restart(self, state: State, position: int, *, ended: Iterable[str] = ()) -> None:
        """Begin a new epoch at `position`; without effect if the ledger has moved meanwhile.

        A position ahead of the stored one skips offsets that Kafka no longer has. `ended` are
        epochs that end besides the stored one: of some of them Redis may know nothing any more.
        """
        keys = self.keys(state.partition)
        over = dict.fromkeys((*state.ended, state.epoch, *ended))
        kept = ",".join([*over][-_REMEMBERED_EPOCHS:])
        await self._restart(
            keys=[keys.ledger], args=[state.position, state.epoch, _token(), position, kept]
        )

    async def heartbeat(self, state: State, log_end: int | None) -> tuple[int, str] | None:
        """Write the partition's health; gives the stored position and epoch, None if gone.

        With `log_end` None nothing is written: the log could not be asked.
        """
        keys = self.keys(state.partition)
        position, epoch = await self._heartbeat(
            keys=[keys.ledger, keys.health],
            args=[state.position, state.epoch, "" if log_end is None else log_end],
        )
        return (int(position), epoch.decode()) if position else None

    async def sweep(self, state: State, now: float) -> Swept:
        """Find some entries that count as absent at `now`; `apply` then removes them."""
        horizon = self._layout.horizon_seconds
        if horizon is None:
            return NOTHING_SWEPT
        shard = state.sweep_shard
        key = self.keys(state.partition).events(shard)
        cursor, found = await cast(
            "Awaitable[tuple[int, dict[bytes, bytes]]]",
            self._redis.hscan(key, cursor=state.sweep_cursor, count=SWEEP_ENTRIES),
        )
        state.sweep_cursor = cursor
        if cursor == 0:
            state.sweep_shard = (shard + 1) % EVENT_SHARDS
        before = now - _SWEEP_SLACK_SECONDS
        ids = [i for i, e in found.items() if decode_contribution(e).forgotten(before, horizon)]
        return Swept({shard: ids}) if ids else NOTHING_SWEPT

    async def trim(self, partition: int, now: float) -> None:
        """Forget that long expired buckets were ever touched."""
        key = self.keys(partition).touched
        longest = self._layout.longest_retention_seconds + 2 * EXPIRY_GRACE_SECONDS
        retention = {t.seconds: t.retention_seconds for t in self._layout.tiers}
        members = cast("list[bytes]", await self._redis.zrange(key, 0, -1))
        expired = [
            member
            for member in members
            if (bucket := Bucket.parse(member.decode())).start
            < now - retention.get(bucket.seconds, longest) - 2 * EXPIRY_GRACE_SECONDS
        ]
        if expired:
            await self._redis.zrem(key, *expired)


def mismatch(layout: Layout, stored: str) -> StorageMismatch:
    """Why a worker with this KPI file must not write to counts of the `stored` layout."""
    version = stored.partition(":")[0]
    if int(version) > layout.version:
        problem = f"the counts in Redis are of version {version}, the KPI file has version"
        way_out = "start this worker with the newer KPI file"
    else:
        problem = "what is stored has changed, but the KPI file still has version"
        way_out = f"raise `version` to {int(version) + 1}"
    return StorageMismatch(f"{problem} {layout.version}; {way_out}.")


def _script(name: str) -> str:
    return (files("streams.ledger") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def _token() -> str:
    return secrets.token_hex(8)


def _pack(state: State, folded: Folded, swept: Swept) -> bytes:
    """The script's packed argument. Redis's cmsgpack knows only the old raw type, not bin."""
    shards: dict[int, list[bytes]] = {}
    for event_id, entry in folded.contributions.items():
        encoded = event_id.encode()
        flat = shards.setdefault(crc32(encoded) % EVENT_SHARDS + _FIRST_SHARD_KEY, [])
        flat.append(encoded)
        flat.append(entry)
    cells = [
        (key, bucket.member, state.expires_at(bucket), _flat(fields))
        for key, (bucket, fields) in enumerate(folded.increments.items(), _FIRST_BUCKET_KEY)
    ]
    admitted = folded.values.admitted if folded.values else []
    values = [x for d, v, n in admitted for x in (f"{d}{SEPARATOR}{v}", n)]
    outcomes = [x for name, n in folded.outcomes.items() if n for x in (f"outcome:{name}", n)]
    gone = [
        (
            shard + _FIRST_SHARD_KEY,
            [i for i in ids if i.decode() not in folded.contributions],
        )
        for shard, ids in swept.ids.items()
    ]
    packed: Any = msgpack.packb(
        (list(shards.items()), cells, values, outcomes, gone), use_bin_type=False
    )
    return cast("bytes", packed)


def _flat(fields: Mapping[bytes, int]) -> list[bytes | int]:
    return [x for item in fields.items() for x in item]
