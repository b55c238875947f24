"""Reading one partition's counts: what changed since the last look, as it was at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from streams.ledger.folded import OUTCOMES
from streams.ledger.keys import Bucket, PartitionKeys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

Fields = dict[bytes, bytes]

# More changed buckets than this are first read outside the transaction, so that Redis is held for
# a few milliseconds and not for as long as a whole partition takes.
MOST_IN_TRANSACTION: Final = 64
# Buckets in one pipeline outside the transaction: some hundred kilobytes of replies.
BULK_BUCKETS: Final = 100
# A steady stream settles in two; only a backfill that touches everything needs more.
MOST_ROUNDS: Final = 6

_LEDGER_FIELDS: Final = ("position", "epoch", "layout", "complete_from")
_OUTCOME_FIELDS: Final = tuple(f"outcome:{name}" for name in OUTCOMES)


class Mark(NamedTuple):
    """Up to where a partition's changes are known; `position` is the next offset."""

    epoch: str
    position: int

    def continued_by(self, later: Mark) -> bool:
        """Whether what is known still holds at `later`, but for what changed since."""
        return self == UNREAD or (self.epoch == later.epoch and self.position <= later.position)


UNREAD: Final = Mark("", -1)


class LedgerState(NamedTuple):
    """The ledger's fields as stored; `complete_from` is Unix seconds, or `unknown`."""

    mark: Mark
    layout: str
    complete_from: str
    outcomes: dict[str, int]


class PartitionChange(NamedTuple):
    """What changed. `anew`: buckets that are not named are gone.

    `settled` is False while buckets change faster than they can be read at one moment: then each
    bucket is right, but an answer that moved from one to another may be in both or in neither.
    """

    ledger: LedgerState
    health: Fields
    buckets: dict[Bucket, Fields]
    anew: bool
    settled: bool


class _Moment(NamedTuple):
    """What one transaction saw; `touched` are the members changed since the mark it was given."""

    ledger: LedgerState
    health: Fields
    touched: frozenset[bytes]
    contents: dict[bytes, Fields]


class PartitionReader:
    """Remembers up to where it has read; `redis` answers with bytes."""

    def __init__(self, redis: Redis, topic: str, partition: int) -> None:
        self._redis = redis
        self._keys = PartitionKeys(topic, partition)
        self._mark = UNREAD

    def forget(self) -> None:
        """Read everything the next time."""
        self._mark = UNREAD

    def read(self) -> PartitionChange | None:
        """What changed since the last call; None where there is no ledger (any more).

        1. In one transaction read ledger, health, the buckets touched since the mark, and the
           contents of those that are wanted (none at first).
        2. Another epoch, or a position that went back: begin anew, with everything.
        3. Every touched bucket was read with it: this is the partition at one moment.
        4. Few were touched: want them, and once more from 1.
        5. Many: read them in pieces. What changes meanwhile comes after the position of 1, which
           becomes the mark; once more from 1.
        """
        mark, anew, settled = self._mark, self._mark == UNREAD, False
        contents: dict[bytes, Fields] = {}
        wanted: frozenset[bytes] = frozenset()
        rounds = 0
        while True:
            seen = self._transaction(mark, wanted)
            if seen is None:
                self.forget()
                return None
            if mark.continued_by(seen.ledger.mark):
                contents |= seen.contents
                settled = seen.touched <= seen.contents.keys()
                wanted = seen.touched
                if settled:
                    mark = seen.ledger.mark
                elif len(wanted) > MOST_IN_TRANSACTION:
                    contents |= self._in_pieces(wanted)
                    mark, wanted = seen.ledger.mark, frozenset()
            else:
                mark, anew, contents, wanted = UNREAD, True, {}, frozenset()
            rounds += 1
            if settled or rounds == MOST_ROUNDS:
                break
        if mark == UNREAD:  # what was read is a part of the whole, and not yet of use
            contents, anew = {}, False
        self._mark = mark
        buckets = {Bucket.parse(member.decode()): f for member, f in contents.items()}
        return PartitionChange(seen.ledger, seen.health, buckets, anew, settled)

    def _transaction(self, mark: Mark, wanted: frozenset[bytes]) -> _Moment | None:
        members = list(wanted)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hmget(self._keys.ledger, [*_LEDGER_FIELDS, *_OUTCOME_FIELDS])
        pipeline.hgetall(self._keys.health)
        pipeline.zrangebyscore(self._keys.touched, f"({mark.position}", "+inf")
        for member in members:
            pipeline.hgetall(self._key(member))
        fields, health, touched, *contents = pipeline.execute()
        ledger = _ledger_state(fields)
        if ledger is None:
            return None
        return _Moment(
            ledger, health, frozenset(touched), dict(zip(members, contents, strict=True))
        )

    def _in_pieces(self, members: Iterable[bytes]) -> dict[bytes, Fields]:
        remaining = list(members)
        contents: dict[bytes, Fields] = {}
        while remaining:
            piece, remaining = remaining[:BULK_BUCKETS], remaining[BULK_BUCKETS:]
            pipeline = self._redis.pipeline(transaction=False)
            for member in piece:
                pipeline.hgetall(self._key(member))
            contents.update(zip(piece, cast("list[Fields]", pipeline.execute()), strict=True))
        return contents

    def _key(self, member: bytes) -> str:
        return self._keys.cells(Bucket.parse(member.decode()))


def _ledger_state(values: list[bytes | None]) -> LedgerState | None:
    position, epoch, layout, complete_from, *outcomes = values
    if position is None or epoch is None:
        return None
    return LedgerState(
        Mark(epoch.decode(), int(position)),
        (layout or b"").decode(),
        (complete_from or b"unknown").decode(),
        {name: int(n or 0) for name, n in zip(OUTCOMES, outcomes, strict=True)},
    )
