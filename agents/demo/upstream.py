"""The demo's upstream app: publishes with librdkafka, as many of them do.

It comes with the embedded Kafka and takes thousands of answers in a moment. Its own default
partitioner would send most edits to another partition than their answer: murmur2_random is the one
that every publisher of this stream must use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.errors import Unavailable

if TYPE_CHECKING:
    from streams.events.event import FeedbackEvent

_SETTLE_SECONDS: Final = 30.0


class Upstream:
    """Publishes events and counts those that Kafka has acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency

        self.acknowledged = 0
        self.sent = 0
        self._refused: Exception | None = None
        self._topic = topic
        self._producer: Any = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "log_level": 0,
            }
        )

    def send(self, event: FeedbackEvent) -> None:
        """Publish `event`; its acknowledgement is counted later."""
        value, key = msgspec.json.encode(event), event.event_id.encode()
        self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
        self._producer.poll(0)
        self.sent += 1

    def settle(self) -> None:
        """Wait until each event sent is acknowledged; raises `Unavailable` if one is not."""
        left = self._producer.flush(_SETTLE_SECONDS)
        if left or self._refused:
            why = self._refused or f"{left} events are not acknowledged"
            raise Unavailable(f"the embedded Kafka did not take every event: {why}")

    def _delivered(self, error: Any, message: Any) -> None:
        del message
        if error is None:
            self.acknowledged += 1
        else:
            self._refused = Unavailable(str(error))
