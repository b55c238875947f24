"""Redis that is killed, restored, emptied or not there yet: every answer counts once in the end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agents.embedded.process import wait_until
from agents.embedded.redis import RedisServer
from tests.integration.harness import PATIENCE_SECONDS, Pipeline
from tests.integration.traffic import Traffic

if TYPE_CHECKING:
    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

# As a power cut takes from a file that was not yet forced to the disk.
LOST_BYTES = 100_000
ANEW = "asked it to write its append-only file anew"


def test_redis_is_killed(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """With `appendfsync always` nothing is lost by kill -9: the worker waits and goes on."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        with pipeline.publishing(20) as publisher:
            for _ in range(3):
                pipeline.wait_counted(200)
                pipeline.server.kill()
                publisher.wait_for(200)
                assert worker.alive()
                pipeline.server.start()
            pipeline.wait_counted(200)
        assert 0 == worker.metric("feedback_rewinds_total")
        assert "" == pipeline.differences()


def test_redis_loses_its_last_writes(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """With `appendfsync everysec` a crash may lose writes: they are counted again, once.

    Each partition that went back begins one epoch, and what the crash tore does no harm later.
    """
    server = RedisServer(append_only=True, options={"appendfsync": "everysec"})
    with Pipeline(kafka_broker, tmp_path, server=server) as pipeline:
        worker = pipeline.worker()
        with pipeline.publishing(21) as publisher:
            pipeline.says(worker, ANEW)  # at first sight; there is little to cut before
            pipeline.wait_counted(1_600)
            before = pipeline.counted()
            server.kill()
            _cut(server)
            server.start()
            assert pipeline.counted() < before
            publisher.wait_for(100)
            pipeline.wait_counted(400, since=before)
        pipeline.wait(lambda: 2 == worker.output().count(ANEW), "the file to be written anew")
        pipeline.kill(worker)
        assert 0 < worker.output().count("Redis went back from offset") <= pipeline.partitions
        following = pipeline.worker()
        pipeline.publish(Traffic(28).take(400))
        assert "" == pipeline.differences()
        assert 0 == following.metric("feedback_rewinds_total")
        server.kill()
        server.start()
        assert "" == pipeline.differences()


@pytest.mark.parametrize("worker_survives", [True, False])
def test_redis_is_restored(
    kafka_broker: KafkaBroker, tmp_path: Path, *, worker_survives: bool
) -> None:
    """An older copy of Redis is put back: what came after it is counted again, once."""
    server = RedisServer(append_only=False)
    with Pipeline(kafka_broker, tmp_path, server=server) as pipeline:
        worker = pipeline.worker()
        with pipeline.publishing(22):
            pipeline.wait_counted(400)
            kept = _backup(pipeline, tmp_path)
            before = pipeline.counted()
            pipeline.wait_counted(400)
            if not worker_survives:
                pipeline.kill(worker)
            server.kill()
            shutil.copy(kept, server.directory / "dump.rdb")
            server.start()
            assert pipeline.counted() <= before + 400
            if not worker_survives:
                pipeline.start(worker)
            pipeline.wait_counted(800, since=before)
        assert "" == pipeline.differences()


@pytest.mark.parametrize("traffic", [True, False], ids=["traffic", "quiet"])
def test_redis_is_emptied(kafka_broker: KafkaBroker, tmp_path: Path, *, traffic: bool) -> None:
    """FLUSHALL is reported as lost history, and all that the topic holds is counted again."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        published = pipeline.publish(Traffic(23).take(2_000))
        pipeline.settle()
        facts = pipeline.topic_facts()
        assert 0 == worker.metric("feedback_history_lost_total")
        if traffic:
            with pipeline.publishing(24):
                pipeline.wait_counted(100)
                pipeline.redis.flushall()
                pipeline.wait_counted(published)
        else:
            pipeline.redis.flushall()
            pipeline.wait_counted(published)
        assert "" == pipeline.differences()
        assert pipeline.partitions == worker.metric("feedback_history_lost_total")
        assert "Redis has no ledger, but offsets up to" in worker.output()
        assert facts == pipeline.topic_facts()


def test_redis_is_emptied_while_no_worker_runs(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A new worker knows by Kafka's committed offsets that history was lost."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        published = pipeline.publish(Traffic(25).take(2_000))
        pipeline.settle()
        pipeline.stop(worker)
        pipeline.redis.flushall()
        pipeline.start(worker)
        pipeline.wait_counted(published, since=0)
        assert "Redis has no ledger, but offsets up to" in worker.output()
        assert worker.metric("feedback_history_lost_total") > 0
        assert "" == pipeline.differences()


@pytest.mark.parametrize("key", ["ledger", "touched"], ids=["at-start", "at-work"])
def test_what_no_retry_can_mend_ends_the_worker(
    kafka_broker: KafkaBroker, tmp_path: Path, key: str
) -> None:
    """An error of ours or of Redis that stays: exit 1, not 0, and the last line names it."""
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        for partition in range(pipeline.partitions):
            pipeline.redis.set(getattr(pipeline.keys(partition), key), "not what it should be")
        worker = pipeline.worker()
        pipeline.publish(Traffic(26).take(100))
        assert 1 == pipeline.ended(worker)
        assert "WRONGTYPE" in worker.last_words


def _cut(server: RedisServer) -> None:
    """Take the end off the append-only file."""
    (file,) = (server.directory / "appendonlydir").glob("*.incr.aof")
    size = file.stat().st_size
    assert size > 2 * LOST_BYTES
    with file.open("r+b") as log:
        log.truncate(size - LOST_BYTES)


def _backup(pipeline: Pipeline, directory: Path) -> Path:
    """Copy Redis as it is now."""
    saved = pipeline.redis.lastsave()
    pipeline.redis.bgsave()

    def done() -> bool:
        info = pipeline.redis.info("persistence")
        return not info["rdb_bgsave_in_progress"] and info["rdb_last_bgsave_status"] == "ok"

    wait_until(done, PATIENCE_SECONDS, "the copy")
    assert saved <= pipeline.redis.lastsave()
    return Path(shutil.copy(pipeline.server.directory / "dump.rdb", directory / "older.rdb"))
