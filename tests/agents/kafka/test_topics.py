from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError

from agents.kafka.topics import Topic, create_topic, differences, wanted_topics
from streams.errors import ConfigurationError

EVENTS, DEAD_LETTERS = wanted_topics(
    "events", "letters", partitions=8, replication=3, retention_seconds=3600, limit_bytes=1000
)


class Admin:
    """An admin client that fails as it is told, or keeps what it is asked to create."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.created: dict[str, Any] = {}

    def create_topics(self, topics: dict[str, Any], *, wait_for_metadata: bool) -> None:
        """Create."""
        assert wait_for_metadata
        if self.error:
            raise self.error
        self.created |= topics


def test_what_the_topics_are() -> None:
    """Records carry the brokers' time, survive the loss of a broker and are never compacted."""
    settings = {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": "3600000",
        "min.insync.replicas": "2",
        "cleanup.policy": "delete",
        "max.message.bytes": "1000",
    }
    assert Topic("events", 8, 3, settings) == EVENTS


def test_a_dead_letter_may_be_larger_than_an_event() -> None:
    """The dead-letter topic takes 64 KiB more than the other, and is its like otherwise."""
    expected = {**EVENTS.settings, "max.message.bytes": str(1000 + 65_536)}
    assert Topic("letters", 8, 3, expected) == DEAD_LETTERS


def test_one_replica_is_in_sync_with_itself() -> None:
    """With one replica a write needs that one; none would mean no guarantee at all."""
    one, _ = wanted_topics("e", "d", partitions=1, replication=1, retention_seconds=1)
    assert one.settings["min.insync.replicas"] == "1"


def test_no_difference() -> None:
    """A topic as wanted differs in nothing, whatever else is set on it."""
    found = EVENTS._replace(settings={**EVENTS.settings, "segment.ms": "1"})
    assert differences(EVENTS, found) == []


def test_differences_are_named_the_essential_first() -> None:
    """Each difference says what is and what should be; two kinds say what to do."""
    settings = {**EVENTS.settings, "retention.ms": "1", "message.timestamp.type": "CreateTime"}
    found = EVENTS._replace(partitions=4, replication=1, settings=settings)

    keep = "it can't be changed: take what is there, or count anew from another topic"
    alter = "must be put right, with kafka-configs.sh --alter"
    assert [(str(d), d.essential) for d in differences(EVENTS, found)] == [
        (f"partitions is 4, not 8 ({keep})", True),
        (f"message.timestamp.type is CreateTime, not LogAppendTime ({alter})", True),
        ("replication is 1, not 3", False),
        ("retention.ms is 1, not 3600000", False),
    ]


def test_create() -> None:
    """A topic is created with its partitions, replicas and settings."""
    admin = Admin()
    assert create_topic(admin, EVENTS)
    expected = {"num_partitions": 8, "replication_factor": 3, "configs": EVENTS.settings}
    assert admin.created == {"events": expected}


def test_created_meanwhile() -> None:
    """Two may create the same topic at once: the second finds it there."""
    assert not create_topic(Admin(TopicAlreadyExistsError()), EVENTS)


def test_too_few_brokers() -> None:
    """More replicas than brokers is wrong use, and the message says what to change."""
    with pytest.raises(ConfigurationError, match="smaller --replication"):
        create_topic(Admin(InvalidReplicationFactorError()), EVENTS)
