"""Keeping the counts in memory up to date with Redis.

Any number of readers may run: nothing is consumed and nothing is written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
)

from streams.counts.partition_reader import PartitionReader
from streams.ledger.keys import topic_key
from streams.scores.states import PartitionHealth, window_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis import Redis

    from streams.counts.counts import Counts
    from streams.counts.partition_reader import Fields, PartitionChange


_DENIALS = (AuthenticationError, AuthorizationError, NoPermissionError)


class PartitionReport(msgspec.Struct, frozen=True):
    """A partition's ledger as last read.

    `layout` is its token, `health` None where no owner has written any. `settled`: see
    `streams.counts.partition_reader.PartitionChange`.
    """

    partition: int
    position: int
    layout: str
    complete_from: float | None
    outcomes: dict[str, int]
    health: PartitionHealth | None
    settled: bool


class Report(msgspec.Struct, frozen=True):
    """What a refresh found. `now` is Unix seconds by Redis's clock, also while Redis is away.

    `expected_partitions` is 0 while no worker has ever started. `problem` says why Redis could not
    be read, and `denied` that it refused us; everything else is then as it was last seen.
    `memory_limit_bytes` is 0 where Redis has no limit.
    """

    now: float
    expected_partitions: int = 0
    partitions: tuple[PartitionReport, ...] = ()
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    problem: str | None = None
    denied: bool = False

    @property
    def healths(self) -> list[PartitionHealth]:
        """The health of every partition that has one."""
        return [p.health for p in self.partitions if p.health is not None]


class CountsReader:
    """Feeds `counts` from Redis; `redis` answers with bytes and is used by one thread."""

    def __init__(
        self,
        redis: Redis,
        topic: str,
        counts: Counts,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._topic = topic
        self._counts = counts
        self._monotonic = monotonic
        self._report = Report(clock())
        self._read_at = monotonic()
        self._run_id: str | None = None
        self._readers: list[PartitionReader] = []

    def refresh(self) -> Report:
        """Bring `counts` up to date with Redis; it is settled afterwards.

        While Redis is away the counts stay, time goes on, and the report says what is wrong.
        """
        try:
            self._report = self._read()
        except RedisError as error:
            return self._away(error)
        except Exception:
            self._forget()  # what was read may not all have been taken in
            raise
        self._read_at = self._monotonic()
        return self._report

    def _away(self, error: RedisError) -> Report:
        """The last report, as old as it is by now."""
        now = self._report.now + self._monotonic() - self._read_at
        problem = f"Redis can't be read: {str(error) or type(error).__name__}"
        denied = isinstance(error, _DENIALS)
        return msgspec.structs.replace(self._report, now=now, problem=problem, denied=denied)

    def _forget(self) -> None:
        """Read everything the next time."""
        for reader in self._readers:
            reader.forget()

    def _read(self) -> Report:
        now, info = self._server()
        partitions = self._redis.hget(topic_key(self._topic), "partitions")
        self._expect(int(partitions or 0))
        read = [self._partition(number) for number in range(len(self._readers))]
        report = Report(
            now=now,
            expected_partitions=len(self._readers),
            partitions=tuple(partition for partition in read if partition is not None),
            memory_bytes=int(info["used_memory"]),
            memory_limit_bytes=int(info["maxmemory"]),
        )
        self._counts.expire(now)
        self._counts.advance(window_end(report.healths, now))
        self._counts.settle()
        return report

    def _server(self) -> tuple[float, Mapping[str, Any]]:
        """Redis's time and facts. A server that began anew may have lost writes: read all again."""
        seconds, microseconds = self._redis.time()
        info = self._redis.info("server", "memory")
        if info["run_id"] != self._run_id:
            self._forget()
            self._run_id = info["run_id"]
        return seconds + microseconds / 1e6, info

    def _expect(self, partitions: int) -> None:
        """Read this many partitions, and drop what is known of others."""
        for number in range(partitions, len(self._readers)):
            self._counts.replace(number, {})
        del self._readers[partitions:]
        for number in range(len(self._readers), partitions):
            self._readers.append(PartitionReader(self._redis, self._topic, number))

    def _partition(self, number: int) -> PartitionReport | None:
        """Take in what changed in a partition; None where it has no ledger."""
        change = self._readers[number].read()
        if change is None:
            self._counts.replace(number, {})
            return None
        if change.anew:
            self._counts.replace(number, change.buckets)
        else:
            for bucket, fields in change.buckets.items():
                self._counts.put(number, bucket, fields)
        return _report(number, change)


def _report(number: int, change: PartitionChange) -> PartitionReport:
    ledger = change.ledger
    known = ledger.complete_from != "unknown"
    complete_from = float(ledger.complete_from) if known else None
    return PartitionReport(
        partition=number,
        position=ledger.mark.position,
        layout=ledger.layout,
        complete_from=complete_from,
        outcomes=ledger.outcomes,
        health=_health(number, change.health, complete_from),
        settled=change.settled,
    )


def _health(number: int, fields: Fields, complete_from: float | None) -> PartitionHealth | None:
    if not fields:
        return None
    recorded, caught_up = fields.get(b"last_record_time"), fields.get(b"caught_up_at")
    return PartitionHealth(
        partition=number,
        log_end=int(fields[b"log_end"]),
        position=int(fields[b"position"]),
        last_record_time=float(recorded) if recorded else None,
        time=float(fields[b"time"]),
        complete_from=complete_from,
        caught_up_at=float(caught_up) if caught_up else None,
    )
