from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition

from agents.kafka import topic_log
from agents.kafka.topic_log import read_to_now
from streams.errors import Unavailable

FIRST, SECOND = TopicPartition("topic", 0), TopicPartition("topic", 1)


class Record(NamedTuple):
    """A record, as far as reading looks at it."""

    offset: int


class Client:
    """A consumer of partitions with these begins and ends, answering polls with `batches`."""

    def __init__(
        self, begins: dict[Any, int], ends: dict[Any, int], *batches: dict[Any, list[int]]
    ) -> None:
        self._begins, self._ends = begins, ends
        self._batches = list(batches)
        self._positions: dict[Any, int] = {}
        self.assigned: list[Any] = []

    def partitions_for_topic(self, topic: str) -> set[int]:
        """Give the partitions."""
        del topic
        return {tp.partition for tp in self._ends}

    def beginning_offsets(self, _: object) -> dict[Any, int]:
        """Give the begins."""
        return self._begins

    def end_offsets(self, _: object) -> dict[Any, int]:
        """Give the ends."""
        return self._ends

    def assign(self, partitions: list[Any]) -> None:
        """Keep what is read."""
        self.assigned = partitions

    def seek(self, tp: object, offset: int) -> None:
        """Go there."""
        self._positions[tp] = offset

    def pause(self, tp: object) -> None:
        """Read no more of it."""

    def position(self, tp: object) -> int:
        """Give the next offset."""
        return self._positions[tp]

    def poll(self, _: int) -> dict[Any, list[Record]]:
        """Give the next batch; with none left, only offsets that hold no record pass by."""
        if not self._batches:
            self._positions = {tp: self._ends[tp] for tp in self._positions}
            return {}
        batch = self._batches.pop(0)
        self._positions |= {tp: offsets[-1] + 1 for tp, offsets in batch.items()}
        return {tp: [Record(offset) for offset in offsets] for tp, offsets in batch.items()}


def test_reads_to_where_the_topic_ended() -> None:
    """Records that came after the call began are not read, or a replay might feed itself."""
    ends = {FIRST: 12, SECOND: 2}
    client = Client({FIRST: 10, SECOND: 0}, ends, {FIRST: [10, 11, 12, 13]}, {SECOND: [0, 1]})
    assert [record.offset for record in read_to_now(client, "topic")] == [10, 11, 0, 1]


def test_ends_behind_the_last_record() -> None:
    """A log may end with offsets that are no records (an aborted transaction): not waited for."""
    client = Client({FIRST: 0}, {FIRST: 9}, {FIRST: [0, 4]})
    assert [record.offset for record in read_to_now(client, "topic")] == [0, 4]


def test_empty_partitions_are_left_alone() -> None:
    """A partition without records, or whose records expired, is not waited for."""
    client = Client({FIRST: 5, SECOND: 0}, {FIRST: 5, SECOND: 1}, {SECOND: [0]})
    assert [record.offset for record in read_to_now(client, "topic")] == [0]
    assert client.assigned == [SECOND]


def test_no_such_topic() -> None:
    """A topic that is not there is told, with the command that creates it."""
    with pytest.raises(Unavailable, match="feedback topics create"):
        list(read_to_now(Client({}, {}), "topic"))


def test_gives_up_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that goes away meanwhile ends the reading, and it is never taken for the end."""
    monkeypatch.setattr(topic_log, "_PATIENCE_SECONDS", 0.0)
    client = Client({FIRST: 0}, {FIRST: 9})
    monkeypatch.setattr(client, "poll", lambda _: {})
    with pytest.raises(Unavailable, match="could not be read to its end"):
        list(read_to_now(client, "topic"))
