"""The contract between the ledger, which writes, and the scoreboard, which reads."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import redis
from redis.asyncio import Redis

from streams.counts.reader import CountsReader
from streams.kpis.load import parse_kpis
from streams.ledger.fold import Fold
from streams.ledger.keys import topic_key
from streams.ledger.ledger import Applied, Known, Ledger
from streams.scores.score_file import FileScores
from streams.scores.scoreboard import Scoreboard

if TYPE_CHECKING:
    from agents.embedded.redis import RedisServer
    from streams.kpis.file import KpiFile
    from streams.scores.rows import Row

pytestmark = pytest.mark.redis

TOPIC = "answers"
KPIS = """
measures:
  csat: {kind: rating, scale: [1, 5]}
  sla: {kind: flag}
  value: {kind: amount, unit: EUR, decimals: 2, max: 100000}
  refund: {kind: amount, unit: EUR, decimals: 2, max: 100000}
dimensions: {product: {max: 3}, channel: {max: 5}}
windows: [30d]
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 50
    breakdowns: [[product, channel], [product]]
    owner: support
  sla: {title: Promises, formula: {share: {measure: sla}}, target: 90, owner: support}
  sentiment: {title: Sentiment, formula: {sentiment: mean}, target: 0, owner: support}
  words: {title: Words, formula: {sentiment: net}, target: 0, owner: support}
  revenue: {title: Revenue, formula: {sum: {measure: value}}, target: 0, owner: support}
  refunds:
    title: Refunded
    formula: {ratio: {of: refund, to: value, as_percent: true}}
    target: {at_most: 20}
    owner: support
  quality:
    title: Quality
    formula: {composite: {parts: {csat: 0.5, sla: 0.3, words: 0.2}, missing: renormalise}}
    target: 80
    floor: 50
    owner: support
"""


@dataclass
class Record:
    """A record of a topic with LogAppendTime."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None


def traffic(now: float, number: int) -> list[Record]:
    """Answers of the last hours with duplicates, revisions, withdrawals and refusals."""
    choice = random.Random(3)  # noqa: S311 - no secret
    records = []
    for offset in range(number):
        event_id = f"e{choice.randrange(number // 2)}"
        measures: dict[str, float | None] = {
            "csat": choice.choice([1, 4, 5, 5, None, 9]),
            "value": choice.randrange(10_000_000) / 100,
        }
        event = {
            "event_id": event_id,
            "revision": choice.choice([0, 0, 0, 1, 2]),
            "occurred_at": _written(now - choice.random() * 20_000),
            "measures": measures,
            "dimensions": {"product": choice.choice("abcdef"), "channel": choice.choice("xy")},
            "comment": choice.choice([None, "Great, thank you", "Awful"]),
            "withdrawn": choice.random() < 0.05,
        }
        if choice.random() < 0.5:
            measures |= {"sla": choice.random() < 0.8, "refund": choice.choice([0, 99.99])}
        value = json.dumps(event).encode()
        records.append(Record(offset, int(now * 1000), 1, event_id.encode(), value))
    return records


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


async def count(url: str, kpis: KpiFile, records: list[Record], now: float) -> None:
    """As a worker counts them, batch by batch."""
    client = Redis.from_url(url)
    ledger, fold = Ledger(client, TOPIC, kpis.layout), Fold(kpis.layout)
    state = await ledger.open(0)
    for first in range(state.position, len(records), 70):
        batch = records[first : first + 70]
        end = batch[-1].offset + 1
        folded = fold(batch, {}, state.view(1), now)
        result = await ledger.apply(state, folded, end, verified=False)
        if isinstance(result, Known):
            folded = fold(batch, result.entries, state.view(1), now)
            result = await ledger.apply(state, folded, end, verified=True)
        assert isinstance(result, Applied)
    await ledger.heartbeat(state, state.position)
    await client.hset(topic_key(TOPIC), "partitions", "1")
    await client.aclose()


def numbers(rows: list[Row]) -> dict[tuple[str, tuple[tuple[str, str], ...]], tuple[object, ...]]:
    return {
        (r.kpi, r.segment): (r.answers, r.score, r.lower, r.upper, r.outcomes, r.parts)
        for r in rows
        if r.answers
    }


def test_scoreboard_of_a_ledger_equals_the_score_of_its_events(redis_server: RedisServer) -> None:
    """What workers wrote reads as `feedback score` has it, whenever the reader looked before."""
    kpis = parse_kpis(KPIS)
    with redis.from_url(redis_server.url) as client:
        now = float(client.time()[0])
        records = traffic(now, 600)
        board = Scoreboard(kpis)
        reader = CountsReader(client, TOPIC, board.counts)
        for until in (200, 203, 600):
            asyncio.run(count(redis_server.url, kpis, records[:until], now))
            report = reader.refresh()
        rows = board.rows(report)
    expected = FileScores(kpis)
    for record in records:
        expected.take(record.value or b"")
    breakdowns = [("product", "channel"), ("product",)]
    by_csat = [r for r in expected.rows(None, breakdowns) if r.kpi == "csat" or not r.segment]
    assert {"stale"}.isdisjoint(row.state for row in rows)
    assert numbers(by_csat) == numbers(rows)
    ledger = report.partitions[0]
    assert 600 == ledger.position
    assert dict(expected.outcomes) == {name: n for name, n in ledger.outcomes.items() if n}
