from __future__ import annotations

import msgspec
from prometheus_client.core import GaugeMetricFamily

from agents.exporter.families import (
    kpi_families,
    movement_families,
    pipeline_families,
    score_families,
)
from streams.counts.reader import PartitionReport, Report
from streams.kpis.load import parse_kpis
from streams.scores.drivers import Attribution, Part
from streams.scores.moments import Moments
from streams.scores.movements import Movement
from streams.scores.rows import AlertView, Row
from streams.scores.states import PartitionHealth
from tests.kpi_texts import kpi_text

KPIS = parse_kpis(
    """
timezone: Europe/Berlin
measures: {csat: {kind: rating, scale: [1, 5]}}
dimensions: {product: {max: 5}, channel: {max: 5}}
windows: [1h, 24h]
kpis:
  csat:
    title: Satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    benchmarks: {industry: 78, last_year: {score: 81, date: 2026-01-31, source: Our own}}
    review_by: 2027-01-31
    breakdowns: [[product]]
    alert: {window: 24h, severity: page}
    owner: support
  plain: {title: Plain, formula: {mean: {measure: csat}}, target: 4, owner: support}
"""
)

NOW = 1_790_000_000.0
MANY = Moments(100, 8_000, 800_000)

ROW = Row(
    kpi="csat",
    window="24h",
    breakdown="product",
    segment=(("product", "router"),),
    answers=12,
    score=75.0,
    lower=46.5,
    upper=91.25,
    state="watch",
    reason=None,
    target=85,
    floor=75,
    benchmarks={"industry": 78},
    outcomes={"satisfied": 9, "unsatisfied": 3},
    alert=AlertView("floor", "page", raised=True, evidence=4.5, limit=3.3, since=1.0),
)
PLACE = {
    "kpi": "csat",
    "window": "24h",
    "breakdown": "product",
    "product": "router",
    "channel": "",
}

Samples = dict[str, list[tuple[dict[str, str], float]]]


def samples(families: list[GaugeMetricFamily]) -> Samples:
    return {f.name: [(s.labels, s.value) for s in f.samples] for f in families}


def test_row_becomes_the_families_of_its_score() -> None:
    """Each number of a row is a series with the row's place and every declared dimension."""
    states = ("ok", "watch", "breach", "insufficient", "idle", "stale")
    assert {
        "feedback_kpi_score": [(PLACE, 75.0)],
        "feedback_kpi_score_lower": [(PLACE, 46.5)],
        "feedback_kpi_score_upper": [(PLACE, 91.25)],
        "feedback_kpi_answers": [(PLACE, 12)],
        "feedback_kpi_state": [(PLACE | {"state": s}, float(s == "watch")) for s in states],
        "feedback_kpi_alert": [(PLACE | {"rule": "floor", "severity": "page"}, 1.0)],
        "feedback_kpi_alert_evidence": [(PLACE | {"rule": "floor"}, 4.5)],
        "feedback_kpi_alert_limit": [(PLACE | {"rule": "floor"}, 3.3)],
        "feedback_answers": [
            (PLACE | {"outcome": "satisfied"}, 9),
            (PLACE | {"outcome": "unsatisfied"}, 3),
        ],
        "feedback_kpi_part_weight": [],
        "feedback_kpi_chance_probability": [],
        "feedback_kpi_gap_state": [],
    } == samples(score_families([ROW], KPIS))


def test_parts_of_a_composite_are_shown_with_their_weights() -> None:
    """One series a part, 0 for one that is missing."""
    row = msgspec.structs.replace(ROW, parts={"service": 1.0, "product": 0.0})
    assert [(PLACE | {"part": "service"}, 1.0), (PLACE | {"part": "product"}, 0.0)] == samples(
        score_families([row], KPIS)
    )["feedback_kpi_part_weight"]


def test_what_consistencies_and_gaps_say_is_shown() -> None:
    """How probable a spread is by chance; and one of four things that a gap may say."""
    row = msgspec.structs.replace(ROW, chance=0.25, gap="watermelon")
    found = samples(score_families([row], KPIS))
    assert [(PLACE, 0.25)] == found["feedback_kpi_chance_probability"]
    assert [
        (PLACE | {"state": said}, float(said == "watermelon"))
        for said in ("unknown", "watermelon", "seen", "aligned")
    ] == found["feedback_kpi_gap_state"]


def test_no_answers_give_no_score() -> None:
    """Without answers there are the count 0 and the state, and no score that could be 0."""
    idle = msgspec.structs.replace(ROW, answers=0, score=None, lower=None, upper=None, state="idle")
    found = samples(score_families([idle], KPIS))
    empty = [f"feedback_kpi_score{suffix}" for suffix in ("", "_lower", "_upper")]
    assert [[], [], []] == [found[name] for name in empty]
    assert [(PLACE, 0)] == found["feedback_kpi_answers"]
    assert 1.0 == {labels["state"]: v for labels, v in found["feedback_kpi_state"]}["idle"]


def test_drivers_are_those_named_the_rest_and_mix() -> None:
    """The series of a breakdown sum to the change; a segment that is not named is in the rest."""
    router, phone = Part(("router",), MANY, MANY, -5.0, 0.5), Part(("phone",), MANY, MANY, -0.5, 0)
    found = Attribution(85.0, 80.0, (router, phone), (router,))
    baselines = {((), ()): 85.0, (("product",), ("router",)): 80.0}
    movement = Movement("csat", "24h", 80.0, baselines, {("product",): found})
    all_of = PLACE | {"breakdown": "all", "product": ""}
    split = PLACE | {"product": ""}
    assert {
        "feedback_kpi_baseline_score": [(all_of, 85.0), (PLACE, 80.0)],
        "feedback_kpi_driver_points": [
            (split | {"part": "mix"}, 0.5),
            (split | {"part": "rate"}, -0.5),
            (PLACE | {"part": "rate"}, -5.0),
        ],
    } == samples(movement_families([movement], KPIS))


def test_outcomes_are_shown_of_one_window() -> None:
    """Outcomes come in the alert's window, without an alert in the longest, and in no other."""
    rows = [
        msgspec.structs.replace(ROW, kpi=kpi, window=window, outcomes={"x": 1})
        for kpi in ("csat", "plain")
        for window in ("1h", "24h")
    ]
    found = samples(score_families(rows, KPIS))["feedback_answers"]
    expected = [("csat", "24h"), ("plain", "24h")]
    assert expected == [(labels["kpi"], labels["window"]) for labels, _ in found]


def test_kpi_file_is_told() -> None:
    """Target, floor, benchmarks and review where there are any; what a KPI is called, and whose."""
    changed = KPIS.definition_hash(KPIS.kpis["csat"])
    info = {"title": "Satisfaction", "owner": "support", "hash": changed}
    found = samples(kpi_families(KPIS, NOW))
    assert ({"kpi": "csat"} | info, 1) == found["feedback_kpi_info"][0]
    assert [({"kpi": "csat"}, 85), ({"kpi": "plain"}, 4)] == found["feedback_kpi_target"]
    assert [({"kpi": "csat"}, 75)] == found["feedback_kpi_floor"]
    industry = {"kpi": "csat", "benchmark": "industry"}
    dated = {"kpi": "csat", "benchmark": "last_year"}
    assert [(industry, 78), (dated, 81)] == found["feedback_kpi_benchmark"]
    assert [(dated, 1_769_814_000)] == found["feedback_kpi_benchmark_timestamp_seconds"]
    assert [({"kpi": "csat"}, 1_801_350_000)] == found["feedback_kpi_review_by_timestamp_seconds"]


def test_target_is_that_of_the_day() -> None:
    """A target with a path is shown as what the path asks for today, at home in the file's zone."""
    text = "{at_least: 85, from: 75, start: 2026-10-01, by: 2026-10-11}"
    kpis = parse_kpis(kpi_text(target=text, top="timezone: Europe/Berlin"))
    late_evening_utc = 1_791_154_800  # 2026-10-04T23:00Z, which is the 5th in Berlin
    assert [({"kpi": "csat"}, 79)] == samples(kpi_families(kpis, late_evening_utc))[
        "feedback_kpi_target"
    ]


def test_ledgers_are_told_by_partition() -> None:
    """Positions, health and outcomes of each partition; unknown completeness counts as now."""
    health = PartitionHealth(
        partition=3,
        log_end=11,
        position=9,
        last_record_time=98.5,
        time=99.5,
        complete_from=None,
    )
    partition = PartitionReport(
        partition=3,
        position=9,
        layout="1:a",
        complete_from=None,
        outcomes={"applied": 8, "refused": 1},
        health=health,
        settled=True,
    )
    report = Report(100.0, 4, (partition,), memory_bytes=7, memory_limit_bytes=0)
    at = {"topic": "t", "partition": "3"}
    assert {
        "feedback_ledger_events": [
            (at | {"outcome": "applied"}, 8),
            (at | {"outcome": "refused"}, 1),
        ],
        "feedback_ledger_position": [(at, 9)],
        "feedback_log_end_offset": [(at, 11)],
        "feedback_partition_health_timestamp_seconds": [(at, 99.5)],
        "feedback_last_event_timestamp_seconds": [(at, 98.5)],
        "feedback_complete_from_timestamp_seconds": [(at, 100.0)],
        "feedback_redis_memory_used_bytes": [({}, 7)],
        "feedback_redis_memory_limit_bytes": [({}, 0)],
    } == samples(pipeline_families(report, "t"))
