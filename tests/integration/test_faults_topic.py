"""A topic that is no longer the one that was counted: the worker refuses and says what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

RUNNING = pytest.mark.parametrize("running", [True, False], ids=["running", "at-start"])


@RUNNING
def test_partitions_are_added(kafka_broker: KafkaBroker, tmp_path: Path, *, running: bool) -> None:
    """With more partitions revisions would go elsewhere: exit 2, with the way out."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        pipeline.publish(Traffic(40).take(1_000))
        pipeline.settle()
        if not running:
            pipeline.stop(worker)
        kafka_broker.add_partitions(pipeline.topic, 6)
        if not running:
            pipeline.start(worker)
        assert 2 == pipeline.ended(worker)
        assert "had 4 partitions when it was first counted and has 6 now" in worker.last_words
        assert "delete the keys of this topic in Redis" in worker.last_words


@RUNNING
@pytest.mark.parametrize("longer", [True, False], ids=["longer", "shorter"])
def test_the_topic_is_created_again(
    kafka_broker: KafkaBroker, tmp_path: Path, *, running: bool, longer: bool
) -> None:
    """A topic of the same name is another log, whether shorter or longer: exit 2."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        pipeline.publish(Traffic(41).take(1_000))
        pipeline.settle()
        outcomes = pipeline.outcomes()
        if not running:
            pipeline.stop(worker)
        kafka_broker.delete_topic(pipeline.topic)
        kafka_broker.delete_topic(pipeline.dead_letter_topic)
        pipeline.create_topics()
        if longer:
            pipeline.publish(Traffic(42).take(3_000))
        if not running:
            pipeline.start(worker)
        assert 2 == pipeline.ended(worker)
        assert "has been deleted and created again" in worker.last_words
        assert "delete the keys of this topic in Redis" in worker.last_words
        if not longer:
            assert outcomes == pipeline.outcomes()


@RUNNING
def test_offsets_expire_before_they_are_counted(
    kafka_broker: KafkaBroker, tmp_path: Path, *, running: bool
) -> None:
    """What Kafka dropped before it was counted is reported as lost history; the rest counts."""
    with Pipeline(kafka_broker, tmp_path, partitions=1) as pipeline:
        # A small fetch, since what the paused worker was sent already is not lost.
        worker = pipeline.worker(fetch_bytes=64 * 1024)
        pipeline.publish(Traffic(43).take(1_000))
        pipeline.settle()
        if running:
            worker.pause()
        else:
            pipeline.stop(worker)
        pipeline.publish(Traffic(44).take(4_000))
        expired = TopicPartition(pipeline.topic, 0, 4_500)
        kafka_broker.admin.delete_records([expired])[expired].result(20)
        if running:
            worker.resume()
        else:
            pipeline.start(worker)
        pipeline.settle()
        words = "offsets ([0-9]+) to 4499 expired in Kafka before they were counted"
        reported = re.search(words, worker.output())
        assert reported
        lost = 4_500 - int(reported[1])
        assert 0 < lost <= 3_500
        assert 1 == worker.metric("feedback_history_lost_total")
        assert 5_000 - lost == sum(pipeline.outcomes().values())
        assert b"0" != pipeline.redis.hget(pipeline.keys(0).ledger, "complete_from")
        assert "" == pipeline.differences()
