"""Samples of amounts: their mean, their sum, and the ratio of two sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from streams.ledger.joints import joint_base, joint_id, ordered_pair
from streams.statistics import amounts
from streams.statistics.intervals import Interval, wilson

if TYPE_CHECKING:
    from streams.kpis.combined import RatioOf
    from streams.ledger.layout import Measure
    from streams.scores.samples import Sample

Counts = Mapping[str, int]


class Amounts(NamedTuple):
    """The number of amounts, their sum and the sum of their squares, in the measure's unit."""

    answers: float
    total: float
    squares: float
    most: float

    @classmethod
    def of(cls, measure: Measure, counts: Counts) -> Self:
        """What the cells of an amount, or of a flag, say; a yes is 1."""
        unit = measure.smallest_units
        if measure.kind == "flag":
            yes = counts.get("1", 0)
            return cls(yes + counts.get("0", 0), yes, yes, 1)
        high, low = counts.get("squares_high", 0), counts.get("squares_low", 0)
        squares = high * (measure.high + 1) + low
        total = counts.get("sum", 0) / unit
        return cls(counts.get("count", 0), total, squares / unit**2, measure.high / unit)


class _AmountMean(NamedTuple):
    """The mean of amounts."""

    amounts: Amounts

    @property
    def answers(self) -> float:
        return self.amounts.answers

    @property
    def value(self) -> float:
        return self.amounts.total / self.amounts.answers

    def interval(self, confidence: float) -> Interval:
        return amounts.mean_interval(*self.amounts, confidence)

    def below(self, floor: float) -> float:
        return amounts.mean_below(*self.amounts, floor) if self.answers else 0.0

    def thinned(self, design_effect: float) -> Self:
        found = self.amounts
        return self._replace(
            amounts=found._replace(
                answers=found.answers / design_effect,
                total=found.total / design_effect,
                squares=found.squares / design_effect,
            )
        )


class _AmountSum(NamedTuple):
    """The sum of amounts; its interval is of what such a window brings on average."""

    amounts: Amounts

    @property
    def answers(self) -> float:
        return self.amounts.answers

    @property
    def value(self) -> float:
        return self.amounts.total

    def interval(self, confidence: float) -> Interval:
        return amounts.sum_interval(*self.amounts, confidence)

    def below(self, floor: float) -> float:
        found = self.amounts
        if not found.answers:
            return 0.0
        return amounts.sum_below(found.answers, found.total, found.squares, floor)

    def thinned(self, design_effect: float) -> Self:
        """The sum stays, made of fewer and larger independent amounts."""
        found = self.amounts
        return self._replace(
            amounts=found._replace(
                answers=found.answers / design_effect, squares=found.squares * design_effect
            )
        )


class SumRatio(NamedTuple):
    """The ratio of two sums over the same answers; `unit` 100 shows it in percent.

    An answer that lacks one of the two counts as 0 there. The ratio is not known while the sum
    below the line is 0. `products` is the sum of products over the answers that have both.
    """

    above: Amounts
    line: Amounts
    products: float
    unit: int

    @property
    def answers(self) -> float:
        """Those that have the measure below the line."""
        return self.line.answers

    @property
    def value(self) -> float | None:
        """The ratio; None while the sum below the line is 0."""
        return self.unit * self.above.total / self.line.total if self.line.total else None

    def interval(self, confidence: float) -> Interval:
        """By the delta method, in the unit shown."""
        answers, above, line = self.answers, self.above.total, self.line.total
        if not above:
            most = self.above.most * answers / line
            return Interval(0.0, self.unit * most * wilson(0, answers, confidence).upper)
        found = amounts.ratio_interval(answers, above, line, self._residuals, confidence)
        return found.scaled(self.unit)

    def below(self, floor: float) -> float:
        """Evidence, as a one-sided z, that the true ratio lies below `floor`."""
        if not (self.above.total and self.line.total and self.answers):
            return 0.0
        return amounts.ratio_below(
            self.answers, self.above.total, self.line.total, self._residuals, floor / self.unit
        )

    def thinned(self, design_effect: float) -> Self:
        """As many independent answers as these are worth."""
        thin = [
            each._replace(
                answers=each.answers / design_effect,
                total=each.total / design_effect,
                squares=each.squares / design_effect,
            )
            for each in (self.above, self.line)
        ]
        products = self.products / design_effect
        return self._replace(above=thin[0], line=thin[1], products=products)

    @property
    def _residuals(self) -> float:
        """The summed squares of what the line's amounts leave of those above, at this ratio."""
        ratio = self.above.total / self.line.total
        return self.above.squares - 2 * ratio * self.products + ratio * ratio * self.line.squares


def amount_mean(measure: Measure, counts: Counts) -> Sample:
    """What the cells of an amount say about its mean."""
    return _AmountMean(Amounts.of(measure, counts))


def amount_sum(measure: Measure, counts: Counts) -> Sample:
    """What the cells of an amount say about its sum."""
    return _AmountSum(Amounts.of(measure, counts))


def sum_ratio(formula: RatioOf, counts: Mapping[str, Counts]) -> SumRatio:
    """What the cells of both measures, by their names, say about a ratio."""
    of, to = formula.of, formula.to
    first, second = ordered_pair(of, to)
    joint = counts.get(joint_id(first, second), {})
    units = of.smallest_units * to.smallest_units
    if second.kind == "flag":
        products: float = joint.get("1,1", 0)
    elif first.kind == "flag":
        products = joint.get("1,sum", 0) / units
    else:
        high = joint.get("products_high", 0) * joint_base(first, second)
        products = (high + joint.get("products_low", 0)) / units
    return SumRatio(
        Amounts.of(of, counts.get(of.cell_id, {})),
        Amounts.of(to, counts.get(to.cell_id, {})),
        products,
        100 if formula.as_percent else 1,
    )
