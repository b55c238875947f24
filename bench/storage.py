"""What the counts cost in Redis: memory, write speed and reload, for few and for many segments.

    .venv/bin/python bench/storage.py [--events 300000]

Fold and ledger alone, without Kafka: batches of 4,000 events in order of time over ten minutes,
one measure, ids of 20 bytes, tiers of 10 s, 5 min and 1 h, one partition.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import redis
from redis.asyncio import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.embedded.redis import RedisServer
from bench.throughput import events
from streams.counts.reader import CountsReader
from streams.kpis.file import KpiFile
from streams.kpis.load import parse_kpis
from streams.ledger.fold import Fold
from streams.ledger.folded import LOG_APPEND_TIME
from streams.ledger.keys import EVENT_SHARDS, PartitionKeys, topic_key
from streams.ledger.ledger import Applied, Ledger
from streams.scores.scoreboard import Scoreboard

HERE = Path(__file__).resolve().parent
TOPIC = "bench"
BATCH = 4_000


@dataclass(slots=True)
class Record:
    """A record of partition 0."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


class Cost(NamedTuple):
    """One line of the table."""

    segments: int
    ids: bool
    rate: float
    cells: int
    cell_bytes: float
    id_bytes: float
    reload_seconds: float


def records(number: int, segments: int) -> list[Record]:
    """The events of bench/throughput.py, as one partition's log."""
    now = int(time.time() * 1000)
    made = events(number, segments)
    return [Record(i, now, LOG_APPEND_TIME, key, value) for i, (key, value) in enumerate(made)]


async def count(url: str, kpis: KpiFile, log: list[Record]) -> float:
    """Count the log; gives events a second."""
    client = Redis.from_url(url)
    ledger = Ledger(client, TOPIC, kpis.layout)
    fold = Fold(kpis.layout)
    state = await ledger.open(0)
    started = time.perf_counter()
    for first in range(0, len(log), BATCH):
        batch = log[first : first + BATCH]
        folded = fold(batch, {}, state.view(1), time.time())
        result = await ledger.apply(state, folded, batch[-1].offset + 1, verified=False)
        if not isinstance(result, Applied):
            raise TypeError(result)
    rate = len(log) / (time.perf_counter() - started)
    await ledger.heartbeat(state, len(log))
    await client.aclose()
    return rate


def bytes_of(client: redis.Redis, pattern: str) -> tuple[int, int]:
    """Fields and bytes of the hashes whose keys match."""
    fields = size = 0
    for key in client.scan_iter(pattern, count=1000):
        fields += client.hlen(key)
        size += client.memory_usage(key, samples=0) or 0
    return fields, size


def measure(kpis: KpiFile, log: list[Record], segments: int) -> Cost:
    """Count and look at what it took."""
    with RedisServer() as server:
        rate = asyncio.run(count(server.url, kpis, log))
        client = redis.Redis.from_url(server.url)
        client.hset(topic_key(TOPIC), "partitions", 1)
        tag = PartitionKeys(TOPIC, 0).tag
        cells, cell_bytes = bytes_of(client, f"{tag}:cells:*")
        ids, id_bytes = bytes_of(client, f"{tag}:events:*")
        board = Scoreboard(kpis)
        started = time.perf_counter()
        CountsReader(client, TOPIC, board.counts).refresh()
        reload_seconds = time.perf_counter() - started
    keeps = ids > 0
    return Cost(
        segments, keeps, rate, cells, cell_bytes / cells, id_bytes / ids if keeps else 0.0,
        reload_seconds,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    number = parser.parse_args().events
    text = (HERE / "kpis.yaml").read_text(encoding="utf-8")
    print("| segments | ids kept | events/s | cells | bytes a cell | bytes an id | reload, s |")
    print("|---|---|---|---|---|---|---|")
    for segments in (32, 10_000):
        log = records(number, segments)
        for dedupe in ("", "dedupe: off\n"):
            cost = measure(parse_kpis(text + dedupe), log, segments)
            print(
                f"| {cost.segments:,} | {'yes' if cost.ids else 'no'} | {cost.rate:,.0f} | "
                f"{cost.cells:,} | {cost.cell_bytes:.0f} | {cost.id_bytes:.0f} | "
                f"{cost.reload_seconds:.2f} |"
            )
    print(f"\n{EVENT_SHARDS} shards of ids a partition; batches of {BATCH:,} events.")


if __name__ == "__main__":
    main()
