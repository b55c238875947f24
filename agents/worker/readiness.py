"""Whether a worker is at work: what /readyz answers, and why not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from faust.types import TP

    from agents.worker.reading import Reading

# A lag without progress for so long is no busy machine: a batch takes a second at most.
STUCK_SECONDS: Final = 30.0
# Redis and the group's coordinator are heard of every two seconds, each partition's log oftener.
SILENT_SECONDS: Final = 10.0


class Readiness:
    """Told of what happens, it says what is wrong now. `clock` is that of readings: monotonic.

    A worker that has joined its group and was given no partition is ready: it stands by.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        now = clock()
        self._clock = clock
        self._joined = False
        self._assigned_at: dict[TP, float] = {}
        self._closed_at: dict[TP, float] = {}
        self._redis_answered_at = now
        self._group_seen_at = now
        self._letters_waiting = 0

    def assigned(self, partitions: Iterable[TP]) -> None:
        """A rebalance has ended: these are ours."""
        self._joined = True
        self._assigned_at = dict.fromkeys(partitions, self._clock())
        self._closed_at = {}
        self.group_seen()

    def revoked(self, partitions: Iterable[TP]) -> None:
        """These are ours no more."""
        for tp in partitions:
            self._assigned_at.pop(tp, None)

    def closed(self, tp: TP) -> None:
        """A reading of this partition has ended; another should begin."""
        self._closed_at[tp] = self._clock()

    def redis_answered(self) -> None:
        """Redis has answered."""
        self._redis_answered_at = self._clock()

    def group_seen(self) -> None:
        """The group has a coordinator that answers."""
        self._group_seen_at = self._clock()

    def letters_wait(self, *, more: int) -> None:
        """So many partitions more, or fewer, wait for their dead letters to be taken."""
        self._letters_waiting += more

    def problems(self, readings: Collection[Reading]) -> Iterator[str]:
        """Why the worker is not ready, the causes before what follows from them."""
        now = self._clock()
        is_open = [reading for reading in readings if not reading.closed]
        if not self._joined:
            yield "has not joined the consumer group yet"
        elif now - self._group_seen_at > SILENT_SECONDS or any(
            # A reading without room is not fetched; there progress tells.
            reading.has_room and now - reading.log_seen_at > SILENT_SECONDS
            for reading in is_open
        ):
            yield "Kafka does not answer"
        if now - self._redis_answered_at > SILENT_SECONDS:
            yield "Redis does not answer"
        if self._letters_waiting:
            yield "dead letters can't be sent"
        for reading in is_open:
            if reading.lag_events and now - reading.progressed_at > STUCK_SECONDS:
                yield f"partition {reading.tp.partition} makes no progress"
        being_read = {reading.tp for reading in is_open}
        for tp, assigned_at in sorted(self._assigned_at.items()):
            since = max(assigned_at, self._closed_at.get(tp, assigned_at))
            if tp not in being_read and now - since > SILENT_SECONDS:
                yield f"partition {tp.partition} is not being read"
