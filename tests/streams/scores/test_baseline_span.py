from __future__ import annotations

import pytest

from streams.counts.windows import Span
from streams.kpis.load import parse_kpis
from streams.scores.baseline_span import baseline_span, compared
from tests.kpi_texts import kpi_text

DAY = 86_400
HOUR = 3_600


def spans(**text: str) -> list[tuple[str, Span]]:
    """The windows of a KPI file's alerts, each with its baseline."""
    return [(each.window, each.span) for each in compared(parse_kpis(kpi_text(**text)))]


def test_four_weeks_before_the_window() -> None:
    """Hourly counts of 62 days hold the 28 days before the alert window of a day."""
    found = spans(kpi="alert: {window: 24h}\nfloor: 75")
    assert [("24h", Span(28 * DAY, HOUR, DAY))] == found


def test_as_much_as_is_kept() -> None:
    """Of counts of 10 minutes kept for 2 days, the day before the window and most of another."""
    found = spans(kpi="alert: {window: 6h}\nfloor: 75", top="windows: [6h]\nretention: {10m: 2d}")
    assert [("6h", Span(42 * HOUR - 600, 600, 6 * HOUR))] == found


@pytest.mark.parametrize("kept", ["25h", "47h"])
def test_none_shorter_than_the_window(kept: str) -> None:
    """A day compared with less than a day says more of the hour than of the score."""
    found = spans(
        kpi="alert: {window: 24h}\nfloor: 75",
        top=f"windows: [24h]\nretention: {{10m: {kept}}}",
    )
    assert [] == found


def test_no_more_buckets_than_are_read_in_time() -> None:
    """28 days of 5-minute counts would be 8,064 buckets; 2,000 of them are read."""
    layout = parse_kpis(kpi_text(top="windows: [24h]\nretention: {5m: 62d}")).layout
    assert Span(600_000, 300, DAY) == baseline_span(DAY, DAY, layout)


def test_what_matures_has_an_earlier_baseline() -> None:
    """The windows of what takes 7 days to mature end 7 days ago; the baseline ends before them."""
    found = spans(
        formula="{share: {measure: sla_met}}",
        target="80",
        kpi="alert: {window: 24h}\nfloor: 75\nmatures: 7d",
    )
    assert [("24h", Span(28 * DAY, HOUR, 8 * DAY))] == found


def test_only_what_alerts_and_is_no_sum() -> None:
    """Without an alert nothing is compared; the sum of a month is none of a day."""
    assert [] == spans(kpi="floor: 75")
