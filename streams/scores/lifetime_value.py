"""The rows of a lifetime value, made of those of revenue and retention.

Average purchase value × purchases per customer and year × years. The first two are the revenue of a
window, stretched to a year, over the customers who could have bought. It and the retention come
from different answers, so the variances of their logarithms add up (the delta method); each side of
the interval has its own length (square-and-add on logarithms: Zou & Donner 2008, Statistics in
Medicine 27:1693-1702).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.durations import UNIT_SECONDS, Duration
from streams.scores.rows import Row
from streams.scores.scores import Score, probability_below
from streams.scores.states import state
from streams.statistics.intervals import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kpis.combined import ProductOf
    from streams.kpis.kpi import Kpi

YEAR_DAYS: Final = 365

# An interval of no width, as of a sum that is declared exact, is evidence beyond all doubt.
_LEAST_SIDE: Final = 1e-12


def lifetime_value_row(
    kpi: Kpi,
    formula: ProductOf,
    revenue: Row,
    retention: Row | None,
    target: float,
    whole_seconds: float | None = None,
) -> Row:
    """The row of `kpi` in the window and segment of `revenue`.

    `whole_seconds` is how long the window is where its name is no duration.
    """
    years = _years(revenue.window, whole_seconds)
    found = lifetime_value(revenue, formula, retention, years)
    reason = revenue.reason or (retention.reason if retention else None)
    return Row(
        kpi=kpi.name,
        window=revenue.window,
        breakdown=revenue.breakdown,
        segment=revenue.segment,
        answers=found.answers,
        score=found.value,
        lower=found.lower,
        upper=found.upper,
        state=state(
            found.answers,
            # Purchases without a lifespan are too few answers, however many.
            kpi.min_answers if found.value is not None else found.answers + 1,
            probability_below=_probability_below(kpi, found),
            raised=False,
            stale=reason is not None,
        ),
        reason=reason,
        target=target,
        floor=kpi.floor,
        benchmarks={name: each.score for name, each in kpi.benchmarks.items()},
        outcomes={},
        alert=None,
        direction=kpi.target.direction,
    )


def retention_row(revenue: Row, rows: Sequence[Row]) -> Row | None:
    """The retention that belongs to `revenue`: of the same segment and window.

    Renewals are rarer than purchases. Without any there, that of the segment's window with the most
    answers; without any in the segment, that of all.
    """
    of_segment = [row for row in rows if row.segment == revenue.segment]
    same = next((row for row in of_segment if row.window == revenue.window), None)
    if same is not None and same.score is not None:
        return same
    for found in (of_segment, [row for row in rows if not row.segment]):
        known = [row for row in found if row.score is not None]
        if known:
            return max(known, key=lambda row: row.answers)
    return same


def lifetime_value(
    revenue: Row, formula: ProductOf, retention: Row | None, years: float | None
) -> Score:
    """Revenue per customer and year, times the years that a customer stays.

    None where one of them is not known, or nobody has left yet: then there is no end to it.
    """
    nothing = Score(revenue.answers, None, None, None)
    if not revenue.score or revenue.lower is None or revenue.upper is None or not years:
        return nothing
    lifespan = _lifespan(formula, retention)
    if lifespan is None:
        return nothing
    value = revenue.score / years / formula.active_customers * lifespan.years
    down = math.hypot(_log_ratio(revenue.score, revenue.lower), lifespan.down)
    up = math.hypot(_log_ratio(revenue.upper, revenue.score), lifespan.up)
    return Score(revenue.answers, value, value * math.exp(-down), value * math.exp(up))


class _Lifespan(NamedTuple):
    """Years, and how far their logarithm reaches to either side."""

    years: float
    down: float
    up: float


def _lifespan(formula: ProductOf, retention: Row | None) -> _Lifespan | None:
    if formula.lifespan_years is not None:
        return _Lifespan(formula.lifespan_years, 0.0, 0.0)
    if retention is None or retention.score is None or retention.score >= 100:
        return None
    if retention.lower is None or retention.upper is None or retention.upper >= 100:
        return None
    lost, most, least = (
        1 - share / 100 for share in (retention.score, retention.lower, retention.upper)
    )
    return _Lifespan(1 / lost, _log_ratio(most, lost), _log_ratio(lost, least))


def _log_ratio(greater: float, smaller: float) -> float:
    return math.log(greater / smaller) if smaller > 0 else math.inf


def _probability_below(kpi: Kpi, found: Score) -> float | None:
    """That the true value lies on the wrong side of the floor; None without a floor or value."""
    if not kpi.floor or not found.value or not found.lower or not found.upper:
        return None
    distance = math.log(kpi.floor / found.value)
    side = math.log(found.upper / found.value if distance > 0 else found.value / found.lower)
    evidence = normal_quantile(kpi.confidence) * distance / max(side, _LEAST_SIDE)
    return probability_below(-evidence if kpi.lower_is_better else evidence)


def _years(window: str, whole_seconds: float | None) -> float | None:
    try:
        seconds: float | None = Duration.parse(window).seconds
    except ValueError:
        seconds = whole_seconds
    return seconds / UNIT_SECONDS["d"] / YEAR_DAYS if seconds else None
