"""Dead letters on their way to Kafka: a batch's letters are sent together, then awaited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from streams.events.dead_letter import ROOM_BYTES, dead_letter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.settings import Settings
    from streams.ledger.folded import Refused

# Long enough for a leader election, short enough that a missing topic is soon reported.
_REQUEST_MILLISECONDS: Final = 10_000
# Below this a letter is nothing but its headers: the topic's limit is then no limit for records.
_SMALLEST_LETTER: Final = 1_024
# Letters on their way at once. aiokafka wakes everyone who waits for room in a batch each time one
# is sent: with thousands waiting it is only busy waking them, until all have run out of time.
_UNDER_WAY: Final = 500
_BATCH_BYTES: Final = 64 * 1024
# The producer's own bound; whether a letter fits is decided by `limit_bytes`.
_LARGEST_REQUEST: Final = 64 * 1024 * 1024


class DeadLetters:
    """The dead-letter topic. The producer connects with the first letter, not before."""

    def __init__(self, settings: Settings, source_limit_bytes: int) -> None:
        """`source_limit_bytes` is the events topic's `max.message.bytes`."""
        self._settings = settings
        self._limit_bytes = source_limit_bytes + ROOM_BYTES
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._room = asyncio.Semaphore(_UNDER_WAY)

    async def send(self, refused: Iterable[Refused]) -> None:
        """Deliver a letter for each refused record; returns when Kafka has them all.

        Raises KafkaError when it has not; sending again may repeat letters, never lose one.
        """
        producer = await self._connected()
        await asyncio.gather(*[self._deliver(producer, one) for one in refused])

    async def _deliver(self, producer: AIOKafkaProducer, refused: Refused) -> None:
        """Deliver one letter, cut down until it fits a topic that takes less than it should."""
        limit = self._limit_bytes
        while True:
            letter = dead_letter(cast("Any", refused.record), refused.refusal, limit)
            try:
                async with self._room:
                    await producer.send_and_wait(
                        self._settings.dead_letter_topic,
                        key=letter.key,
                        value=letter.value,
                        headers=list(letter.headers),
                    )
            except MessageSizeTooLargeError:
                limit = letter.size // 2
                if limit < _SMALLEST_LETTER:
                    raise
            else:
                return

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._configuration())
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _configuration(self) -> dict[str, Any]:
        settings = self._settings
        configuration: dict[str, Any] = {
            "bootstrap_servers": settings.brokers,
            "acks": "all",
            "request_timeout_ms": _REQUEST_MILLISECONDS,
            "max_batch_size": _BATCH_BYTES,
            "max_request_size": _LARGEST_REQUEST,
            "security_protocol": settings.kafka_security_protocol,
            "ssl_context": settings.kafka_tls,
        }
        if settings.kafka_login is not None:
            username, password = settings.kafka_login
            configuration |= {
                "sasl_mechanism": settings.kafka_sasl_mechanism,
                "sasl_plain_username": username,
                "sasl_plain_password": password,
            }
        return configuration

    async def stop(self) -> None:
        """Close the producer; every letter that mattered has been awaited."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None
