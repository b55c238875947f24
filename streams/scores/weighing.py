"""Weighing: which whole number x each answer of a formula is, so that the score is the mean of x.

A share is 0 or 1, a net -1, 0 or 1, a rating itself, the compound score of a comment itself in
1/10,000. Where lower is better x has the other sign, so that worse is always less. Formulas whose
score is no mean of x have none: nothing watches for their drop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.kpis.formulas import Mean, Net, Sentiment, Share, TopBox
from streams.scores.samples import TEN_THOUSAND
from streams.statistics.tilt import Reference, smoothed, three_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.kpis.formulas import Formula
    from streams.ledger.layout import Measure
    from streams.statistics.run_length import Floats


class Weighing(NamedTuple):
    """How cells become columns of counts, and columns answers (`baseline.Weighed`).

    `columns` says which column a cell value counts in. `x` are the possible values, a column each,
    or None where the columns are number, sum and sum of squares. A score in the formula's unit
    stands at x = `zero` + `slope` · score.
    """

    columns: Mapping[str, int]
    x: tuple[int, ...] | None
    zero: float
    slope: float

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.totals)

    @property
    def answers(self) -> tuple[int, ...]:
        """By column, how many answers one count of it is."""
        return (1, 0, 0) if self.x is None else (1,) * len(self.x)

    @property
    def totals(self) -> tuple[int, ...]:
        """By column, the x of one count of it."""
        if self.x is not None:
            return self.x
        return 0, 1 if self.slope > 0 else -1, 0

    def reference(self, counts: Floats) -> Reference:
        """How answers fall out, of which these were counted by column."""
        if self.x is not None:
            return smoothed(self.x, counts.tolist())
        number, total, squares = counts.tolist()
        # Half an answer at each end and one in the middle, as `smoothed` would add.
        total *= self.totals[1]
        return three_point(number + 2, total, squares + TEN_THOUSAND**2)

    def widest(self) -> Reference:
        """What is taken for how answers fall out before there are any: each x as often."""
        if self.x is not None:
            return Reference(self.x, (1 / len(self.x),) * len(self.x))
        return three_point(3, 0.0, 2 * TEN_THOUSAND**2)

    def at(self, score: float) -> float:
        """The x of a score in the formula's unit."""
        return self.zero + self.slope * score

    def score(self, x: float) -> float:
        """The score in the formula's unit of a mean x."""
        return (x - self.zero) / self.slope

    def span(self, points: float) -> float:
        """A distance in the formula's unit, as one of x."""
        return abs(self.slope) * points


def weighing(formula: Formula, measure: Measure, *, lower_is_better: bool) -> Weighing | None:
    """The weighing of `formula`; None where its score is no mean. `measure` is the one it names."""
    found = _weighing(formula, measure)
    if found is None or not lower_is_better:
        return found
    x = None if found.x is None else tuple([-value for value in found.x])
    return Weighing(found.columns, x, -found.zero, -found.slope)


def _weighing(formula: Formula, measure: Measure) -> Weighing | None:
    scale = range(measure.low, measure.high + 1)
    match formula:
        case TopBox(at_least=least):
            return Weighing({str(r): int(r >= least) for r in scale}, (0, 1), 0, 0.01)
        case Share():
            return Weighing({"0": 0, "1": 1}, (0, 1), 0, 0.01)
        case Net(promoters=least, detractors=most):
            columns = {str(r): 2 if r >= least else int(r > most) for r in scale}
            return Weighing(columns, (-1, 0, 1), 0, 0.01)
        case Mean(as_percent=as_percent):
            columns = {str(r): place for place, r in enumerate(scale)}
            width = measure.high - measure.low
            zero, slope = (measure.low, width / 100) if as_percent else (0, 1)
            return Weighing(columns, tuple(scale), zero, slope)
        case Sentiment(statistic="net"):
            return Weighing({"negative": 0, "neutral": 1, "positive": 2}, (-1, 0, 1), 0, 0.01)
        case Sentiment():
            columns = dict.fromkeys(("negative", "neutral", "positive"), 0)
            return Weighing({**columns, "sum": 1, "sum_squares": 2}, None, 0, TEN_THOUSAND)
        case _:
            return None


def added_up(weighing: Weighing, counts: Mapping[int, int]) -> tuple[int, int]:
    """How many answers counts by column are, and the sum of their x."""
    answers, totals = weighing.answers, weighing.totals
    return (
        sum([answers[column] * count for column, count in counts.items()]),
        sum([totals[column] * count for column, count in counts.items()]),
    )
