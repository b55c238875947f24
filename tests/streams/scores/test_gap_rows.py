from __future__ import annotations

import msgspec
import pytest

from streams.kpis.load import parse_kpis
from streams.scores.gap_rows import gap_row
from streams.scores.rows import AlertView, Row
from streams.scores.scores import Score
from streams.scores.states import State
from streams.statistics.intervals import wilson

KPIS = parse_kpis(
    """
measures: {csat: {kind: rating, scale: [1, 5]}, sla_met: {kind: flag}}
dimensions: {product: {}, channel: {}}
windows: [24h, 7d]
kpis:
  sla:
    title: Promises kept
    formula: {share: {measure: sla_met}}
    target: {at_least: 95, from: 90, start: 2026-01-01, by: 2026-12-31}
    breakdowns: [[product], [channel]]
    owner: us
  csat:
    title: Satisfaction
    formula: {mean: {measure: csat}}
    target: 4.5
    floor: 4
    breakdowns: [[product], [channel]]
    alert: {window: 24h, segments: [[product]]}
    owner: us
  gap:
    title: Perception gap
    formula: {gap: {delivered: sla, perceived: csat}}
    target: {at_most: 10}
    floor: 25
    breakdowns: [[product], [channel]]
    benchmarks: {last_year: 20}
    alert: {window: 24h, severity: page, segments: [[product]]}
    owner: us
"""
)
GAP, SLA, CSAT = KPIS.kpis["gap"], KPIS.kpis["sla"], KPIS.kpis["csat"]
WHOLE: tuple[tuple[str, str], ...] = ()
ROUTER = (("product", "router"),)
CHAT = (("channel", "chat"),)


def row(kpi: str, found: Score, segment: tuple[tuple[str, str], ...] = WHOLE) -> Row:
    """A row as a scoreboard makes it; on its way the promise is 92."""
    return Row(
        kpi=kpi,
        window="24h",
        breakdown=",".join(name for name, _ in segment) or "all",
        segment=segment,
        answers=found.answers,
        score=found.value,
        lower=found.lower,
        upper=found.upper,
        state="ok",
        reason=None,
        target=92,
        floor=None,
        benchmarks={},
        outcomes={},
        alert=None,
    )


def kept(yes: int, answers: int) -> Row:
    lower, upper = wilson(yes, answers)
    return row("sla", Score(answers, 100 * yes / answers, 100 * lower, 100 * upper))


GREEN, RED = kept(940, 1000), row("csat", Score(1000, 3.5, 3.4, 3.6))
RAISED = AlertView("floor", "ticket", raised=True, evidence=5.5, limit=3.3, since=7.0)


def found(delivered: Row, perceived: Row | None) -> Row:
    return gap_row(GAP, (SLA, delivered), (CSAT, perceived), target=12)


def test_points_are_of_percents() -> None:
    """94 % kept, and 3.5 on the scale of 1 to 5, which is 62.5 % of it: a gap of 31.5 points."""
    gap = found(GREEN, RED)
    assert (1000, 31.5) == (gap.answers, gap.score)
    assert gap.lower is not None
    assert gap.upper is not None
    assert 28 < gap.lower < 31.5 < gap.upper < 35
    assert (12, 25, {"last_year": 20}) == (gap.target, gap.floor, gap.benchmarks)


@pytest.mark.parametrize(
    ("delivered", "perceived", "expected"),
    [
        (GREEN, RED, ("watermelon", "watch")),
        (kept(900, 1000), RED, ("seen", "ok")),
        (GREEN, row("csat", Score(1000, 4.5, 4.4, 4.6)), ("aligned", "ok")),
        (GREEN, row("csat", Score(9, 3.5, 2.9, 3.9)), ("unknown", "insufficient")),
        (GREEN, row("csat", Score(0, None, None, None)), ("unknown", "idle")),
        (GREEN, None, ("unknown", "idle")),
    ],
)
def test_states(delivered: Row, perceived: Row | None, expected: tuple[str, State]) -> None:
    """Green is what the path to the target asks for today (92), not where it ends (95)."""
    gap = found(delivered, perceived)
    assert expected == (gap.gap, gap.state)


def test_the_alert_is_the_perceived_scores_own_while_what_was_delivered_is_green() -> None:
    """Its rule has a budget of false alarms; the gap takes it, and adds none."""
    perceived = msgspec.structs.replace(RED, alert=RAISED)
    raised, seen = found(GREEN, perceived), found(kept(900, 1000), perceived)
    assert "breach" == raised.state
    assert AlertView("gap", "page", raised=True, evidence=5.5, limit=3.3, since=7) == raised.alert
    assert ("ok", False) == (seen.state, seen.alert is not None and seen.alert.raised)


def test_only_alerting_segments_alert() -> None:
    """The whole and products, and no channels; nor where the perceived score is not judged."""

    def alerts(segment: tuple[tuple[str, str], ...], alert: AlertView | None) -> bool:
        rows = [
            msgspec.structs.replace(each, segment=segment, alert=alert) for each in (GREEN, RED)
        ]
        return found(*rows).alert is not None

    places = [(WHOLE, RAISED), (ROUTER, RAISED), (CHAT, RAISED), (WHOLE, None)]
    assert [True, True, False, False] == [alerts(*place) for place in places]


def test_what_is_stale_on_one_side_is_stale() -> None:
    """With the reason; a gap of an old and a new number says nothing."""
    stale = msgspec.structs.replace(RED, reason="partition 0: no health report")
    gap = found(GREEN, stale)
    assert ("stale", "partition 0: no health report") == (gap.state, gap.reason)
