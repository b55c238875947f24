from __future__ import annotations

import pytest

from streams.explanation.explain import explain_row
from streams.explanation.steps import Calculation, Step
from streams.kpis.load import parse_kpis
from streams.scores.file_board import file_board
from tests.streams.explanation.calculator import computed, precision

KPIS = parse_kpis(
    """
measures:
  csat: {kind: rating, scale: [1, 5]}
  kept: {kind: flag}
  sla: {kind: flag}
  order: {kind: amount, unit: EUR, decimals: 2, max: 1000}
dimensions: {channel: {max: 5}}
windows: [24h, 7d]
kpis:
  csat:
    title: CSAT
    formula: {top_box: {measure: csat, at_least: 4}}
    target: 85
    floor: 75
    breakdowns: [[channel]]
    alert: {window: 24h}
    owner: support
  sla: {title: SLA, formula: {share: {measure: sla}}, target: 90, owner: support}
  kept: {title: Kept, formula: {share: {measure: kept}}, target: 80, owner: sales}
  sold: {title: Sold, formula: {sum: {measure: order}}, target: 50, owner: shop}
  spread:
    title: Consistency
    formula: {consistency: {of: csat, by: channel}}
    target: {at_most: 5}
    owner: support
  gap:
    title: Gap
    formula: {gap: {delivered: sla, perceived: csat}}
    target: {at_most: 10}
    owner: support
  value:
    title: Lifetime value
    formula: {product: {revenue: sold, active_customers: 40, retention: kept}}
    target: 100
    owner: sales
"""
)
END = 1_800_000_000
# Shown for the longest window alone.
SUMS = {"sold", "value"}
# Channel; csat, kept, order in cents, sla (by the name of the measure).
ANSWERS = [
    *[("chat", (5, 1, 4_000, 1))] * 50,
    *[("chat", (2, 1, 6_000, 1))] * 10,
    *[("mail", (4, 0, 2_500, 1))] * 30,
    *[("mail", (1, 1, 9_000, 0))] * 30,
    *[("shop", (3, 1, 2_000, 1))] * 9,
]


def steps(kpi: str) -> list[Step]:
    """Of all answers of a day."""
    answers = [(END, ((channel,), values, None)) for channel, values in ANSWERS]
    board, report = file_board(KPIS, answers)
    found = explain_row(board, report, KPIS, kpi, "7d" if kpi in SUMS else "24h", {})
    assert found is not None
    return found


def text(found: list[Step]) -> str:
    return "\n".join(
        line.text if isinstance(line, Calculation) else line
        for step in found
        for line in step.lines
    )


@pytest.mark.parametrize("kpi", ["spread", "gap", "value", "csat", "sold"])
def test_every_line_adds_up(kpi: str) -> None:
    """Each can be typed and gives its result, and the last ones are those of the row."""
    answers = [(END, ((channel,), values, None)) for channel, values in ANSWERS]
    board, report = file_board(KPIS, answers)
    window = "7d" if kpi in SUMS else "24h"
    (row,) = [
        row for row in board.rows(report) if (row.kpi, row.window, row.segment) == (kpi, window, ())
    ]
    lines = [line for step in steps(kpi) for line in step.lines if isinstance(line, Calculation)]
    for line in lines:
        off = precision(line.expression)
        assert line.result == pytest.approx(computed(line.expression), rel=1e-4, abs=off), line
    shown = {line.name: line.result for line in lines}
    assert (row.lower, row.upper) == pytest.approx((shown["lower"], shown["upper"]))


def test_consistency_names_who_is_compared() -> None:
    """The shop, with nine answers, is not."""
    found = text(steps("spread"))
    assert "chat: 83.3333" in found
    assert "mail: 50" in found
    assert "shop" not in found
    assert "score = 83.3333 − 50 = 33.3333" in found
    assert "Surely, chat lies above mail by at least:" in found


def test_gap_says_what_both_are() -> None:
    """In percent, and where to read on."""
    found = text(steps("gap"))
    assert "sla, 129 answers; --explain sla says how it came about:" in found
    assert "sla and csat together say: seen" in found


def test_lifetime_value_stretches_to_a_year() -> None:
    """Of a week of revenue, over 40 customers who stay as retention says."""
    found = text(steps("value"))
    assert "÷ 7 × 365 ÷ 40" in found
    assert "years = 1 ÷ (1 − 76.7442 ÷ 100) = 4.3" in found


def test_nothing_is_explained_of_nothing() -> None:
    """Without answers there is a state, and no score."""
    board, report = file_board(KPIS, [])
    for kpi in KPIS.kpis:
        found = explain_row(board, report, KPIS, kpi, "7d", {})
        assert found is not None
        assert not [line for line in text(found).splitlines() if line.startswith("score =")]


def test_an_unknown_row_is_none() -> None:
    """A segment that nobody ever named."""
    board, report = file_board(KPIS, [])
    assert None is explain_row(board, report, KPIS, "csat", "24h", {"channel": "chat"})
