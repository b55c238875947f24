"""How long an answer takes from a producer to the exporter's page, and a worker from its start.

    .venv/bin/python bench/latency.py [--rate 1000] [--seconds 60]     # exit 1 over the bars

Broker, Redis, worker, exporter and this program share the machine; all settings are the defaults.
Two times are taken for each answer, from the call that hands it to Kafka's client:

- counted: until Redis holds it. The n-th answer is counted when the ledgers, read every 5 ms, have
  passed n records.
- shown: until the exporter's page says so. The n-th answer is shown when `feedback_kpi_answers` of
  the whole, scraped every 50 ms, has risen to n. Prometheus adds its own scrape interval.

They are taken after 20 s of the same traffic: a broker that has just started is slow at first,
until Java has compiled what it does. Before that, the starts are timed: of a worker until it has
counted the first of the answers that wait in the topic, and of an exporter until it shows them.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import threading
import time
import urllib.request
from bisect import bisect_left
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer
from redis import Redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.embedded.ports import HOST, free_port
from agents.embedded.process import wait_until
from agents.embedded.redis import RedisServer
from streams.ledger.keys import PartitionKeys
from tests.servers import FeedbackProcess, KafkaBroker

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
TOPIC = "bench"
PARTITIONS = 8
SEGMENTS = 32
WAITING_ANSWERS = 1_000
WARM_SECONDS = 20.0
BEAT_SECONDS = 0.01
SHOWN_P99_BAR_SECONDS = 3.0
START_BAR_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
ANSWERS = re.compile(
    r'^feedback_kpi_answers\{breakdown="all",kpi="csat",product="",window="1h"\} (\S+)$',
    re.MULTILINE,
)


Latencies = dict[str, list[float]]


class Seen(NamedTuple):
    """At `at` (monotonic seconds) this many answers had arrived."""

    at: float
    answers: int


class Watch(threading.Thread):
    """Reads a number of answers again and again, and keeps when it rose."""

    def __init__(self, read: Callable[[], int], pause_seconds: float) -> None:
        super().__init__(daemon=True)
        self.rises = [Seen(0.0, 0)]
        self._read = read
        self._pause_seconds = pause_seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopped.wait(self._pause_seconds):
            answers = self._read()
            if answers > self.rises[-1].answers:
                self.rises.append(Seen(time.monotonic(), answers))

    def wait_for(self, answers: int, what: str) -> None:
        """Wait until so many have arrived, and end the thread."""
        wait_until(lambda: self.rises[-1].answers >= answers, PATIENCE_SECONDS, what)
        self._stopped.set()
        self.join()

    def latencies(self, published_at: list[float], before: int) -> list[float]:
        """Seconds from publishing to arrival of each answer; `before` came earlier than all."""
        counts = [seen.answers for seen in self.rises]
        return [
            self.rises[bisect_left(counts, before + number)].at - at
            for number, at in enumerate(published_at, 1)
        ]


class Upstream:
    """An app that publishes answers as its customers give them."""

    def __init__(self, bootstrap: str) -> None:
        self.published_at: list[float] = []
        self._random = random.Random(1)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "acks": "all",
                "log_level": 0,
            }
        )

    def publish(self, number: int) -> None:
        """Hand over answers given now."""
        for _ in range(number):
            key, value = self._answer()
            self._producer.produce(TOPIC, value, key)
            self.published_at.append(time.monotonic())
        self._producer.poll(0)

    def publish_steadily(self, rate: int, seconds: float) -> None:
        """Publish `rate` answers a second, a few every 10 ms."""
        begin, already = time.monotonic(), len(self.published_at)
        while (passed := time.monotonic() - begin) < seconds:
            self.publish(int(passed * rate) - len(self.published_at) + already)
            time.sleep(BEAT_SECONDS)

    def flush(self) -> None:
        """Wait for all receipts."""
        if self._producer.flush(PATIENCE_SECONDS):
            raise SystemExit("Kafka did not take all answers")

    def _answer(self) -> tuple[bytes, bytes]:
        key = f"r-{self._random.getrandbits(72):018x}"
        event = {
            "event_id": key,
            "occurred_at": datetime.now(UTC).isoformat(),
            "measures": {"csat": self._random.choices((1, 2, 3, 4, 5), (6, 4, 5, 17, 68))[0]},
            "dimensions": {"product": f"product-{self._random.randrange(SEGMENTS)}"},
        }
        return key.encode(), json.dumps(event).encode()


class Bench:
    """The servers and processes under test, and what they have got so far."""

    def __init__(self, stack: ExitStack) -> None:
        self.broker = stack.enter_context(KafkaBroker())
        self._server = stack.enter_context(RedisServer())
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._redis = Redis.from_url(self._server.url)
        self._page = f"http://{HOST}:{free_port()}/metrics"
        self._stack = stack
        self.broker.create_topic(TOPIC, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})

    def start_worker(self) -> float:
        """Seconds from the worker's start until it has counted something."""
        return self._start("worker", self.counted)

    def start_exporter(self) -> float:
        """Seconds from the exporter's start until it shows something."""
        port = self._page.rpartition(":")[2].partition("/")[0]
        return self._start("exporter", self.shown, f"--port={port}")

    def counted(self) -> int:
        """How many records the ledgers have passed."""
        pipe = self._redis.pipeline(transaction=False)
        for partition in range(PARTITIONS):
            pipe.hget(PartitionKeys(TOPIC, partition).ledger, "position")
        return sum(int(position or 0) for position in pipe.execute())

    def shown(self) -> int:
        """How many answers the exporter shows; 0 while it does not serve."""
        try:
            with urllib.request.urlopen(self._page, timeout=5) as reply:  # noqa: S310 - our own
                found = ANSWERS.search(reply.read().decode())
        except OSError:
            return 0
        return int(float(found[1])) if found else 0

    def _start(self, command: str, arrived: Callable[[], int], *options: str) -> float:
        process = FeedbackProcess(
            command, *options, directory=self._directory, environment=self._environment()
        )
        started = time.monotonic()
        self._stack.enter_context(process)
        process.wait_ready(lambda: arrived() > 0, PATIENCE_SECONDS)
        return time.monotonic() - started

    def _environment(self) -> dict[str, str]:
        return {
            "FEEDBACK_KAFKA_BROKERS": self.broker.bootstrap,
            "FEEDBACK_REDIS_URL": self._server.url,
            "FEEDBACK_TOPIC": TOPIC,
            "FEEDBACK_KPI_FILE": str(HERE / "kpis.yaml"),
            "FEEDBACK_WEB_PORT": str(free_port()),
        }


def measure(bench: Bench, upstream: Upstream, rate: int, seconds: float) -> Latencies:
    """Publish for a while; the latencies by what the answers had arrived at."""
    upstream.publish_steadily(rate, WARM_SECONDS)
    before = len(upstream.published_at)
    watches = {"counted": Watch(bench.counted, 0.005), "shown": Watch(bench.shown, 0.05)}
    for watch in watches.values():
        watch.start()
    upstream.publish_steadily(rate, seconds)
    upstream.flush()
    published_at = upstream.published_at
    for name, watch in watches.items():
        watch.wait_for(len(published_at), f"all answers to be {name}")
    return {name: watch.latencies(published_at[before:], before) for name, watch in watches.items()}


def main() -> None:
    """Run once, print the tables, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=1_000, help="answers a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    options = parser.parse_args()
    with ExitStack() as stack:
        bench = Bench(stack)
        upstream = Upstream(bench.broker.bootstrap)
        upstream.publish(WAITING_ANSWERS)
        upstream.flush()
        starts = {"worker": bench.start_worker(), "exporter": bench.start_exporter()}
        latencies = measure(bench, upstream, options.rate, options.seconds)
    held = report(starts, latencies, options.rate)
    sys.exit(0 if held else 1)


def report(starts: dict[str, float], latencies: Latencies, rate: int) -> bool:
    """Print both tables and whether the bars are held, which is returned."""
    print("| process | start to first answer, s |\n|---|---|")
    for name, seconds in starts.items():
        print(f"| {name} | {seconds:.2f} |")
    print(f"\n| {rate:,} answers/s | answers | p50, s | p99, s | max, s |\n|---|---|---|---|---|")
    p99 = {}
    for name, each in latencies.items():
        p50, p99[name] = (quantiles(each, n=100)[place] for place in (49, 98))
        print(f"| {name} | {len(each):,} | {p50:.2f} | {p99[name]:.2f} | {max(each):.2f} |")
    held = p99["shown"] <= SHOWN_P99_BAR_SECONDS and starts["worker"] <= START_BAR_SECONDS
    print(f"\nshown: p99 ≤ 3 s, worker's start ≤ 5 s: {'held' if held else 'missed'}")
    return held


if __name__ == "__main__":
    main()
