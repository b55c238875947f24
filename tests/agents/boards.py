"""Views for tests of the board, made without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from agents.board.board import Pipeline, View
from streams.kpis.load import parse_kpis
from streams.scores.rows import AlertView, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_800_000_000.0

KPIS = parse_kpis(
    """
measures: {csat: {kind: rating, scale: [1, 5]}, nps: {kind: rating, scale: [0, 10]}}
dimensions: {product: {max: 5}, channel: {max: 5}}
windows: [1h, 24h]
kpis:
  csat:
    title: Customer satisfaction
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    breakdowns: [[product, channel]]
    alert: {window: 24h, severity: page, segments: [[product, channel]]}
    owner: support
  nps:
    title: Net promoter score
    formula: {net: {measure: nps}}
    target: 40
    owner: product
"""
)

HEALTHY = Pipeline(
    topic="feedback.events",
    partitions=4,
    lag_events=7,
    lag_seconds=0.4,
    read=20_000,
    outcomes={"applied": 19_960, "refused": 40},
    oldest_report_seconds=1.2,
    memory_bytes=3 * 2**20,
    memory_limit_bytes=2**30,
    problem=None,
    stale={},
)


def row(kpi: str = "csat", window: str = "24h", product: str = "", **fields: Any) -> Row:
    """A row of the whole, or of a product in the channel chat; `fields` replace what it says."""
    segment = (("product", product), ("channel", "chat")) if product else ()
    declared = KPIS.kpis[kpi]
    usual = Row(
        kpi=kpi,
        window=window,
        breakdown="product,channel" if product else "all",
        segment=segment,
        answers=1234,
        score=86.1,
        lower=83.0,
        upper=88.9,
        state="ok",
        reason=None,
        target=declared.target.score,
        floor=declared.floor,
        benchmarks={},
        outcomes={},
        alert=None,
    )
    return msgspec.structs.replace(usual, **fields)


def raised(since: float = NOW - 90) -> AlertView:
    """A raised page."""
    return AlertView("floor", "page", raised=True, evidence=4.12, limit=3.3, since=since)


def view(rows: Sequence[Row], pipeline: Pipeline = HEALTHY) -> View:
    """A view of these rows."""
    return View(NOW, KPIS, list(rows), pipeline)
