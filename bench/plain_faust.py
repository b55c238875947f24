"""The baseline: a plain Faust agent that does the worker's job into the same Redis.

It reads one message at a time, as Faust's documentation shows, takes up to 1,000 of them
(`noack_take`, the quickest way Faust offers), and hands them to the product's own fold and
ledger, partition by partition. Run by bench/throughput.py.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust

from agents.redis_clients import writing_client
from agents.settings import load_settings
from streams.kpis.load import load_kpis
from streams.ledger.fold import Fold
from streams.ledger.ledger import Known, Ledger, State

TAKE = 1_000


@dataclass(slots=True)
class Record:
    """What the fold reads of a record."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


settings = load_settings()
layout = load_kpis(settings.kpi_file).layout
ledger = Ledger(writing_client(settings), settings.topic, layout)
fold = Fold(layout)
partitions = int(os.environ["BENCH_PARTITIONS"])
states: dict[int, State] = {}

app = faust.App(
    "plain-faust",
    broker=[f"kafka://{broker}" for broker in settings.brokers],
    store="memory://",
    datadir=Path("/nonexistent"),
    topic_disable_leader=True,
    topic_allow_declare=False,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=4096,
    broker_max_poll_records=settings.poll_records,
    consumer_max_fetch_size=settings.fetch_bytes,
    web_enabled=False,
    worker_redirect_stdouts=False,
)
topic = app.topic(settings.topic, key_type=bytes, value_type=bytes, key_serializer="raw",
                  value_serializer="raw")  # fmt: skip


@app.agent(topic)
async def count(stream: Any) -> None:
    """Count up to TAKE events at a time."""
    async for events in stream.noack_take(TAKE, within=0.2):
        batches: dict[int, list[Record]] = defaultdict(list)
        for event in events:
            message = event.message
            stamp = int(message.timestamp * 1000)
            batches[message.partition].append(
                Record(message.offset, stamp, message.timestamp_type, event.key, event.value)
            )
        for partition, records in batches.items():
            await apply(partition, records)
        for event in events:
            await stream.ack(event)


async def apply(partition: int, records: list[Record]) -> None:
    """Fold and apply one partition's records."""
    if partition not in states:
        states[partition] = await ledger.open(partition, 0)
    state = states[partition]
    view = state.view(partitions)
    now = time.time()
    end = records[-1].offset + 1
    folded = fold(records, {}, view, now)
    result = await ledger.apply(state, folded, end, verified=False)
    if isinstance(result, Known):
        folded = fold(records, result.entries, view, now)
        await ledger.apply(state, folded, end, verified=True)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "warn"]
    app.main()
