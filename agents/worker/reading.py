"""A reading: one uninterrupted read of a partition, from a seek to the next.

A rebalance, a rewind or a lost partition closes the reading; whatever still belongs to it is
dropped, and the next reading begins at the ledger's position. No number is compared to tell
stale batches: a batch belongs to its reading or it does not count.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from faust.types import TP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.ledger.ledger import State

# Batches of a partition under way at once: one being counted, one fetched meanwhile.
MOST_PENDING: Final = 2


class Reached(NamedTuple):
    """Up to which offset (exclusive) a partition was known to be counted, in one of its epochs.

    The epoch is empty where it is not known: other tools may set committed offsets, too.
    """

    offset: int
    epoch: str


class Bounds(NamedTuple):
    """A partition as Kafka knows it: its first offset, the next to be written, the committed.

    Beside the committed offset stands the epoch of the ledger that it was taken from.
    """

    log_start: int
    log_end: int
    committed: Reached | None


class Batch(NamedTuple):
    """Every readable record of a partition with an offset in [start, end).

    Offsets have legal gaps (compaction, transactions), so only `start` and `end` say what is
    covered; `records` (aiokafka's ConsumerRecord) may be empty.
    """

    reading: Reading
    start: int
    end: int
    records: Sequence[Any]


class Reading:
    """One read of `tp`; `state` is its ledger and `fetched` the next offset to hand over.

    While its batch is `applying`, closing it waits for Redis's reply: the events of a batch that
    was counted must be in this worker's own counters.
    """

    def __init__(self, tp: TP, state: State, log_end: int) -> None:
        self.tp = tp
        self.state = state
        self.fetched = state.position
        self.log_end = log_end
        self.pending = 0
        self.closed = False
        self.applying = False
        self.progressed_at = asyncio.get_running_loop().time()
        self.log_seen_at = self.progressed_at
        self.queue: asyncio.Queue[Batch] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        """Whether another batch may be fetched."""
        return self.pending < MOST_PENDING

    @property
    def lag_events(self) -> int:
        """Offsets between the ledger and the log's end."""
        return max(0, self.log_end - self.state.position)

    def see(self, log_end: int, at: float) -> None:
        """The log ended there at that time; progress is due from when a lag begins."""
        if log_end > self.log_end and not self.lag_events:
            self.progressed_at = at
        self.log_end = max(self.log_end, log_end)
        self.log_seen_at = at

    def batch(self, records: Sequence[Any], end: int) -> Batch:
        """The batch that follows what was handed over before."""
        batch = Batch(self, self.fetched, end, records)
        self.fetched = end
        self.pending += 1
        return batch

    def done(self, now: float) -> None:
        """One batch is counted."""
        self.pending -= 1
        self.progressed_at = now

    def close(self) -> None:
        """End this reading; batches of it no longer count."""
        self.closed = True
        if self.task is not None and not self.applying:
            self.task.cancel()
