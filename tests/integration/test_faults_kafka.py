"""Brokers that are killed or not there yet, and transactions: every answer counts once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic, producer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.traffic import Message
    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

TRANSACTION_SECONDS = 30
TRANSACTIONS = 30
IN_TRANSACTION = 100  # enough for each to touch all four partitions


@pytest.mark.parametrize("outage_seconds", [4, 30])
def test_the_broker_is_killed(
    kafka_broker: KafkaBroker, tmp_path: Path, outage_seconds: float
) -> None:
    """Workers outlive a broker's absence and go on when it is back."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.worker()
        pipeline.worker()
        with pipeline.publishing(30) as publisher:
            pipeline.wait_counted(400)
            kafka_broker.kill()
            try:
                pipeline.endure(outage_seconds)
            finally:
                kafka_broker.start()
            published = publisher.published
            pipeline.wait(lambda: pipeline.counted() > published, "what was held back")
        assert "" == pipeline.differences()


def test_sigterm_while_the_broker_is_down(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A worker leaves within 10 s without its broker, with status 0, having lost nothing."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        with pipeline.publishing(31):
            pipeline.wait_counted(400)
            kafka_broker.kill()
            try:
                pipeline.endure(1)
                assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
            finally:
                kafka_broker.start()
            pipeline.start(worker)
        assert "" == pipeline.differences()


def test_sigterm_while_the_broker_hangs(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Nor does a broker that takes requests and never answers keep a worker from leaving."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.publish(Traffic(32).take(1_000))
        at_work = pipeline.worker()
        pipeline.settle()
        kafka_broker.pause()
        try:
            starting = pipeline.worker()
            pipeline.wait(lambda: bool(starting.output()), "the second worker to wait for Kafka")
            for worker in (at_work, starting):
                assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
        finally:
            kafka_broker.resume()
        pipeline.start(at_work)
        assert "" == pipeline.differences()


def test_a_worker_waits_for_its_servers(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Started first, a worker says what it waits for, can be stopped, and begins in the end."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.publish(Traffic(33).take(1_000))
        pipeline.server.kill()
        kafka_broker.kill()
        try:
            worker = pipeline.worker()
            pipeline.says(worker, "waiting for Redis at redis://")
            assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
            pipeline.start(worker)
            pipeline.server.start()
            pipeline.says(worker, "waiting for Kafka: ")
            assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
            pipeline.start(worker)
        finally:
            kafka_broker.start()
        assert "" == pipeline.differences()


def test_a_worker_waits_for_its_topic(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A missing topic is waited for, with the command that creates it."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        kafka_broker.delete_topic(pipeline.topic)
        worker = pipeline.worker()
        pipeline.says(worker, "create it with `feedback topics create`")
        kafka_broker.create_topic(
            pipeline.topic, pipeline.partitions, {"message.timestamp.type": "LogAppendTime"}
        )
        pipeline.publish(Traffic(34).take(500))
        assert "" == pipeline.differences()


def test_aborted_transactions_never_count(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Events of aborted transactions are passed over, also where the log ends in their markers."""
    chance = random.Random(35)  # noqa: S311 - no secret depends on it
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        messages = Traffic(35).take(TRANSACTIONS * IN_TRANSACTION)
        sent = _transactions(pipeline, messages, chance)
        # Each transaction leaves a marker in each partition, the last ones a moment later. So no
        # partition's last offset holds an event.
        markers = TRANSACTIONS * pipeline.partitions
        ends = len(messages) + markers
        pipeline.wait(lambda: sum(pipeline.log_ends()) == ends, "the markers")
        pipeline.settle()
        assert sent == sum(pipeline.outcomes().values())
        pipeline.wait_ready(worker)
        assert "" == pipeline.differences()


def _transactions(pipeline: Pipeline, messages: list[Message], chance: random.Random) -> int:
    """Publish in transactions, a third of them aborted and the last one too; how many counted."""
    sender = producer(
        pipeline.broker.bootstrap,
        **{"transactional.id": pipeline.topic, "message.max.bytes": 1_000_000},
    )
    sender.init_transactions(TRANSACTION_SECONDS)
    committed = 0
    for begin in range(0, len(messages), IN_TRANSACTION):
        batch = messages[begin : begin + IN_TRANSACTION]
        sender.begin_transaction()
        for one in batch:
            sender.produce(pipeline.topic, one.value, one.key)
        last = begin + IN_TRANSACTION >= len(messages)
        # What was sent must be in the log before it is aborted, or nothing is proven.
        assert 0 == sender.flush(TRANSACTION_SECONDS)
        if last or chance.random() < 1 / 3:
            sender.abort_transaction(TRANSACTION_SECONDS)
        else:
            sender.commit_transaction(TRANSACTION_SECONDS)
            committed += len(batch)
    assert 0 < committed < len(messages)
    return committed
