"""The real servers that integration tests start: what those tests rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from agents.embedded.process import wait_until
from tests.servers import FeedbackProcess, KafkaBroker

if TYPE_CHECKING:
    from pathlib import Path


def publish(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert 0 == producer.flush(20)


def first_value(bootstrap: str, topic: str) -> bytes:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    try:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        message = consumer.poll(20)
        assert message is not None
        value = message.value()
        assert value is not None
        return value
    finally:
        consumer.close()


@pytest.mark.kafka
def test_records_outlive_kill() -> None:
    """After kill -9 the broker is back on its port with every acknowledged record."""
    with KafkaBroker() as broker:
        broker.create_topic("answers", partitions=1)
        publish(broker.bootstrap, "answers", [b"kept"])
        before = broker.bootstrap
        broker.kill()
        broker.start()
        assert before == broker.bootstrap
        assert b"kept" == first_value(broker.bootstrap, "answers")
    assert not broker.process.alive()
    assert not broker.directory.exists()


def test_topics_can_grow_and_go(kafka_broker: KafkaBroker) -> None:
    """Topics are made with settings, get partitions, and are deleted, each waited for."""
    kafka_broker.create_topic("grows", 2, {"message.timestamp.type": "LogAppendTime"})
    kafka_broker.add_partitions("grows", 5)
    topics = kafka_broker.admin.list_topics(timeout=10).topics
    assert 5 == len(topics["grows"].partitions)
    kafka_broker.delete_topic("grows")
    assert "grows" not in kafka_broker.admin.list_topics(timeout=10).topics


def test_a_command_runs_as_a_process(tmp_path: Path) -> None:
    """A `feedback` command runs with its environment, and what it says is kept."""
    with FeedbackProcess("--help", directory=tmp_path) as command:
        wait_until(lambda: not command.alive(), 20, "the help")
        assert 0 == command.exit_status
        assert "Commands:" in command.output()
