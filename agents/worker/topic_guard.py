"""The topic must stay the one that was counted: its id and its number of partitions are stored.

Another number of partitions sends the edits of an answer to a partition that never saw it; a
recreated topic starts its offsets anew. Both stop the worker, with the way out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from uuid import UUID

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from agents.kafka.clients import admin
from agents.kafka.errors import kafka_errors, refused_us
from streams.errors import ConfigurationError, StorageMismatch, Unavailable
from streams.ledger.keys import PartitionKeys, topic_key

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from faust.types import TP
    from redis.asyncio import Redis

    from agents.settings import Settings

logger = logging.getLogger(__name__)

_NO_ID: Final = str(UUID(int=0))
_DEFAULT_MESSAGE_BYTES: Final = 1_048_588  # Kafka's own default of max.message.bytes

MIGRATION: Final = (
    "The counts in Redis belong to the topic as it was. Either publish to a topic with the old "
    "layout again, or count anew: stop all workers, delete the keys of this topic in Redis "
    "(redis-cli --scan --pattern '{{fb:{topic}:*' and '{{fb:{topic}}}*'), start the workers; they "
    "count all that the topic still holds."
)


class TopicFacts(NamedTuple):
    """A topic as Kafka describes it; None where the brokers can't say."""

    partitions: int
    topic_id: str | None
    max_message_bytes: int
    retention_seconds: float | None
    log_append_time: bool | None


def describe(settings: Settings) -> TopicFacts | None:
    """The events topic, None where it does not exist. Blocks; raises `Unavailable`."""
    with kafka_errors(settings):
        client = admin(settings)
        try:
            found = client.describe_topics([settings.topic])
            topic: dict[str, Any] = found[0] if found else {"error_code": 3, "partitions": []}
            if topic["error_code"] or not topic["partitions"]:
                return None
            configuration = _configuration(client, settings.topic)
        finally:
            client.close()
    retention = configuration.get("retention.ms")
    topic_id = str(topic.get("topic_id") or _NO_ID)
    stamp = configuration.get("message.timestamp.type")
    return TopicFacts(
        partitions=len(topic["partitions"]),
        topic_id=None if topic_id == _NO_ID else topic_id,
        max_message_bytes=int(configuration.get("max.message.bytes") or _DEFAULT_MESSAGE_BYTES),
        retention_seconds=int(retention) / 1000 if retention and int(retention) >= 0 else None,
        log_append_time=None if stamp is None else stamp == "LogAppendTime",
    )


def _configuration(client: Any, topic: str) -> dict[str, str]:
    """The topic's settings; empty where reading them is not allowed or not known."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    try:
        found = client.describe_configs([resource], config_filter="all")
    except KafkaError:
        return {}
    return {
        name: entry["value"]
        for topics in found.values()
        for entries in topics.values()
        for name, entry in entries.items()
    }


class TopicGuard:
    """Compares the topic with what the first worker stored of it."""

    def __init__(self, settings: Settings, redis: Redis, facts: TopicFacts) -> None:
        self._settings = settings
        self._redis = redis
        self.facts = facts

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return self.facts.partitions

    async def check(self) -> None:
        """Ask Kafka again and compare; raises `StorageMismatch` where the topic has changed."""
        facts = await asyncio.to_thread(describe, self._settings)
        if facts is None:
            raise Unavailable(f"Kafka has no topic {self._settings.topic}")
        await self.compare(facts)

    async def compare(self, facts: TopicFacts) -> None:
        """Compare `facts` with what is stored, storing them where nothing is."""
        key = topic_key(self._settings.topic)
        given = {"partitions": str(facts.partitions), "topic_id": facts.topic_id or ""}
        for name, value in given.items():
            if value:
                await self._redis.hsetnx(key, name, value)
        stored = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(key))
        partitions = int(stored[b"partitions"])
        if partitions != facts.partitions:
            raise self._changed(
                f"had {partitions} partitions when it was first counted and has "
                f"{facts.partitions} now; revisions would reach partitions that never saw "
                "their answer"
            )
        known_id = stored.get(b"topic_id", b"").decode()
        if facts.topic_id and known_id != facts.topic_id:
            raise self._changed("has been deleted and created again since it was first counted")
        self.facts = facts

    async def layout_token(self, partition: int) -> str:
        """Version and hash under which a partition is counted; empty where it has no ledger."""
        key = PartitionKeys(self._settings.topic, partition).ledger
        found = await cast("Awaitable[bytes | None]", self._redis.hget(key, "layout"))
        return (found or b"").decode()

    def past_the_end(self, tp: TP, position: int, log_end: int) -> StorageMismatch:
        """The error for a ledger that is ahead of its log."""
        return self._changed(
            f"ends at offset {log_end} in partition {tp.partition}, but offsets up to {position} "
            "have been counted; it was truncated or created again"
        )

    def denied(self, error: BaseException) -> ConfigurationError:
        """The error for what Kafka does not allow this worker to do."""
        return refused_us(self._settings, error)

    def _changed(self, how: str) -> StorageMismatch:
        topic = self._settings.topic
        return StorageMismatch(f"Topic {topic} {how}. {MIGRATION.format(topic=topic)}")
