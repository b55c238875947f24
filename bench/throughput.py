"""Events a second, on real Kafka and real Redis: the worker, plain Faust, and the floor.

    .venv/bin/python bench/throughput.py [--events 1000000] [--segments 32]

Everything runs on this machine and shares its cores: broker, Redis and workers. The topic holds
events in order of time, about 200 bytes each with ids of 20 bytes. A run's rate is taken from
Redis alone: from the moment at which every process counts, to the moment when a tenth of the log
is left, since with two workers one of them comes to its end before the other. Processor time of
workers, Redis and broker is of the same span.
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
from urllib.request import urlopen

from confluent_kafka import Producer
from redis import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.demo.sample import read_sample
from agents.embedded.process import ChildProcess
from agents.embedded.redis import RedisServer
from tests.servers import KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PARTITIONS = 8
TOPIC = "bench"
HERE = Path(__file__).resolve().parent
SPREAD_SECONDS = 600
FIRST_PORT = 17_000
SENTIMENT = """kpis:
  sentiment:
    title: Sentiment
    formula: {sentiment: net}
    target: 20
    owner: bench
    breakdowns: [[product]]
"""


class Usage(NamedTuple):
    """Processor seconds so far."""

    workers: float
    redis: float
    broker: float

    def since(self, earlier: Usage, events: int) -> Usage:
        """Microseconds an event, for so many events since `earlier`."""
        return Usage(
            *((now - then) / events * 1e6 for now, then in zip(self, earlier, strict=True))
        )


class Run(NamedTuple):
    """What one run showed; `usage` is in microseconds an event."""

    name: str
    rate: float
    start_seconds: float
    rss_growth: float
    redis_bytes: int
    usage: Usage


def events(
    number: int, segments: int, comments: Sequence[str] = ()
) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, in order of time over the last ten minutes; one of `comments` with each."""
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
        if comments:
            event["comment"] = comments[i % len(comments)] + f" {i}"  # no two are the same
        yield event_id.encode(), json.dumps(event).encode()


def fill(bootstrap: str, produced: Iterator[tuple[bytes, bytes]]) -> None:
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
    for key, value in produced:
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


def processor_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    name: str, commands: list[list[str]], env: dict[str, str], number: int, broker: KafkaBroker
) -> Run:
    """Time the commands together, in an empty Redis."""
    with RedisServer() as server, tempfile.TemporaryDirectory() as directory:
        redis = Redis.from_url(server.url)
        environment = {**env, "FEEDBACK_REDIS_URL": server.url, "FEEDBACK_GROUP": name}
        processes = [
            ChildProcess(name, Path(directory) / f"{place}.log") for place in range(len(commands))
        ]
        for place, (process, command) in enumerate(zip(processes, commands, strict=True)):
            process.spawn(
                command, environment={**environment, "FEEDBACK_WEB_PORT": str(FIRST_PORT + place)}
            )
        try:
            servers = (server.process, broker.process)
            return _watch(name, redis, processes, servers, number)
        finally:
            for process in processes:
                process.kill()


def _watch(
    name: str,
    redis: Redis,
    processes: list[ChildProcess],
    servers: tuple[ChildProcess, ChildProcess],
    number: int,
) -> Run:
    """Time from the moment when all processes count until the ledgers are at the end."""
    started = time.monotonic()

    def passed(offsets: int) -> int:
        while (done := positions(redis)) < offsets:
            if not all(process.alive() for process in processes):
                raise SystemExit(f"{name} has ended:\n{processes[0].output()[-2000:]}")
            time.sleep(0.01)
        return done

    first = passed(1)
    start_seconds = time.monotonic() - started
    if len(processes) > 1:
        while not all(map(counts, range(len(processes)))):
            passed(0)
        first = passed(0)
    begun, before = time.monotonic(), usage(processes, *servers)
    passed(number // 5)
    early_rss = rss_bytes(processes)
    done = passed(number * 9 // 10)
    return Run(
        name,
        (done - first) / (time.monotonic() - begun),
        start_seconds,
        rss_bytes(processes) / early_rss - 1,
        int(redis.info("memory")["used_memory"]),
        usage(processes, *servers).since(before, done - first),
    )


def counts(place: int) -> bool:
    """Whether the worker at this place has counted anything."""
    try:
        with urlopen(f"http://127.0.0.1:{FIRST_PORT + place}/metrics", timeout=1) as page:
            return b'feedback_events_total{outcome="applied"}' in page.read()
    except OSError:
        return False


def usage(workers: list[ChildProcess], redis: ChildProcess, broker: ChildProcess) -> Usage:
    """Processor time so far."""
    seconds = processor_seconds
    return Usage(sum(seconds(w.pid) for w in workers), seconds(redis.pid), seconds(broker.pid))


def main() -> None:
    """Run everything once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--segments", type=int, default=32)
    parser.add_argument("--plain-events", type=int, default=100_000, help="for plain Faust")
    parser.add_argument("--comments", action="store_true", help="with the shipped sample's")
    parser.add_argument("--only", default="", help="names of runs, separated by commas")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(KafkaBroker())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kpis = directory / "kpis.yaml"
        without_ids = directory / "without-ids.yaml"
        text = (HERE / "kpis.yaml").read_text(encoding="utf-8")
        comments = [r.comment for r in read_sample() if r.comment] if options.comments else []
        if comments:
            text = text.replace("kpis:", SENTIMENT, 1)
        kpis.write_text(text, encoding="utf-8")
        without_ids.write_text(text + "dedupe: off\n", encoding="utf-8")
        broker.create_topic(TOPIC, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
        print(f"publishing {options.events:,} events", file=sys.stderr)
        fill(broker.bootstrap, events(options.events, options.segments, comments))
        env = {
            "FEEDBACK_KAFKA_BROKERS": broker.bootstrap,
            "FEEDBACK_TOPIC": TOPIC,
            "FEEDBACK_KPI_FILE": str(kpis),
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
        runs = {name: measure(name, *plans[name], broker) for name in wanted}
    base = runs.get("plain-faust")
    print(
        "| run | events/s | against plain Faust | start to first, s | RSS growth | Redis MB "
        "| µs an event: workers | Redis | broker |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for run in runs.values():
        ratio = f"{run.rate / base.rate:.1f}" if base else "-"
        print(
            f"| {run.name} | {run.rate:,.0f} | {ratio} | {run.start_seconds:.1f} | "
            f"{run.rss_growth:+.1%} | {run.redis_bytes / 1e6:,.0f} | "
            f"{run.usage.workers:.1f} | {run.usage.redis:.1f} | {run.usage.broker:.1f} |"
        )


if __name__ == "__main__":
    main()
