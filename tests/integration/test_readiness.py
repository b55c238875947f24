"""/readyz and /healthz of workers whose servers are away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka


def test_redis_away(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Neither who counts, nor a standby, nor who is given partitions meanwhile, is ready.

    All are alive, and ready when Redis is back.
    """
    with Pipeline(kafka_broker, tmp_path, partitions=1) as pipeline:
        workers = [pipeline.worker(), pipeline.worker()]
        pipeline.publish(Traffic(70).take(200))
        pipeline.settle()
        for worker in workers:
            pipeline.wait_ready(worker)
        pipeline.server.pause()
        for worker in workers:
            pipeline.wait(
                lambda worker=worker: "Redis does not answer" in (worker.problems or []),  # type: ignore[misc]
                "each to see that Redis is away",
            )
        workers.append(pipeline.worker())  # waits for Redis before it joins
        first = next(w for w in workers if w.metric("feedback_events_total"))
        pipeline.kill(first)
        left = [w for w in workers[:2] if w is not first]
        pipeline.wait(
            lambda: "partition 0 is not being read" in (left[0].problems or []),
            "the standby to say what it can't do",
        )
        assert left[0].healthy
        pipeline.server.resume()
        for worker in (*left, workers[2]):
            pipeline.wait_ready(worker)
        assert "" == pipeline.differences()


def test_kafka_away(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A worker and a standby without their broker are not ready, and are again when it is back."""
    with Pipeline(kafka_broker, tmp_path, partitions=1) as pipeline:
        workers = [pipeline.worker(), pipeline.worker()]
        pipeline.publish(Traffic(71).take(200))
        pipeline.settle()
        for worker in workers:
            pipeline.wait_ready(worker)
        kafka_broker.kill()
        try:
            for worker in workers:
                pipeline.wait(
                    lambda worker=worker: "Kafka does not answer" in (worker.problems or []),  # type: ignore[misc]
                    "each to see that Kafka is away",
                )
                assert worker.healthy
        finally:
            kafka_broker.start()
        for worker in workers:
            pipeline.wait_ready(worker)
        pipeline.publish(Traffic(72).take(200))
        assert "" == pipeline.differences()
