"""The floor: aiokafka, msgspec and a dict, with nothing kept anywhere. Run by throughput.py.

It tells how much of the worker's time is Kafka's client and JSON, which no design of ours avoids.
Writes its position to Redis once a second, so that it is timed as the others are.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from agents.settings import load_settings
from streams.events.event import FeedbackEvent, decode_event


async def main() -> None:
    """Read every partition to its end, and count."""
    settings = load_settings()
    redis = Redis.from_url(settings.redis_url)
    partitions = int(os.environ["BENCH_PARTITIONS"])
    assigned = [TopicPartition(settings.topic, p) for p in range(partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=settings.fetch_bytes,
    )
    consumer.assign(assigned)
    await consumer.start()
    counts: Counter[tuple[int, str | None, object]] = Counter()
    while True:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=settings.poll_records)
        for tp, records in fetched.items():
            for record in records:
                event = decode_event(record.value)
                if isinstance(event, FeedbackEvent):
                    second = int(event.occurred_at.timestamp())
                    key = (second // 10, event.dimensions.get("product"), event.measures["csat"])
                    counts[key] += 1
            name = f"{{fb:{settings.topic}:{tp.partition}}}:ledger"
            await redis.hset(name, "position", records[-1].offset + 1)


if __name__ == "__main__":
    asyncio.run(main())
