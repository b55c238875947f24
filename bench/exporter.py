"""How long the exporter takes: to read everything, to refresh under traffic, and to be scraped.

    python bench/exporter.py                                   # 10,000 series; exit 1 over the bars
    python bench/exporter.py --products 500 --channels 20 --kpis 1 --windows 24h

Starts a Redis of its own and writes history and traffic as the ledger would (cells, touched set,
position at one moment). Redis, the traffic and the scraping share the machine, so the bars are
judged by the exporter's time on its core; the scraping client's is in it.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import redis
from prometheus_client import CollectorRegistry

from agents.embedded.redis import RedisServer
from agents.exporter.exporter import Exporter
from agents.exporter.metrics_server import serve
from streams.kpis.load import parse_kpis
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket, PartitionKeys, topic_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.kpis.file import KpiFile

TOPIC = "bench"
REFRESH_BAR_SECONDS = 1.0
SCRAPE_BAR_SECONDS = 0.5
BARS_HOLD_UP_TO_SERIES = 12_000
SPLIT = ("product", "channel")


def kpi_file(kpis: int, windows: str, products: int, channels: int) -> KpiFile:
    """CSAT and its kin: each has a measure of its own, three breakdowns, and alerts."""
    names = windows.split(",")
    window = "24h" if "24h" in names else names[0]
    measures = "".join(f"  m{n}: {{kind: rating, scale: [1, 5]}}\n" for n in range(kpis))
    blocks = "".join(
        f"""
  k{n}:
    title: Score {n}
    formula: {{top_box: {{measure: m{n}, at_least: 4}}}}
    target: 85
    floor: 75
    breakdowns: [[product], [channel], [product, channel]]
    alert: {{window: {window}, segments: [[product]]}}
    owner: bench"""
        for n in range(kpis)
    )
    return parse_kpis(
        f"measures:\n{measures}dimensions: {{product: {{max: {products}}}, "
        f"channel: {{max: {channels}}}}}\nwindows: [{windows}]\nkpis:{blocks}\n"
    )


class Traffic:
    """Answers of all partitions, written as the ledger writes them."""

    def __init__(self, client: redis.Redis, kpis: KpiFile, arguments: argparse.Namespace) -> None:
        self.client = client
        self.layout = kpis.layout
        self.arguments = arguments
        self.random = random.Random(7)
        self.position = 0
        self.fields = [
            encode_cell(Cell(SPLIT, (f"product-{p}", f"channel-{c}"), measure.cell_id, value))
            for measure in self.layout.measures
            for p in range(arguments.products)
            for c in range(arguments.channels)
            for value in "1445555"
        ]

    def write_history(self, now: int) -> int:
        """Fill every tier up to `now`; gives the number of cells."""
        written = 0
        for partition in range(self.arguments.partitions):
            keys = PartitionKeys(TOPIC, partition)
            for tier in self.layout.tiers:
                age = min(tier.retention_seconds, self.arguments.days * 86_400)
                first = (now - age) // tier.seconds * tier.seconds
                per_bucket = self.arguments.per_second * tier.seconds / self.arguments.partitions
                pipeline = self.client.pipeline(transaction=False)
                for start in range(first, now, tier.seconds):
                    cells = self._cells(max(round(per_bucket), 1))
                    written += len(cells)
                    bucket = Bucket(tier.seconds, start)
                    pipeline.hset(keys.cells(bucket), mapping=cells)
                    pipeline.zadd(keys.touched, {bucket.member: 1})
                    if len(pipeline) >= 500:
                        pipeline.execute()
                pipeline.execute()
        self.position = 1
        return written

    def write_now(self, seconds: float) -> None:
        """Count so many seconds' answers now, in every tier and partition."""
        now = int(self.client.time()[0])
        self.position += 1
        answers = round(self.arguments.per_second * seconds / self.arguments.partitions)
        for partition in range(self.arguments.partitions):
            keys = PartitionKeys(TOPIC, partition)
            cells = self._cells(max(answers, 1))
            pipeline = self.client.pipeline(transaction=True)
            for tier in self.layout.tiers:
                bucket = Bucket(tier.seconds, now // tier.seconds * tier.seconds)
                for field, count in cells.items():
                    pipeline.hincrby(keys.cells(bucket), field, count)
                pipeline.zadd(keys.touched, {bucket.member: self.position})
            self._beat(pipeline, keys, now)
            pipeline.execute()
        self.client.hset(topic_key(TOPIC), "partitions", str(self.arguments.partitions))

    def _beat(self, pipeline: redis.client.Pipeline, keys: PartitionKeys, now: int) -> None:
        ledger: dict[Any, Any] = {"position": self.position, "epoch": "e", "complete_from": "0"}
        pipeline.hset(keys.ledger, mapping=ledger | {"layout": self.layout.token})
        health: dict[Any, Any] = {"log_end": self.position, "position": self.position, "time": now}
        pipeline.hset(keys.health, mapping=health | {"last_record_time": now})

    def _cells(self, answers: int) -> dict[Any, Any]:
        counts: dict[Any, Any] = {}
        for field in self.random.choices(self.fields, k=answers):
            counts[field] = counts.get(field, 0) + 1
        return counts


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of this process's processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def scraped(url: str) -> bytes:
    """One scrape as Prometheus makes it."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - ours
    with urllib.request.urlopen(request) as response:  # noqa: S310 - ours
        return bytes(response.read())


def measured(arguments: argparse.Namespace, client: redis.Redis) -> Iterator[str]:
    """Lines of results; the last is the verdict."""
    kpis = kpi_file(arguments.kpis, arguments.windows, arguments.products, arguments.channels)
    traffic = Traffic(client, kpis, arguments)
    cells = traffic.write_history(int(client.time()[0]))
    traffic.write_now(1)
    exporter = Exporter(kpis, client, TOPIC)
    wall, processor = timed(exporter.refresh)
    yield f"first read      {wall:6.2f} s  ({processor:.2f} s processor)  {cells:,} cells in Redis"
    refreshes = []
    for _ in range(arguments.rounds):
        traffic.write_now(2)
        refreshes.append(timed(exporter.refresh))
    registry = CollectorRegistry()
    registry.register(exporter)
    server = serve("127.0.0.1", 0, registry, lambda: None)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    body = scraped(url)
    scrapes = [timed(lambda: scraped(url)) for _ in range(arguments.rounds)]
    server.shutdown()
    samples = [line for line in body.splitlines() if not line.startswith(b"#")]
    rows = next(line for line in samples if line.startswith(b"feedback_rows "))
    yield f"series          {len(samples):,}  rows {float(rows.split()[1]):,.0f}"
    yield f"refresh         {_spread(refreshes)}"
    yield f"scrape          {_spread(scrapes)}  {len(body):,} bytes"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield f"memory          {peak:,.0f} MiB at most, the generator of the traffic included"
    refresh, scrape = _processor(refreshes), _processor(scrapes)
    held = refresh <= REFRESH_BAR_SECONDS and scrape <= SCRAPE_BAR_SECONDS
    bars = f"refresh ≤ {REFRESH_BAR_SECONDS} s, scrape ≤ {SCRAPE_BAR_SECONDS} s on one core"
    if len(samples) > BARS_HOLD_UP_TO_SERIES:
        yield f"bars            {bars}: they are for 10,000 series, these are more"
    else:
        yield f"bars            {bars}: {'held' if held else 'MISSED'}"


def _spread(times: list[tuple[float, float]]) -> str:
    walls = sorted(wall for wall, _ in times)
    median, worst = walls[len(walls) // 2], walls[-1]
    return f"{median:6.3f} s median, {worst:.3f} s worst  ({_processor(times):.3f} s processor)"


def _processor(times: list[tuple[float, float]]) -> float:
    """The worst processor time: what the clock would show on a core that nothing else uses."""
    return max(processor for _, processor in times)


def main() -> int:
    """Print the measurements; 1 where a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--kpis", type=int, default=2)
    parser.add_argument("--windows", default="1h,24h,7d,30d")
    parser.add_argument("--products", type=int, default=19)
    parser.add_argument("--channels", type=int, default=5)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--per-second", type=float, default=5, help="answers a second")
    parser.add_argument("--days", type=int, default=3, help="of history")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    lines = []
    with RedisServer() as server, redis.from_url(server.url) as client:
        for line in measured(arguments, client):
            lines.append(line)
            print(line, flush=True)
    return int(lines[-1].endswith("MISSED"))


if __name__ == "__main__":
    sys.exit(main())
