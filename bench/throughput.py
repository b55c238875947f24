"""Events a second, on real Kafka and real Redis: the worker, plain Faust, and the floor.

    .venv/bin/python bench/throughput.py [--events 1000000] [--segments 32]

Everything runs on this machine and shares its cores: broker, Redis and workers. The topic holds
events in order of time, about 200 bytes each with ids of 20 bytes. A run's rate is taken from
Redis alone: from the first moment the ledgers have moved to the moment they are at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer
from redis import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.embedded.process import ChildProcess
from agents.embedded.redis import RedisServer
from tests.servers import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 8
TOPIC = "bench"
HERE = Path(__file__).resolve().parent
SPREAD_SECONDS = 600


class Run(NamedTuple):
    """What one run showed."""

    name: str
    rate: float
    start_seconds: float
    rss_growth: float
    redis_bytes: int


def events(number: int, segments: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, in order of time over the last ten minutes."""
    rnd = random.Random(1)
    first = time.time() - SPREAD_SECONDS
    for i in range(number):
        event_id = f"r-{rnd.getrandbits(72):018x}"
        at = datetime.fromtimestamp(first + SPREAD_SECONDS * i / number, UTC)
        event = {
            "event_id": event_id,
            "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "measures": {"csat": rnd.choices((1, 2, 3, 4, 5), (6, 4, 5, 17, 68))[0]},
            "dimensions": {"product": f"product-{rnd.randrange(segments)}"},
            "customer": f"c-{rnd.randrange(10**6)}",
            "language": "en",
        }
        yield event_id.encode(), json.dumps(event).encode()


def fill(bootstrap: str, number: int, segments: int) -> None:
    """Publish the events."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 500_000,
        }
    )
    for key, value in events(number, segments):
        while True:
            try:
                producer.produce(TOPIC, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def positions(redis: Redis) -> int:
    """How many offsets all ledgers together have passed."""
    pipe = redis.pipeline(transaction=False)
    for partition in range(PARTITIONS):
        pipe.hget(f"{{fb:{TOPIC}:{partition}}}:ledger", "position")
    return sum(int(value or 0) for value in pipe.execute())


def rss_bytes(processes: list[ChildProcess]) -> int:
    """Resident memory of the processes."""
    pages = 0
    for process in processes:
        pages += int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(name: str, commands: list[list[str]], env: dict[str, str], number: int) -> Run:
    """Time the commands together, in an empty Redis."""
    with RedisServer() as server, tempfile.TemporaryDirectory() as directory:
        redis = Redis.from_url(server.url)
        environment = {**env, "FEEDBACK_REDIS_URL": server.url, "FEEDBACK_GROUP": name}
        processes = [
            ChildProcess(name, Path(directory) / f"{place}.log") for place in range(len(commands))
        ]
        started = time.monotonic()
        for place, (process, command) in enumerate(zip(processes, commands, strict=True)):
            process.spawn(
                command, environment={**environment, "FEEDBACK_WEB_PORT": str(17_000 + place)}
            )
        try:
            return _watch(name, redis, processes, started, number)
        finally:
            for process in processes:
                process.kill()


def _watch(
    name: str, redis: Redis, processes: list[ChildProcess], started: float, number: int
) -> Run:
    first: tuple[float, int] | None = None
    early_rss = 0
    while True:
        done, now = positions(redis), time.monotonic()
        if not all(process.alive() for process in processes):
            raise SystemExit(f"{name} has ended:\n{processes[0].output()[-2000:]}")
        if done and first is None:
            first = (now, done)
        if first and not early_rss and done > number * 0.2:
            early_rss = rss_bytes(processes)
        if first and done >= number:
            rate = (done - first[1]) / (now - first[0])
            growth = rss_bytes(processes) / early_rss - 1 if early_rss else float("nan")
            memory = int(redis.info("memory")["used_memory"])
            return Run(name, rate, first[0] - started, growth, memory)
        time.sleep(0.01)


def main() -> None:
    """Run everything once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--segments", type=int, default=32)
    parser.add_argument("--plain-events", type=int, default=100_000, help="for plain Faust")
    parser.add_argument("--only", default="", help="names of runs, separated by commas")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(KafkaBroker())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        without_ids = directory / "without-ids.yaml"
        text = (HERE / "kpis.yaml").read_text(encoding="utf-8")
        without_ids.write_text(text + "dedupe: off\n", encoding="utf-8")
        broker.create_topic(TOPIC, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
        print(f"publishing {options.events:,} events", file=sys.stderr)
        fill(broker.bootstrap, options.events, options.segments)
        env = {
            "FEEDBACK_KAFKA_BROKERS": broker.bootstrap,
            "FEEDBACK_TOPIC": TOPIC,
            "FEEDBACK_KPI_FILE": str(HERE / "kpis.yaml"),
            "FEEDBACK_LOG_LEVEL": "warning",
            "BENCH_PARTITIONS": str(PARTITIONS),
        }
        off = {**env, "FEEDBACK_KPI_FILE": str(without_ids)}
        worker = [sys.executable, "-m", "agents.cli", "worker"]
        plain = [sys.executable, str(HERE / "plain_faust.py")]
        floor = [sys.executable, str(HERE / "floor.py")]
        number = options.events
        plans = {
            "floor": ([floor], env, number),
            "plain-faust": ([plain], env, min(options.plain_events, number)),
            "worker": ([worker], env, number),
            "worker-no-ids": ([worker], off, number),
            "two-workers": ([worker, worker], env, number),
        }
        wanted = options.only.split(",") if options.only else list(plans)
        runs = {name: measure(name, *plans[name]) for name in wanted}
    base = runs.get("plain-faust")
    print("| run | events/s | against plain Faust | start to first, s | RSS growth | Redis MB |")
    print("|---|---|---|---|---|---|")
    for run in runs.values():
        ratio = f"{run.rate / base.rate:.1f}" if base else "-"
        print(
            f"| {run.name} | {run.rate:,.0f} | {ratio} | {run.start_seconds:.1f} | "
            f"{run.rss_growth:+.1%} | {run.redis_bytes / 1e6:,.0f} |"
        )


if __name__ == "__main__":
    main()
