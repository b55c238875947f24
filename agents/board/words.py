"""How numbers, times and segments are written on the board and in the demo's story."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from streams.events.admission import OTHER, UNKNOWN
from streams.kpis.combined import CompositeOf, ProductOf, RatioOf
from streams.kpis.formulas import Mean, Sentiment, Share, Sum, TopBox
from streams.scores.rows import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.kpis.file import KpiFile
    from streams.scores.drivers import Attribution
    from streams.scores.movements import Movement
    from streams.scores.rows import Row

_PARTS_SHOWN: Final = 3

NOTHING = "–"
"""Stands where there is no number: no data is not 0."""


def score_words(row: Row, kpis: KpiFile) -> str:
    """`86.1 %`; a mean has two digits, and no unit."""
    return number(row.score, row, kpis) + (" %" if _is_percent(row, kpis) and row.answers else "")


def interval_words(row: Row, kpis: KpiFile) -> str:
    """`83.0 to 88.9`, in words because bounds may be negative."""
    if row.lower is None or row.upper is None:
        return NOTHING
    return f"{number(row.lower, row, kpis)} to {number(row.upper, row, kpis)}"


def number(value: float | None, row: Row, kpis: KpiFile) -> str:
    """A value on the scale of the row's KPI."""
    return NOTHING if value is None else _number(value, row.kpi, kpis)


def _number(value: float, kpi: str, kpis: KpiFile) -> str:
    formula = kpis.kpis[kpi].formula
    return (
        _short(value)
        if isinstance(formula, Sum | ProductOf)
        else f"{value:.{_decimals(kpi, kpis)}f}"
    )


def _decimals(kpi: str, kpis: KpiFile) -> int:
    match kpis.kpis[kpi].formula:
        case Mean(as_percent=False) | Sentiment(statistic="mean") | RatioOf(as_percent=False):
            return 2
        case _:
            return 1


def movement_words(movement: Movement, kpis: KpiFile) -> str:
    """`78.8, 6.2 below its baseline of 85.0. By product: router −4.9, mix −1.0, others −0.3.`.

    Of each breakdown the three largest parts; those that would be written as 0 are left out.
    """
    if movement.score is None or movement.baseline is None:
        return "too few answers to compare with a baseline"
    change = movement.score - movement.baseline
    score, far, usual = (
        _number(value, movement.kpi, kpis)
        for value in (movement.score, abs(change), movement.baseline)
    )
    said = [f"{score}, {far} {'below' if change < 0 else 'above'} its baseline of {usual}."]
    for breakdown, found in movement.attributions.items():
        parts = _parts(found, _decimals(movement.kpi, kpis))
        said.append(f"By {' and '.join(breakdown)}: {', '.join(parts) or 'nothing'}.")
    return " ".join(said)


def _parts(found: Attribution, decimals: int) -> Iterator[str]:
    """The largest parts, in the direction of the change."""
    parts = {" · ".join(part.segment or ()): part.rate for part in found.named}
    parts |= {"others" if found.named else "all alike": found.rest, "mix": found.mix}
    least = 0.5 / 10**decimals
    largest = sorted(parts, key=lambda name: -abs(parts[name]))[:_PARTS_SHOWN]
    for name in sorted(largest, key=parts.__getitem__, reverse=found.change > 0):
        if abs(parts[name]) >= least:
            yield f"{name} {parts[name]:+.{decimals}f}".replace("-", "−")


def _short(value: float) -> str:
    """`950`, `12.3 k`, `4.56 M`: a sum in as many characters as any score."""
    for limit, size, shown in ((1e4, 1, "{:.0f}"), (1e6, 1e3, "{:.1f} k"), (1e9, 1e6, "{:.2f} M")):
        if abs(value) < limit:
            return shown.format(value / size)
    return f"{value / 1e9:.2f} G"


def segment_words(row: Row) -> str:
    """`router · chat`, or `all`; what is no value of its own also names its dimension."""
    return " · ".join(_value_words(name, value) for name, value in row.segment) or ALL


def _value_words(dimension: str, value: str) -> str:
    return f"{value} {dimension}" if value in {OTHER, UNKNOWN} else value


def duration_words(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`; a dash where it is not known."""
    if seconds is None or math.isinf(seconds):
        return NOTHING
    if seconds < 10:  # where a tenth stops to matter
        return f"{max(seconds, 0.0):.1f} s"
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def bytes_words(size: int) -> str:
    """`2.1 MiB`."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def _is_percent(row: Row, kpis: KpiFile) -> bool:
    match kpis.kpis[row.kpi].formula:
        case TopBox() | Share() | Mean(as_percent=True) | CompositeOf() | RatioOf(as_percent=True):
            return True
        case _:
            return False
