"""Records that are no answers: floods of garbage, tombstones, giants, and their dead letters."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from streams.events.routing import partition_of
from tests.integration.harness import LIMIT, Pipeline
from tests.integration.traffic import Message, Traffic, message, producer

if TYPE_CHECKING:
    from pathlib import Path

    from streams.events.dead_letter import Original
    from tests.servers import KafkaBroker

pytestmark = pytest.mark.kafka

GARBAGE = 10_000
LIMIT_BYTES = 2 * 1024 * 1024
GIANT_BYTES = 1_500_000


def test_a_flood_of_poison(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Each of 10,000 pieces of garbage becomes one dead letter, whole; the answers count."""
    garbage = [Message(b"g%d" % n, b"\x00garbage %d" % n) for n in range(GARBAGE)]
    answers = Traffic(50, poison=0).take(GARBAGE // 5)
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        pipeline.publish(garbage[: GARBAGE // 2] + answers + garbage[GARBAGE // 2 :])
        assert "" == pipeline.differences()
        assert GARBAGE == pipeline.outcomes()["refused"]
        assert GARBAGE == worker.metric("feedback_refused_total")
        assert Counter(garbage) == Counter(_record(letter) for letter in pipeline.letters())


def test_a_flood_of_tombstones(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Tombstones are counted as such: no letters, and no effect on the answers of their keys."""
    answers = Traffic(51, poison=0).take(1_000)
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        pipeline.worker()
        pipeline.publish(answers)
        pipeline.settle()
        before = pipeline.outcomes()
        pipeline.publish(one._replace(value=None) for one in answers for _ in range(5))
        assert "" == pipeline.differences()
        after = pipeline.outcomes()
        assert 5_000 == after.pop("tombstone") - before.pop("tombstone")
        assert before == after
        assert [] == pipeline.letters()


def test_giants(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Records of 1.5 MB count, or are refused whole; larger than the topic's limit, cut off."""
    small = json.loads(Traffic(52).answer().value or b"")
    giants = [
        message({**small, "event_id": "counts", "comment": "good " * (GIANT_BYTES // 5)}),
        message({**small, "event_id": "refused", "measures": {"csat": 9}, "comment": _filler()}),
        Message(b"garbage", _filler().encode()),
    ]
    # Compressed it fits into the events topic; as a letter, alone, it does not.
    too_large = Message(b"too large", b"x" * (3 * LIMIT_BYTES))
    with Pipeline(kafka_broker, tmp_path, topic_settings={LIMIT: str(LIMIT_BYTES)}) as pipeline:
        pipeline.worker()
        pipeline.publish(giants)
        _publish_compressed(pipeline, too_large)
        pipeline.publish(Traffic(53).take(500))
        assert "" == pipeline.differences()
        letters = {letter.key: letter for letter in pipeline.letters()}
        for giant in giants[1:]:
            assert giant == _record(letters[giant.key])
            assert letters[giant.key].truncated is None
        assert b"counts" not in letters
        cut = letters[b"too large"]
        assert len(too_large.value or b"") == cut.truncated
        assert cut.value
        assert LIMIT_BYTES < len(cut.value) < LIMIT_BYTES + 64 * 1024


@pytest.mark.parametrize("running", [True, False], ids=["running", "at-start"])
def test_the_dead_letter_topic_is_away(
    kafka_broker: KafkaBroker, tmp_path: Path, *, running: bool
) -> None:
    """The partition with poison waits and readiness is gone; other partitions count on.

    When the topic is there again everything goes on, and nothing was lost.
    """
    poison = [Message(key, b"poison") for key in _keys_of_partition_0(100)]
    with Pipeline(kafka_broker, tmp_path) as pipeline:
        worker = pipeline.worker()
        known = pipeline.publish([Message(None, b"poison")] * 10) if running else 0
        pipeline.settle()
        kafka_broker.delete_topic(pipeline.dead_letter_topic)
        pipeline.publish(poison)
        pipeline.publish(Traffic(54, poison=0).take(2_000))
        ends = pipeline.log_ends()
        pipeline.wait(lambda: pipeline.positions()[1:] == ends[1:], "other partitions to count on")
        pipeline.wait(
            lambda: worker.problems == ["dead letters can't be sent"], "readiness to go away"
        )
        assert pipeline.positions()[0] < ends[0] - len(poison)
        if not running:
            assert pipeline.stop(worker).endswith("stopped: asked to by a signal")
            pipeline.start(worker)
        pipeline.create_dead_letter_topic()
        assert "" == pipeline.differences()
        pipeline.wait_ready(worker)
        assert known + len(poison) == pipeline.outcomes()["refused"]
        assert Counter(poison) == Counter(_record(letter) for letter in pipeline.letters())


def _record(letter: Original) -> Message:
    return Message(letter.key, letter.value)


def _filler() -> str:
    return "z" * GIANT_BYTES


def _keys_of_partition_0(number: int) -> list[bytes]:
    keys = (b"poison-%d" % n for n in range(100 * number))
    return [key for key in keys if partition_of(key, 4) == 0][:number]


def _publish_compressed(pipeline: Pipeline, one: Message) -> None:
    sender = producer(
        pipeline.broker.bootstrap, **{"compression.type": "gzip", "message.max.bytes": 10_000_000}
    )
    sender.produce(pipeline.topic, one.value, one.key)
    assert 0 == sender.flush(30)
