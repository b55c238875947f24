"""Dead letters on their way to Kafka."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from agents.settings import load_settings
from agents.worker.letters import DeadLetters
from streams.events.dead_letter import original
from streams.events.event import Refusal
from streams.ledger.folded import Refused

if TYPE_CHECKING:
    from streams.events.dead_letter import DeadLetter


class Topic:
    """A producer of which the topic takes records of so many bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.records: list[Any] = []

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        """Take it, or not."""
        size = len(record["value"]) + sum(len(n) + len(v) for n, v in record["headers"])
        if size > self.limit_bytes:
            raise MessageSizeTooLargeError
        self.records.append(SimpleNamespace(topic=topic, **record))


def letters_to(topic: Topic, source_limit_bytes: int) -> DeadLetters:
    letters = DeadLetters(load_settings(), source_limit_bytes)
    letters._producer = cast("Any", topic)
    return letters


def refused(value: bytes) -> Refused:
    record = SimpleNamespace(
        topic="events", partition=3, offset=7, timestamp=0, timestamp_type=1,
        key=b"r-1", value=value, headers=(),
    )  # fmt: skip
    return Refused(cast("Any", record), Refusal("not_json", "The value is not JSON."))


def test_a_letter_is_whole_where_the_topic_takes_it() -> None:
    """The original bytes arrive as they were."""
    topic = Topic(1_000_000)
    asyncio.run(letters_to(topic, 100_000).send([refused(b"x" * 90_000)]))
    (letter,) = topic.records
    assert b"x" * 90_000 == letter.value
    assert original(cast("DeadLetter", letter)).truncated is None


def test_a_letter_is_cut_until_it_fits_a_topic_with_a_smaller_limit() -> None:
    """A dead-letter topic that takes less than it should does not stop the partition."""
    topic = Topic(10_000)
    asyncio.run(letters_to(topic, 100_000).send([refused(b"x" * 90_000), refused(b"y")]))
    whole, cut = sorted(topic.records, key=lambda record: len(record.value))
    assert b"y" == whole.value
    assert 90_000 == original(cast("DeadLetter", cut)).truncated
    assert 2_000 < len(cut.value) < 10_000


def test_a_topic_that_takes_no_record_at_all_is_an_error() -> None:
    """What nothing can mend is not tried for ever within one delivery."""
    with pytest.raises(MessageSizeTooLargeError):
        asyncio.run(letters_to(Topic(10), 100_000).send([refused(b"x" * 5_000)]))
