"""Workers that are killed, stopped, added and removed count every answer once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

KILLS = 20


def test_plain_traffic_is_counted_exactly(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Revisions, withdrawals, repeats, poison and tombstones count as the audit says."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.worker()
        published = pipeline.publish(Traffic(1).take(5_000))
        assert "" == pipeline.differences()
        outcomes = pipeline.outcomes()
        assert published == sum(outcomes.values())
        every = {"applied", "duplicate", "superseded", "withdrawn", "late", "refused", "tombstone"}
        assert every == outcomes.keys()


def test_faust_runs_the_app_as_well(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """`faust -A agents.app worker` counts by the same settings, and leaves when asked to."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker_by_faust()
        pipeline.publish(Traffic(6).take(1_000))
        assert "" == pipeline.differences()
        pipeline.stop(worker)


def test_twenty_kills(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Two workers, killed at random moments of their lives and started again, count exactly."""
    chance = random.Random(2)  # noqa: S311 - no secret depends on it
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        workers = [pipeline.worker(), pipeline.worker()]
        pipeline.wait_counted(0)
        with pipeline.publishing(2) as publisher:
            pipeline.wait_counted(100)
            before = pipeline.counted()
            for _ in range(KILLS):
                victim = chance.choice(workers)
                if chance.random() < 0.5:  # else it may be killed while it starts
                    pipeline.wait_ready(victim)
                pipeline.wait_counted(chance.randint(1, 400))
                pipeline.kill(victim)
                pipeline.start(victim)
            assert publisher.active
            assert pipeline.counted() - before > KILLS
        assert "" == pipeline.differences()


def test_a_stopped_worker_goes_on_where_it_was(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """SIGTERM at work or while joining: status 0 within 10 s, the last line says why."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        with pipeline.publishing(3) as publisher:
            for joined in (True, False, True):
                if joined:
                    pipeline.wait_counted(200)
                else:
                    pipeline.says(worker, "feedback worker: counting")
                assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
                publisher.wait_for(50)
                pipeline.start(worker)
        assert "" == pipeline.differences()


def test_workers_come_and_go(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A worker that is added takes over partitions, and one that is removed gives them back."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        first = pipeline.worker()
        with pipeline.publishing(4):
            pipeline.wait_counted(200)
            second = pipeline.worker()
            pipeline.wait(lambda: second.metric("feedback_events_total") > 0, "the second to count")
            counted = first.metric("feedback_events_total")
            pipeline.wait(
                lambda: first.metric("feedback_events_total") > counted, "the first to go on"
            )
            pipeline.stop(first)
            pipeline.wait_counted(400)
            assert all(position > 0 for position in pipeline.positions())
        assert "" == pipeline.differences()
