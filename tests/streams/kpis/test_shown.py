from __future__ import annotations

import pytest

from streams.kpis.load import parse_kpis
from streams.kpis.sizing import kpi_cost
from streams.render.catalogue import Catalogue
from tests.kpi_texts import kpi_text, refusals

VALUE = "measures:\n  value: {kind: amount, unit: EUR, max: 9}"


def with_amount(**sections: str) -> str:
    return kpi_text(**sections).replace("measures:", VALUE)


def shown(text: str) -> list[str]:
    """The names of the windows that the first KPI is shown for."""
    file = parse_kpis(text)
    return [window.name for window in file.windows_of(next(iter(file.kpis.values())))]


SUM = "{sum: {measure: value}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (kpi_text(), ["1h", "24h", "7d", "30d"]),
        (kpi_text(kpi="windows: [30d, 7d]"), ["7d", "30d"]),
        (kpi_text(kpi="windows: [1h, 7d]\nmatures: 30d"), ["7d"]),
        (with_amount(formula=SUM), ["30d"]),
        (with_amount(formula=SUM, kpi="windows: [24h]"), ["24h"]),
    ],
)
def test_windows_of_a_kpi(text: str, expected: list[str]) -> None:
    """Those it names in the file's order, else all, else of a sum the longest; once matured."""
    assert expected == shown(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            kpi_text(kpi="windows: [7d, 8d]"),
            ["windows.1: unknown window '8d'; declared are 1h, 24h, 7d, 30d."],
        ),
        (kpi_text(kpi="windows: []"), ["windows: is empty; write at least one entry"]),
        (
            kpi_text(kpi="windows: [7d, 30d]\nfloor: 75\nalert: {window: 24h}"),
            ["alert.window: is no window that this KPI is shown for; write one of 7d, 30d"],
        ),
        (
            with_amount(formula=SUM, kpi="windows: [7d, 30d]"),
            ["windows: a sum grows with its window, and has one target; write one window"],
        ),
        (
            with_amount(formula=SUM, kpi="floor: 75\nalert: {window: 24h}"),
            ["alert.window: is no window that this KPI is shown for; write one of 30d"],
        ),
    ],
)
def test_wrong_windows(text: str, expected: list[str]) -> None:
    """They are the file's, the alert's is among them, and a sum has one."""
    assert [f"kpis.csat.{error}" for error in expected] == refusals(text)


def test_windows_cost_their_series() -> None:
    """Half the windows are half the series of scores."""
    file = parse_kpis(kpi_text(kpi="windows: [7d, 30d]"))
    assert kpi_cost(file.kpis["csat"], file) == (1, 2 * 10 + 2 + 3)


def test_boards_and_rules_know_the_windows_that_are_shown() -> None:
    """A window that no KPI is shown for is never stale, so nothing may wait for it."""
    catalogue = Catalogue.of(parse_kpis(kpi_text(kpi="windows: [7d, 24h]")))
    assert ["24h", "7d"] == [window.name for window in catalogue.windows]
