"""A topic that is no longer the one that was counted: the worker refuses and says what to do."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.harness import CountingWorker
    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka


def add_partitions(pipeline: Pipeline) -> str:
    """Two more partitions; what the worker must say."""
    pipeline.broker.add_partitions(pipeline.topic, 6)
    return "had 4 partitions when it was first counted and has 6 now"


def create_again(pipeline: Pipeline) -> str:
    """Another topic of the same name, still empty; what the worker must say."""
    pipeline.broker.delete_topic(pipeline.topic)
    pipeline.broker.delete_topic(pipeline.dead_letter_topic)
    pipeline.create_topics()
    return "has been deleted and created again since it was first counted"


def create_again_longer(pipeline: Pipeline) -> str:
    """Another topic of the same name, with more events than were counted; what must be said."""
    words = create_again(pipeline)
    pipeline.publish(Traffic(41).take(3_000))
    return words


CHANGES = (add_partitions, create_again, create_again_longer)


@pytest.mark.parametrize("change", CHANGES)
def test_a_worker_does_not_start_on_a_changed_topic(
    change: Callable[[Pipeline], str], kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """Exit 2 at the start, and not one count has changed."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = _counted(pipeline)
        outcomes = pipeline.outcomes()
        pipeline.stop(worker)
        words = change(pipeline)
        pipeline.start(worker)
        _refuses(pipeline, worker, words)
        assert outcomes == pipeline.outcomes()


def test_a_running_worker_finds_that_its_topic_has_changed(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """Exit 2 as soon as it is noticed, whatever was done to the topic."""
    with ExitStack() as stack:
        found = []
        for change in CHANGES:  # all at once, since finding out takes its time
            directory = tmp_path / f"{tmp_path.name}-{change.__name__}"
            directory.mkdir()
            pipeline = stack.enter_context(Pipeline(kafka_broker, directory))
            worker = _counted(pipeline)
            found.append((pipeline, worker, change(pipeline)))
        for pipeline, worker, words in found:
            _refuses(pipeline, worker, words)


@pytest.mark.parametrize("running", [True, False], ids=["running", "at-start"])
def test_offsets_expire_before_they_are_counted(
    kafka_broker: KafkaBroker, tmp_path: Path, *, running: bool
) -> None:
    """What Kafka dropped before it was counted is reported as lost history; the rest counts."""
    with Pipeline(kafka_broker, tmp_path, partitions=1) as pipeline:
        # Small fetches, since what a paused worker was sent already is not lost.
        worker = pipeline.worker(fetch_bytes=64 * 1024)
        traffic = Traffic(43)
        pipeline.publish(traffic.take(1_000))
        pipeline.settle()
        if running:
            worker.pause()
        else:
            pipeline.stop(worker)
        for _ in range(8):  # as many batches at least: a fetch brings whole ones
            pipeline.publish(traffic.take(500))
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


def _counted(pipeline: Pipeline) -> CountingWorker:
    """A worker that has counted something."""
    worker = pipeline.worker()
    pipeline.publish(Traffic(40).take(1_000))
    pipeline.settle()
    return worker


def _refuses(pipeline: Pipeline, worker: CountingWorker, words: str) -> None:
    """The worker ends with status 2; its last line says why, and what to do."""
    assert 2 == pipeline.ended(worker)
    assert words in worker.last_words
    assert "delete the keys of this topic in Redis" in worker.last_words
