"""What is made of other KPIs: a perception gap, and a lifetime value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streams.durations import UNIT_SECONDS, Duration
from streams.explanation.steps import Line, Step, calculation, plain
from streams.kpis.combined import GapOf, ProductOf, range_of
from streams.scores.lifetime_value import YEAR_DAYS, retention_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.scores.rows import Row


def derived_steps(kpis: KpiFile, kpi: Kpi, row: Row, rows: Sequence[Row]) -> Iterator[Step]:
    """The score, its interval, and what they say; `rows` hold those that it is made of."""
    beside = {other.kpi: other for other in rows if _stands_beside(other, row)}
    match kpi.formula:
        case GapOf(delivered=delivered, perceived=perceived):
            names = (delivered, perceived)
            sides = [_Side.of(kpis.kpis[name], beside.get(name)) for name in names]
            yield from _gap(row, sides)
        case ProductOf(revenue=revenue, retention=retention):
            sold = beside[revenue]
            kept = [other for other in rows if other.kpi == retention]
            yield from _product(kpi.formula, row, sold, retention_row(sold, kept))


def _stands_beside(other: Row, row: Row) -> bool:
    return (other.window, other.segment) == (row.window, row.segment)


class _Side(NamedTuple):
    """One of the two scores, in percent of its range; None without answers."""

    name: str
    low: float
    high: float
    answers: int
    shown: tuple[float, float, float] | None

    @classmethod
    def of(cls, kpi: Kpi, row: Row | None) -> _Side:
        low, high = range_of(kpi.formula, kpi.measure)
        if row is None or row.score is None or row.lower is None or row.upper is None:
            return cls(kpi.name, low, high, row.answers if row else 0, None)
        return cls(kpi.name, low, high, row.answers, (row.score, row.lower, row.upper))

    def percent(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def lines(self) -> Iterator[Line]:
        """Its score, and the bounds of its interval, in percent."""
        if self.shown is None:
            yield f"{self.name} has no score ({self.answers} answers)"
            return
        yield f"{self.name}, {self.answers} answers; --explain {self.name} says how it came about:"
        for kind, value in zip(("", " lower", " upper"), self.shown, strict=True):
            yield calculation(
                f"{self.name}{kind}", "100 × ({v} − {l}) ÷ ({h} − {l})", self.percent(value), "%",
                v=value, l=self.low, h=self.high,
            )  # fmt: skip


def _gap(row: Row, sides: Sequence[_Side]) -> Iterator[Step]:
    delivered, perceived = sides
    lines = [*delivered.lines(), *perceived.lines()]
    if row.score is None or row.lower is None or row.upper is None:
        yield Step("Score", (*lines, "There is no gap without both."))
        return
    here, there = (
        [side.percent(value) for value in side.shown or ()] for side in (delivered, perceived)
    )
    score = calculation("score", "{d} − {p}", row.score, "points", d=here[0], p=there[0])
    yield Step("Score", (*lines, score))
    yield Step(
        "Interval",
        (
            "The distances of both bounds, squared and added (Newcombe 1998).",
            calculation(
                "lower", "{s} − √(({d} − {dl})² + ({pu} − {p})²)", row.lower, "points",
                s=row.score, d=here[0], dl=here[1], pu=there[2], p=there[0],
            ),
            calculation(
                "upper", "{s} + √(({du} − {d})² + ({p} − {pl})²)", row.upper, "points",
                s=row.score, d=here[0], du=here[2], pl=there[1], p=there[0],
            ),
            f"{delivered.name} and {perceived.name} together say: {row.gap}",
        ),
    )  # fmt: skip


def _product(formula: ProductOf, row: Row, sold: Row, kept: Row | None) -> Iterator[Step]:
    """Revenue of a customer in a year, times the years."""
    lines: list[Line] = [f"{sold.kpi} brought {plain(sold.score or 0)} in {sold.window}"]
    if row.score is None or row.lower is None or row.upper is None or sold.score is None:
        yield Step("Score", (*lines, "Its lifespan, or its revenue, is not known."))
        return
    years = Duration.parse(sold.window).seconds / UNIT_SECONDS["d"] / YEAR_DAYS
    days = years * YEAR_DAYS
    customers = formula.active_customers
    a_year = sold.score / years / customers
    lines.append(
        calculation(
            "a customer's year", "{s} ÷ {d} × {y} ÷ {c}", a_year,
            s=sold.score, d=days, y=YEAR_DAYS, c=customers,
        )
    )  # fmt: skip
    lifespan = row.score / a_year
    if formula.lifespan_years is None and kept is not None and kept.score is not None:
        lines.append(calculation("years", "1 ÷ (1 − {r} ÷ 100)", lifespan, r=kept.score))
    else:
        lines.append(f"years = {plain(lifespan)}, as declared")
    lines.append(calculation("score", "{v} × {y}", row.score, v=a_year, y=lifespan))
    yield Step("Score", tuple(lines))
    yield Step("Interval", tuple(_product_bounds(formula, row, sold, kept)))


def _product_bounds(formula: ProductOf, row: Row, sold: Row, kept: Row | None) -> Iterator[Line]:
    """Each side as the squared and added distances of logarithms."""
    yield "Revenue and retention come from different answers; their relative errors add up."
    counted = formula.lifespan_years is None and kept is not None
    for name, bound, sold_bound, kept_bound in (
        ("lower", row.lower, sold.lower, kept.lower if kept else None),
        ("upper", row.upper, sold.upper, kept.upper if kept else None),
    ):
        terms = ["ln({s} ÷ {b})²"]
        given = {"s": sold.score or 0.0, "b": sold_bound or 0.0}
        if counted and kept is not None and kept.score is not None and kept_bound is not None:
            terms.append("ln((100 − {r}) ÷ (100 − {k}))²")
            given |= {"r": kept.score, "k": kept_bound}
        far = abs(math.log((bound or 0.0) / (row.score or 1.0))) if bound else math.inf
        if math.isinf(far):
            yield f"{name} = {plain(bound or 0.0)}: revenue may be as little as nothing"
            continue
        yield calculation("distance", f"√({' + '.join(terms)})", far, **given)
        sign = "(−{f})" if name == "lower" else "{f}"
        yield calculation(name, f"{{v}} × e^{sign}", bound or 0.0, v=row.score or 0.0, f=far)
