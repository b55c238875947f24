from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from streams.kpis.load import parse_kpis
from streams.kpis.sizing import (
    COUNTER_LIMIT,
    FullestCounter,
    RedisCost,
    answers_kept,
    fullest_counter,
    kpi_cost,
    redis_cost,
    segments,
)
from streams.ledger.cells import CellFields
from streams.ledger.keys import Bucket, PartitionKeys
from tests.kpi_texts import kpi_text

if TYPE_CHECKING:
    from agents.embedded.redis import RedisServer
    from streams.ledger.layout import Layout

EVERYTHING = kpi_text(
    kpi="breakdowns: [[product, channel], [region]]\nfloor: 50\nbenchmarks: {industry: 78}\n"
    "alert: {segments: [[product]]}"
)


def layout(**sections: str) -> Layout:
    """The layout of a file with these sections."""
    return parse_kpis(kpi_text(**sections)).layout


def test_segments_of_a_breakdown() -> None:
    """Each dimension has its named values, `other` and `unknown`; the whole is one."""
    shown = {"product": 50, "channel": 8}
    assert [segments(b, shown) for b in ((), ("product",), ("product", "channel"))] == [1, 52, 520]


def test_series_of_a_kpi_without_splits() -> None:
    """Ten series in each of four windows (score, bounds, answers, states), two outcomes, three."""
    file = parse_kpis(kpi_text())
    assert kpi_cost(file.kpis["csat"], file) == (1, 4 * 10 + 2 + 3)


def test_series_of_a_kpi_with_everything() -> None:
    """52 x 22 and 22 segments, the whole, and 52 that only alert; a benchmark; 53 alerts.

    Of each of two breakdowns ten segments may be named as drivers, beside mix and the rest.
    """
    file = parse_kpis(EVERYTHING)
    split = 52 * 22 + 22 + 1 + 52
    series = split * (4 * 10 + 2) + 3 + 1 + 53 * 4 + 2 * 12
    assert kpi_cost(file.kpis["csat"], file) == (split, series)


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("{consistency: {of: csat, by: channel}}", 1),
        ("{gap: {delivered: kept, perceived: csat}}", 4),
        ("{composite: {parts: {csat: 0.5, kept: 0.5}}}", 2),
    ],
)
def test_what_some_formulas_tell_beside_the_score(formula: str, more: int) -> None:
    """A series in each window: how probable by chance, what a gap says, the weight of each part."""
    kept = "  kept: {title: T, formula: {share: {measure: sla_met}}, target: 9, owner: us}"
    own = f"  own: {{title: T, formula: {formula}, target: 9, owner: us}}"
    file = parse_kpis("\n".join([kpi_text(kpi="floor: 75").rstrip(), kept, own]))
    assert kpi_cost(file.kpis["own"], file) == (1, 4 * (10 + more) + 3)


@pytest.mark.parametrize(
    ("formula", "outcomes"),
    [
        ("{net: {measure: nps}}", 3),
        ("{sentiment: net}", 3),
        ("{mean: {measure: nps}}", 11),
        ("{share: {measure: sla_met}}", 2),
    ],
)
def test_outcomes_of_a_formula(formula: str, outcomes: int) -> None:
    """Answers are shown by what the formula makes of them, in one window."""
    file = parse_kpis(kpi_text(formula=formula, target="0"))
    assert kpi_cost(file.kpis["csat"], file).series == 4 * 10 + 3 + outcomes


@given(st.integers(1, 10**8), st.integers(1, 64))
def test_redis_grows_with_answers(answers: int, partitions: int) -> None:
    """More answers never cost less."""
    found = layout(kpi="breakdowns: [[product]]")
    cost = redis_cost(found, answers, partitions)
    assert cost.total <= redis_cost(found, 2 * answers, partitions).total


def test_full_buckets_cost_every_cell() -> None:
    """With answers enough each bucket of each partition holds each value's cell, once."""
    found = layout(
        formula="{sentiment: net}",
        target="0",
        top="windows: [1h]\nretention: {5m: 6h}\ndedupe: off",
    )
    fields = {"csat@1..5": 5, "nps@0..10": 11, "sla_met@flag": 2, "sentiment@vader3": 3 + 2}
    bucket = 260 + sum(cells * (len(field) + 4 + 12) for field, cells in fields.items())
    buckets = (6 + 2) * 12
    assert redis_cost(found, 10**9, 3).cells == 3 * buckets * bucket


def test_ids_cost_as_long_as_they_are_kept() -> None:
    """122 bytes an id for each day of the horizon; nothing with `dedupe: off`."""
    assert redis_cost(layout(top="dedupe: {horizon: 3d}"), 1_000, 1).ids == 122 * 1_000 * 3
    assert redis_cost(layout(top="dedupe: off"), 1_000, 1).ids == 0
    assert RedisCost(2, 3).total == 5


def test_no_counter_overflows() -> None:
    """A count moves by one an answer, the sum of squares of sentiment by at most 10,000²."""
    assert FullestCounter("csat", 2**63 - 1) == fullest_counter(layout())
    name, answers = fullest_counter(layout(formula="{sentiment: net}"))
    assert name == "sentiment (sum of squares)"
    assert answers * 10_000**2 <= COUNTER_LIMIT < (answers + 1) * 10_000**2


def with_amount(formula: str) -> Layout:
    """The layout of a file with an amount of at most 1,000.00 and one KPI more."""
    text = kpi_text(top="windows: [1h]\nretention: {5m: 6h}\ndedupe: off")
    more = f"  other: {{title: T, owner: o, target: 1, formula: {formula}}}\n"
    amount = "measures:\n  value: {kind: amount, unit: EUR, decimals: 2, max: 1000}"
    return parse_kpis(
        text.replace("measures:", amount).replace("windows", f"{more}windows", 1)
    ).layout


def test_an_amount_rises_by_at_most_its_greatest() -> None:
    """So do both digits of its square, which is why they are counted apart."""
    assert FullestCounter("value (sum)", COUNTER_LIMIT // 100_000) == fullest_counter(
        with_amount("{sum: {measure: value}}")
    )


def test_amounts_and_joints_cost_their_cells() -> None:
    """Four cells of an amount; of a ratio to a flag the sum for yes and for no."""
    alone = redis_cost(with_amount("{sum: {measure: value}}"), 10**9, 1).cells
    joined = redis_cost(with_amount("{ratio: {of: value, to: sla_met}}"), 10**9, 1).cells
    buckets, field = (6 + 2) * 12, len("sla_met@flag*value@0..100000/100EUR")
    assert joined - alone == buckets * 2 * (field + 8 + 12)


def test_answers_kept() -> None:
    """As many as arrive within the longest retention."""
    assert answers_kept(layout(), 1_000) == 62 * 1_000


@pytest.mark.redis
@pytest.mark.parametrize("answers_per_bucket", [4, 60, 400])
def test_cells_cost_what_redis_takes(any_redis: RedisServer, answers_per_bucket: int) -> None:
    """A partition filled as the estimate assumes takes at most that, and not less than half."""
    found = layout(
        kpi="breakdowns: [[product, channel], [region]]",
        top="windows: [1h]\nretention: {5m: 6h}\ndedupe: off",
    )
    with Redis.from_url(any_redis.url) as client:
        _fill(client, found, answers_per_bucket)
        taken = sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter())
    estimated = redis_cost(found, answers_per_bucket * 288, 1).cells
    assert 0.5 * estimated <= taken <= estimated


def _fill(client: Redis, layout: Layout, answers: int) -> None:
    """All buckets of the only tier, 8 h of them (with the grace), full of even random answers."""
    chance = random.Random(1)  # noqa: S311 - a load, no secret
    fields, keys = CellFields(layout), PartitionKeys("feedback.events", 3)
    pipeline = client.pipeline(transaction=False)
    for start in range(0, 8 * 3_600, 300):
        bucket, cells = Bucket(300, 1_790_000_100 + start), Counter[bytes]()
        for _ in range(answers):
            segment = tuple(
                f"{d.name:7}{chance.randrange(d.shown + 2):05}" for d in layout.dimensions
            )
            given_answers = tuple(chance.randint(m.low, m.high) for m in layout.measures)
            for field, amount in fields.increments((segment, given_answers, None)):
                cells[field] += amount
        pipeline.hset(keys.cells(bucket), mapping=dict(cells))  # type: ignore[arg-type]
        pipeline.expire(keys.cells(bucket), 100_000)
        pipeline.zadd(keys.touched, {bucket.member: start})
        pipeline.execute()
