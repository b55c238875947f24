"""Sending records and awaiting every acknowledgement, a bounded number of them at a time."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from agents.kafka.errors import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafka import KafkaProducer
    from kafka.producer.future import FutureRecordMetadata

# kafka-python 3 has no bound of its own: what was sent and not yet acknowledged stays in memory.
_OUTSTANDING_RECORDS: Final = 20_000
_OUTSTANDING_BYTES: Final = 32 * 1024 * 1024

# The producer itself gives a record up after 120 s (`delivery_timeout_ms`) and says so.
_AWAIT_SECONDS: Final = 150.0

# Once it gave a batch up it asks for a new producer id before it looks at the next, and so waits
# for a broker without end. What is not acknowledged this soon after is given up by us.
_GRACE_SECONDS: Final = 5.0

# These are about one record; every other failure will meet the next record too.
_ONE_RECORD: Final = (InvalidRecordError, MessageSizeTooLargeError, RecordListTooLargeError)


class _Sent(NamedTuple):
    place: str
    size: int
    future: FutureRecordMetadata


class Delivery:
    """Sends to one producer and counts what was acknowledged and what was not.

    `failed` is called with the place of each record that was not delivered and the error's name.
    A record that was given up may have arrived all the same: the receipt can be what was lost.
    """

    def __init__(self, producer: KafkaProducer, failed: Callable[[str, str], None]) -> None:
        self._producer = producer
        self._report = failed
        self._sent: deque[_Sent] = deque()
        self._bytes = 0
        self._give_up_at: float | None = None
        self.delivered = 0
        self.undelivered = 0

    def send(
        self,
        place: str,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send one record; waits while too many others are not yet acknowledged."""
        try:
            future = self._producer.send(topic, value, key, list(headers))
        except KafkaError as error:
            self._fail(place, error)
            return
        size = len(value or b"") + len(key or b"")
        self._sent.append(_Sent(place, size, future))
        self._bytes += size
        while self._sent and (self._crowded or self._sent[0].future.is_done):
            self._await_oldest()

    @property
    def broken(self) -> bool:
        """Whether a failure was not about its record alone: sending more is of no use."""
        return self._give_up_at is not None

    def settle(self) -> None:
        """Wait until each record sent was acknowledged or given up."""
        while self._sent:
            self._await_oldest()

    @property
    def _crowded(self) -> bool:
        return len(self._sent) > _OUTSTANDING_RECORDS or self._bytes > _OUTSTANDING_BYTES

    def _await_oldest(self) -> None:
        place, size, future = self._sent.popleft()
        self._bytes -= size
        try:
            future.get(timeout=self._patience_seconds)
        except KafkaError as error:
            self._fail(place, error)
        else:
            self.delivered += 1

    @property
    def _patience_seconds(self) -> float:
        if self._give_up_at is None:
            return _AWAIT_SECONDS
        return max(0.0, self._give_up_at - time.monotonic())

    def _fail(self, place: str, error: KafkaError) -> None:
        self.undelivered += 1
        if self._give_up_at is None and not isinstance(error, _ONE_RECORD):
            self._give_up_at = time.monotonic() + _GRACE_SECONDS
        self._report(place, name_of(error))
