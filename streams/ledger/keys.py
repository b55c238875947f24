"""Redis keys. All keys of a partition share one hash slot, so one script may change them all."""

from __future__ import annotations

from typing import NamedTuple

EVENT_SHARDS = 16  # a rehash of one shard's table then moves 1/16 of the ids, not all at once


class Bucket(NamedTuple):
    """`seconds` of event time from `start` (Unix time, a multiple of `seconds`), end exclusive."""

    seconds: int
    start: int

    @property
    def member(self) -> str:
        """Its name in the set of touched buckets."""
        return f"{self.seconds}:{self.start}"

    @classmethod
    def of(cls, seconds: int, time: int) -> Bucket:
        """The bucket that a time (Unix seconds) lies in."""
        return cls(seconds, time - time % seconds)

    @classmethod
    def parse(cls, member: str) -> Bucket:
        """The bucket with this name in the set of touched buckets."""
        seconds, start = member.split(":")
        return cls(int(seconds), int(start))


class PartitionKeys(NamedTuple):
    """The keys of one partition of one topic."""

    topic: str
    partition: int

    @property
    def tag(self) -> str:
        """The hash tag: Redis Cluster places keys by the part in braces."""
        return f"{{fb:{self.topic}:{self.partition}}}"

    @property
    def ledger(self) -> str:
        """Hash: position, epoch, layout, complete_from, `outcome:<name>`, `layout:<version>`, more.

        `layout_from:<version>` is the offset from which that layout is counted by,
        `layout_at:<version>` when it was raised (Redis's clock; 0 for a ledger's first).
        """
        return f"{self.tag}:ledger"

    @property
    def touched(self) -> str:
        """Sorted set of bucket members, scored by the position that last changed them."""
        return f"{self.tag}:touched"

    @property
    def health(self) -> str:
        """Hash: log_end, position, last_record_time, time (the last two in Unix seconds)."""
        return f"{self.tag}:health"

    @property
    def values(self) -> str:
        """Hash of admitted dimension values: `<dimension>␟<value>` to its number."""
        return f"{self.tag}:values"

    def cells(self, bucket: Bucket) -> str:
        """Hash of cells of one bucket."""
        return f"{self.tag}:cells:{bucket.seconds}:{bucket.start}"

    def events(self, shard: int) -> str:
        """Hash of event ids to what they counted."""
        return f"{self.tag}:events:{shard}"


def topic_key(topic: str) -> str:
    """Hash: partitions, topic_id. Written by the first worker, compared by all others."""
    return f"{{fb:{topic}}}:topic"
