"""Rows that are made of other rows: perception gaps, and lifetime values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.kpis.combined import Derived, GapOf, ProductOf
from streams.scores.gap_rows import gap_row
from streams.scores.lifetime_value import lifetime_value_row, retention_row

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable

    from streams.durations import Duration
    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.scores.rows import Row


class Occasion(NamedTuple):
    """For which day targets are shown, and which breakdowns and windows a KPI has.

    `day` is None where there is none: then the target is where its path ends. `windows_of` is None
    where all are shown; `whole_seconds` is how long a window is whose name is no duration.
    """

    day: dt.date | None
    breakdowns_of: Callable[[Kpi], Collection[tuple[str, ...]]]
    windows_of: Callable[[Kpi], Collection[Duration]] | None = None
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
    shown = _shown(kpi, occasion)
    target = kpi.target.on(occasion.day) if occasion.day else kpi.target.score
    if isinstance(formula, GapOf):
        green, red = kpis.kpis[formula.delivered], kpis.kpis[formula.perceived]
        others = {(row.window, row.segment): row for row in by_kpi[formula.perceived]}
        return [
            gap_row(kpi, (green, row), (red, others.get((row.window, row.segment))), target)
            for row in by_kpi[formula.delivered]
            if shown(row)
        ]
    if isinstance(formula, ProductOf):
        kept = by_kpi[formula.retention] if formula.retention else []
        whole = occasion.whole_seconds
        return [
            lifetime_value_row(kpi, formula, row, retention_row(row, kept), target, whole)
            for row in by_kpi[formula.revenue]
            if shown(row)
        ]
    raise TypeError(f"{kpi.name} is made of no other rows")


def _shown(kpi: Kpi, occasion: Occasion) -> Callable[[Row], bool]:
    """Whether a KPI is shown where a row is."""
    splits = {frozenset(split) for split in occasion.breakdowns_of(kpi)}
    found = occasion.windows_of(kpi) if occasion.windows_of else None
    windows = None if found is None else {window.name for window in found}

    def shown(row: Row) -> bool:
        split = frozenset(name for name, _ in row.segment)
        return split in splits and (windows is None or row.window in windows)

    return shown
