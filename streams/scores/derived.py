"""Rows that are made of other rows: perception gaps, and lifetime values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.kpis.combined import Derived, GapOf, ProductOf
from streams.scores.gap_rows import gap_row
from streams.scores.lifetime_value import lifetime_value_row, retention_row

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable

    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.scores.rows import Row


class Occasion(NamedTuple):
    """For which day targets are shown, and which breakdowns a KPI has.

    `day` is None where there is none: then the target is where its path ends. `whole_seconds` is
    how long a window is whose name is no duration.
    """

    day: dt.date | None
    breakdowns_of: Callable[[Kpi], Collection[tuple[str, ...]]]
    whole_seconds: float | None = None


def with_derived(kpis: KpiFile, rows: Iterable[Row], occasion: Occasion) -> list[Row]:
    """`rows` and those made of them, by KPI in the file's order."""
    by_kpi: dict[str, list[Row]] = {name: [] for name in kpis.kpis}
    for row in rows:
        by_kpi[row.kpi].append(row)
    for name, kpi in kpis.kpis.items():
        if is_derived(kpi):
            by_kpi[name] = _derived(kpis, kpi, by_kpi, occasion)
    return [row for name in kpis.kpis for row in by_kpi[name]]


def is_derived(kpi: Kpi) -> bool:
    """Whether a KPI's rows are made of others."""
    return isinstance(kpi.formula, Derived)


def _derived(
    kpis: KpiFile, kpi: Kpi, by_kpi: dict[str, list[Row]], occasion: Occasion
) -> list[Row]:
    formula = kpi.formula
    splits = {frozenset(split) for split in occasion.breakdowns_of(kpi)}
    target = kpi.target.on(occasion.day) if occasion.day else kpi.target.score
    if isinstance(formula, GapOf):
        green, red = kpis.kpis[formula.delivered], kpis.kpis[formula.perceived]
        others = {(row.window, row.segment): row for row in by_kpi[formula.perceived]}
        return [
            gap_row(kpi, (green, row), (red, others.get((row.window, row.segment))), target)
            for row in by_kpi[formula.delivered]
            if _split(row) in splits
        ]
    if isinstance(formula, ProductOf):
        kept = by_kpi[formula.retention] if formula.retention else []
        whole = occasion.whole_seconds
        return [
            lifetime_value_row(kpi, formula, row, retention_row(row, kept), target, whole)
            for row in by_kpi[formula.revenue]
            if _split(row) in splits
        ]
    raise TypeError(f"{kpi.name} is made of no other rows")


def _split(row: Row) -> frozenset[str]:
    return frozenset(name for name, _ in row.segment)
