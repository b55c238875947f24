"""How a row came about, from the counted answers to its state, step by step.

All numbers are those of the row: where a step's arithmetic is that of `streams.scores`, its result
is taken from there, so that an error here shows as a line that does not add up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, assert_never

from streams.counts.outcomes import outcomes
from streams.explanation.amounts import amount_mean_steps, amount_sum_steps, ratio_steps
from streams.explanation.composites import composite_steps
from streams.explanation.derived import derived_steps
from streams.explanation.means import rating_mean_steps
from streams.explanation.movements import movement_steps
from streams.explanation.shares import Certainty, Worth, net_steps, share_steps
from streams.explanation.spreads import spread_steps
from streams.explanation.states import alert_step, state_step, target_step
from streams.explanation.steps import Line, Step
from streams.kpis.combined import CompositeOf, ConsistencyOf, GapOf, ProductOf, RatioOf
from streams.kpis.formulas import Mean, Net, Sentiment, Share, Sum, TopBox
from streams.scores.amounts import Amounts, sum_ratio
from streams.scores.derived import is_derived
from streams.scores.samples import TEN_THOUSAND, by_measure
from streams.scores.scores import Score

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from streams.counts.reader import Report
    from streams.kpis.file import KpiFile
    from streams.kpis.kpi import Kpi
    from streams.scores.movements import Movement
    from streams.scores.rows import Row
    from streams.scores.scoreboard import Scoreboard, Subject
    from streams.scores.scores import Tally


class Moment(NamedTuple):
    """All rows of a moment, by the KPI file; `day` is today, for the targets."""

    kpis: KpiFile
    rows: Sequence[Row]
    day: dt.date


def explain(
    moment: Moment, row: Row, subject: Subject | None, movement: Movement | None
) -> list[Step]:
    """The steps of one row; `subject` is None where it is made of other rows.

    `movement` is that of its KPI, where it has a baseline.
    """
    kpi = moment.kpis.kpis[row.kpi]
    steps: list[Step] = []
    if subject is not None:
        steps.append(_answers_step(subject))
        if row.answers:
            found = Score(row.answers, row.score, row.lower, row.upper)
            steps.extend(_score_steps(kpi, subject.tally, found))
        steps.append(state_step(kpi, row, subject.tally))
    else:
        steps.extend(derived_steps(moment.kpis, kpi, row, moment.rows))
        steps.append(Step(f"State: {row.state}", tuple([row.reason] if row.reason else [])))
    steps.append(target_step(kpi, row, moment.day))
    if movement is not None and movement.window == row.window and not row.segment:
        steps.extend(movement_steps(movement))
    if row.alert is not None:
        steps.append(alert_step(row.alert))
    return steps


def explain_row(
    board: Scoreboard,
    report: Report,
    kpis: KpiFile,
    kpi: str,
    window: str,
    segment: Mapping[str, str],
) -> list[Step] | None:
    """The steps of a row on a scoreboard as of `report`; None where there is no such row."""
    moment = Moment(kpis, board.rows(report), kpis.day(report.now))
    wanted = (kpi, window, dict(segment))
    row = next((r for r in moment.rows if (r.kpi, r.window, dict(r.segment)) == wanted), None)
    if row is None:
        return None
    subject = None if is_derived(kpis.kpis[kpi]) else board.subject(report, row)
    moved = {movement.kpi: movement for movement in board.movements(report)}
    return explain(moment, row, subject, moved.get(kpi))


def _answers_step(subject: Subject) -> Step:
    kpi, row = subject.place.kpi, subject.row
    where = ", ".join(f"{name} {value}" for name, value in row.segment) or "all answers"
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (subject.begin, subject.end))
    lines: list[Line] = [
        f"{where}, given from {begin:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC",
        *_counted(kpi, subject.tally),
        f"answers = {row.answers}",
    ]
    return Step("Answers", tuple(lines))


def _counted(kpi: Kpi, tally: Tally) -> Iterator[Line]:
    """How often each answer was given, and what the formula takes it for."""
    formula, measure = kpi.formula, kpi.measure
    if isinstance(formula, TopBox | Net):
        ratings = range(measure.low, measure.high + 1)
        yield "; ".join(f"{rating}: {tally.get(str(rating), 0)}" for rating in ratings)
    for outcome, count in outcomes(formula, measure, tally).items():
        yield f"{outcome}: {count}{_meaning(kpi, outcome)}"


def _meaning(kpi: Kpi, outcome: str) -> str:
    match kpi.formula, outcome:
        case TopBox(at_least=least), "satisfied":
            return f" (those of {least} or more)"
        case Net(promoters=least), "promoter":
            return f" (those of {least} or more)"
        case Net(detractors=most), "detractor":
            return f" (those of {most} or less)"
    return ""


def _score_steps(kpi: Kpi, tally: Tally, found: Score) -> Iterator[Step]:
    formula, measure = kpi.formula, kpi.measure
    sure = Certainty(kpi.confidence, kpi.design_effect)
    counted = outcomes(formula, measure, tally)
    match formula:
        case CompositeOf():
            yield from composite_steps(formula, by_measure(tally), found, sure)
        case RatioOf():
            yield from ratio_steps(sum_ratio(formula, by_measure(tally)), sure)
        case Sum():
            yield from amount_sum_steps(Amounts.of(measure, tally), sure)
        case Mean() if measure.kind == "amount":
            yield from amount_mean_steps(Amounts.of(measure, tally), found, sure)
        case Mean():
            ratings = {int(rating): count for rating, count in counted.items()}
            yield from rating_mean_steps(formula, measure, ratings, found, sure)
        case TopBox():
            yield from share_steps(counted["satisfied"], found.answers, found, sure)
        case Share():
            yield from share_steps(counted["yes"], found.answers, found, sure)
        case Net() | Sentiment():
            yield from net_steps(_worth(kpi, tally, counted), found, sure)
        case ConsistencyOf():
            yield from spread_steps(formula, measure, tally, found, sure)
        case GapOf() | ProductOf():
            raise TypeError(f"{kpi.name} is made of rows, not of a tally")
        case _:
            assert_never(formula)


def _worth(kpi: Kpi, tally: Tally, counted: dict[str, int]) -> Worth:
    """Answers from -1 to 1, of a net or of sentiment."""
    answers = sum(counted.values())
    if isinstance(kpi.formula, Sentiment) and kpi.formula.statistic == "mean":
        total = tally.get("sum", 0) / TEN_THOUSAND
        return Worth(answers, total, tally.get("sum_squares", 0) / TEN_THOUSAND**2, 1)
    good, _, bad = (
        counted[name]
        for name in (
            ("promoter", "passive", "detractor")
            if isinstance(kpi.formula, Net)
            else ("positive", "neutral", "negative")
        )
    )
    return Worth(answers, good - bad, good + bad, 100)
