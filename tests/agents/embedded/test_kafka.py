"""The embedded Kafka: each of its limits that the demo depends on is held here."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Producer
from kafka import KafkaProducer

from agents.embedded.kafka import PARTITIONS, MockKafka
from streams.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC = "feedback.events"
MOCK_TIMESTAMP_MS = 1_000


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        yield cluster


def test_a_topic_is_made_with_four_partitions(kafka: MockKafka) -> None:
    """Asking for a topic makes it; asking again changes nothing."""
    assert PARTITIONS == kafka.create_topic(TOPIC)
    assert PARTITIONS == kafka.create_topic(TOPIC)


def test_kafka_python_publishes_to_it(kafka: MockKafka) -> None:
    """With `api_version=(2, 0)` a record is acknowledged with its offset."""
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, api_version=(2, 0))
    try:
        sent = [producer.send(TOPIC, b"value", key=b"key").get(10) for _ in range(2)]
    finally:
        producer.close()
    assert [0, 1] == [record.offset for record in sent]


def test_aiokafka_reads_from_it(kafka: MockKafka) -> None:
    """Records come back with key, headers and the producer's time, and a group's commit holds."""
    record, committed = asyncio.run(publish_and_consume(kafka.bootstrap))
    assert (b"key", b"value", (("name", b"1"),)) == (record.key, record.value, record.headers)
    assert MOCK_TIMESTAMP_MS == record.timestamp
    assert 1 == committed


async def publish_and_consume(bootstrap: str) -> tuple[Any, int]:
    """Send one record and read it as a member of a group; return it and what was committed."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(
            TOPIC,
            b"value",
            key=b"key",
            headers=[("name", b"1")],
            timestamp_ms=MOCK_TIMESTAMP_MS,
        )
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="group",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 20)
        await consumer.commit()
        return record, await consumer.committed(TopicPartition(TOPIC, record.partition))


def test_a_partition_keeps_about_five_mebibytes(kafka: MockKafka) -> None:
    """Older records are dropped: what must be audited later has to fit."""
    publish(kafka.bootstrap, records=40, size=100_000)
    assert 0 == asyncio.run(first_offset(kafka.bootstrap))
    publish(kafka.bootstrap, records=40, size=100_000)
    assert asyncio.run(first_offset(kafka.bootstrap)) in range(20, 40)


def publish(bootstrap: str, records: int, size: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0})
    for _ in range(records):
        producer.produce(TOPIC, bytes(size), partition=0)
        producer.flush()


async def first_offset(bootstrap: str) -> int:
    partition = TopicPartition(TOPIC, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        offsets = await consumer.beginning_offsets([partition])
        return int(offsets[partition])


def test_nothing_listens_after_close(kafka: MockKafka) -> None:
    """Closing takes the cluster down with its records."""
    host, port = kafka.bootstrap.split(":")
    socket.create_connection((host, int(port))).close()
    kafka.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the command."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(Unavailable, match=r"pip install 'feedback-streams\[demo\]'"):
        MockKafka().start()
