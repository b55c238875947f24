from __future__ import annotations

import datetime as dt

import pytest

from streams.kpis.load import parse_kpis
from tests.kpi_texts import kpi_text

PATH = "{at_least: 85, from: 75, start: 2026-10-01, by: 2026-10-11}"
FALLING = "{at_most: 5, from: 15, start: 2026-10-01, by: 2026-10-11}"


@pytest.mark.parametrize(
    ("day", "rising", "falling"),
    [
        (dt.date(2026, 9, 1), 75, 15),
        (dt.date(2026, 10, 1), 75, 15),
        (dt.date(2026, 10, 6), 80, 10),
        (dt.date(2026, 10, 11), 85, 5),
        (dt.date(2027, 10, 11), 85, 5),
    ],
)
def test_a_path_is_straight_and_then_held(day: dt.date, rising: float, falling: float) -> None:
    """From `from` on `start` in equal steps to the target on `by`; before and after it is flat."""
    assert rising == parse_kpis(kpi_text(target=PATH)).kpis["csat"].target.on(day)
    assert falling == parse_kpis(kpi_text(target=FALLING)).kpis["csat"].target.on(day)


def test_a_target_without_a_path_is_the_same_on_every_day() -> None:
    """`target: 85` asks for 85 from the first day."""
    target = parse_kpis(kpi_text(target="85")).kpis["csat"].target
    assert 85 == target.on(dt.date(1999, 1, 1)) == target.on(dt.date(2999, 1, 1)) == target.score


@pytest.mark.parametrize(
    ("target", "direction", "lower_is_better"),
    [("85", "", False), ("85", "direction: lower", True), ("{at_most: 85}", "", True)],
)
def test_the_target_says_which_way_is_better(
    target: str, direction: str, lower_is_better: bool
) -> None:
    """`at_most` means that lower is better, and so does a number with `direction: lower`."""
    kpi = parse_kpis(kpi_text(target=target, kpi=direction)).kpis["csat"]
    assert lower_is_better == kpi.lower_is_better
