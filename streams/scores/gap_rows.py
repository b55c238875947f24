"""The rows of a perception gap, made of those of the two KPIs that it names.

A gap is raised where the perceived score's own alert is, whose rule has a budget of false alarms,
and what was delivered is green all the while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.kpis.combined import range_of
from streams.scores.gap import Line, gap_points, gap_state
from streams.scores.rows import AlertView, Row
from streams.scores.scores import NOBODY, Score
from streams.scores.states import state

if TYPE_CHECKING:
    from streams.kpis.kpi import Kpi

GAP_RULE: Final = "gap"


def gap_row(
    kpi: Kpi, delivered: tuple[Kpi, Row], perceived: tuple[Kpi, Row | None], target: float
) -> Row:
    """The row of `kpi`, a gap, in the window and segment of the row that says what was delivered.

    The states: `breach` where the alert has raised, `watch` where delivered is green and perceived
    red by more than chance ("watermelon"), `insufficient` where a side has too few answers.
    """
    (green_kpi, row), (red_kpi, other) = delivered, perceived
    green, red = _Percent.of(green_kpi, row), _Percent.of(red_kpi, other)
    line = green.line(row.target)
    floor = red.line(red_kpi.floor if red_kpi.floor is not None else 0.0)
    said = gap_state(green.score, line, red.score, floor, kpi.min_answers)
    points = gap_points(green.score, red.score) or NOBODY
    kept = green.score.value is not None and line.holds(green.score.value)
    alert = _alert(kpi, row, other, kept=kept)
    reason = row.reason or (other.reason if other else None)
    return Row(
        kpi=kpi.name,
        window=row.window,
        breakdown=row.breakdown,
        segment=row.segment,
        answers=points.answers,
        score=points.value,
        lower=points.lower,
        upper=points.upper,
        state=state(
            points.answers,
            points.answers + 1 if said == "unknown" else 0,
            probability_below=1.0 if said == "watermelon" else None,
            raised=alert is not None and alert.raised,
            stale=reason is not None,
        ),
        reason=reason,
        target=target,
        floor=kpi.floor,
        benchmarks={name: each.score for name, each in kpi.benchmarks.items()},
        outcomes={},
        alert=alert,
        direction=kpi.target.direction,
        gap=said,
    )


def _alert(kpi: Kpi, row: Row, perceived: Row | None, *, kept: bool) -> AlertView | None:
    """The perceived score's alert, quiet where what was delivered is not green (`kept`).

    Where that is not judged, as in other windows, nothing is; both alerts have the same window.
    """
    if kpi.alert is None:
        return None
    split = {name for name, _ in row.segment}
    if split and not any(split == set(each) for each in kpi.alert.segments):
        return None
    if perceived is None or perceived.alert is None:
        return None
    return AlertView(
        rule=GAP_RULE,
        severity=kpi.alert.severity,
        raised=perceived.alert.raised and kept,
        evidence=perceived.alert.evidence,
        limit=perceived.alert.limit,
        since=perceived.alert.since,
    )


class _Percent(NamedTuple):
    """A row's score as percent of what its formula can give."""

    score: Score
    low: float
    width: float
    lower_is_better: bool

    @classmethod
    def of(cls, kpi: Kpi, row: Row | None) -> _Percent:
        low, high = range_of(kpi.formula, kpi.measure)
        width = high - low
        better = kpi.lower_is_better
        if row is None or row.score is None or row.lower is None or row.upper is None:
            return cls(NOBODY, low, width, better)
        bounds = [100 * (each - low) / width for each in (row.score, row.lower, row.upper)]
        return cls(Score(row.answers, *bounds), low, width, better)

    def line(self, score: float) -> Line:
        """Where the score stands in percent."""
        return Line(100 * (score - self.low) / self.width, self.lower_is_better)
