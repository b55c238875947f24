from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.combined import ProductOf
from streams.kpis.kpi import Kpi
from streams.kpis.load import parse_kpis
from streams.scores.lifetime_value import lifetime_value, lifetime_value_row, retention_row
from streams.scores.rows import Row
from streams.scores.scores import Score

KEPT = ProductOf("revenue", 1000, None, "retention")
TEN_YEARS = ProductOf("revenue", 1000, 10.0, None)


def kpi(more: str = "") -> Kpi:
    """The KPI of a lifetime value."""
    text = f"""
measures: {{value: {{kind: amount, unit: EUR, decimals: 2, max: 1000}}, renewed: {{kind: flag}}}}
kpis:
  revenue: {{title: T, formula: {{sum: {{measure: value}}}}, target: 9, owner: us}}
  retention: {{title: T, formula: {{share: {{measure: renewed}}}}, target: 80, owner: us}}
  clv:
    title: Lifetime value
    formula: {{product: {{revenue: revenue, active_customers: 1000, retention: retention}}}}
    target: 5000
    owner: us
{more}
"""
    return parse_kpis(text).kpis["clv"]


def row(answers: int = 0, bounds: tuple[float, float, float] | None = None, **fields: Any) -> Row:
    """A row; `bounds` are lower, score and upper."""
    lower, value, upper = bounds or (None, None, None)
    found = Row(
        kpi="k", window="30d", breakdown="all", segment=(), answers=answers, score=value,
        lower=lower, upper=upper, state="ok", reason=None, target=1, floor=None, benchmarks={},
        outcomes={}, alert=None,
    )  # fmt: skip
    return msgspec.structs.replace(found, **fields)


REVENUE = row(50, (45_000, 50_000, 56_000))
RETENTION = row(300, (76, 80, 83))


def test_revenue_of_a_year_times_the_years_that_customers_stay() -> None:
    """50,000 in 30 days of 1,000 customers; of whom a fifth leaves a year: five years."""
    found = lifetime_value(REVENUE, KEPT, RETENTION, 30 / 365)
    assert 50 == found.answers
    assert pytest.approx(50_000 / 30 * 365 / 1000 * 5) == found.value


def test_a_declared_lifespan_is_exact() -> None:
    """Then the interval is that of revenue, in proportion."""
    found = lifetime_value(REVENUE, TEN_YEARS, None, 1.0)
    assert pytest.approx((500, 450, 560)) == (found.value, found.lower, found.upper)


@given(
    st.tuples(st.floats(1, 1e6), st.floats(1, 3), st.floats(1, 3)),
    st.tuples(st.floats(1, 99), st.floats(1, 3), st.floats(1, 1.05)),
)
def test_the_interval_holds_the_value_and_both_uncertainties(
    money: tuple[float, float, float], stay: tuple[float, float, float]
) -> None:
    """It is wider than that of either alone, and narrower than both ends together."""
    value, down, up = money
    lost, fewer, more = (100 - stay[0]), stay[1], stay[2]
    revenue = row(50, (value / down, value, value * up))
    retention = row(50, (100 - min(lost * fewer, 100), 100 - lost, 100 - lost / more))
    found = lifetime_value(revenue, KEPT, retention, 1.0)
    alone = lifetime_value(revenue, TEN_YEARS, None, 1.0)
    assert found.value is not None
    assert found.lower is not None
    assert found.upper is not None
    assert alone.value is not None
    assert alone.upper is not None
    assert found.lower <= found.value * (1 + 1e-9)
    assert found.upper / found.value >= alone.upper / alone.value * (1 - 1e-9)
    assert found.upper <= found.value * up * more * (1 + 1e-9)
    assert found.lower >= found.value / down / fewer * (1 - 1e-9)


def test_the_delta_method_by_hand() -> None:
    """Logarithms: 10 % of revenue and 20 % of the lost add up to the root of the squares."""
    tenth, fifth = math.exp(0.1), math.exp(0.2)
    revenue = row(50, (1 / tenth, 1.0, tenth))
    retention = row(50, (100 - 20 * fifth, 80, 100 - 20 / fifth))
    found = lifetime_value(revenue, KEPT, retention, 1.0)
    assert found.value is not None
    assert found.value * math.exp(math.hypot(0.1, 0.2)) == pytest.approx(found.upper)
    assert found.value / math.exp(math.hypot(0.1, 0.2)) == pytest.approx(found.lower)


@pytest.mark.parametrize(
    ("revenue", "formula", "retention"),
    [
        (row(0), TEN_YEARS, None),
        (REVENUE, KEPT, None),
        (REVENUE, KEPT, row(0)),
        (REVENUE, KEPT, row(20, (84, 100, 100))),
    ],
)
def test_no_value_without_what_it_is_made_of(
    revenue: Row, formula: ProductOf, retention: Row | None
) -> None:
    """No purchases, no renewals, or nobody who left: then there is no end to a lifespan."""
    expected = Score(revenue.answers, None, None, None)
    assert expected == lifetime_value(revenue, formula, retention, 1.0)


def test_the_row_says_what_is_known() -> None:
    """Fewer purchases than asked for, or no lifespan, are too few; none at all is idle."""
    clv = kpi()
    enough = lifetime_value_row(clv, KEPT, REVENUE, RETENTION, 480)
    assert ("ok", 480, None) == (enough.state, enough.target, enough.alert)
    few = lifetime_value_row(clv, KEPT, row(9, (1, 2, 3)), RETENTION, 480)
    endless = lifetime_value_row(clv, KEPT, REVENUE, None, 480)
    nothing = lifetime_value_row(clv, KEPT, row(0), RETENTION, 480)
    states = ["insufficient", "insufficient", "idle"]
    assert states == [each.state for each in (few, endless, nothing)]


def test_what_is_stale_on_one_side_is_stale() -> None:
    """Be it the revenue or the retention."""
    stale = {"reason": "late"}
    rows = [
        (msgspec.structs.replace(REVENUE, **stale), RETENTION),
        (REVENUE, msgspec.structs.replace(RETENTION, **stale)),
    ]
    for pair in rows:
        found = lifetime_value_row(kpi(), KEPT, *pair, 480)
        assert ("stale", "late") == (found.state, found.reason)


@pytest.mark.parametrize(("floor", "state"), [(2900, "ok"), (3200, "ok"), (3400, "watch")])
def test_probably_below_the_floor_is_watch(floor: int, state: str) -> None:
    """3,042 over 2,530 to 3,690: below 3,400 with P = .87, below 3,200 with .69."""
    clv = kpi(f"    floor: {floor}")
    assert state == lifetime_value_row(clv, KEPT, REVENUE, RETENTION, 5000).state


def test_the_length_of_a_file_stands_for_a_window_without_one() -> None:
    """A file of two years has half as much revenue a year."""
    whole = msgspec.structs.replace(REVENUE, window="all")
    clv = kpi()
    found = lifetime_value_row(clv, TEN_YEARS, whole, None, 480, 2 * 365 * 86_400)
    assert 250 == pytest.approx(found.score)
    assert lifetime_value_row(clv, TEN_YEARS, whole, None, 480).score is None


def retained(window: str, answers: int, segment: Iterable[tuple[str, str]] = ()) -> Row:
    bounds = (70.0, 80.0, 85.0) if answers else None
    return row(answers, bounds, window=window, segment=tuple(segment))


def test_the_retention_that_belongs_to_revenue() -> None:
    """Of its segment and window, else of the segment's most answers, else of all."""
    router = (("product", "router"),)
    revenue = msgspec.structs.replace(REVENUE, window="24h", segment=router)
    same, longer = retained("24h", 3, router), retained("30d", 9, router)
    whole, none = retained("30d", 99), retained("24h", 0, router)
    assert same == retention_row(revenue, [whole, longer, same])
    assert longer == retention_row(revenue, [whole, none, longer])
    assert whole == retention_row(revenue, [none, whole])
    assert none == retention_row(revenue, [none])
    assert retention_row(revenue, []) is None
