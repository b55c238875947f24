"""Samples: what a tally says about one formula, in the formula's unit.

A sample knows its answers, its value, its interval, and the evidence that the true score lies below
a floor; the last two come from the same test.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, assert_never

from streams.kpis.combined import CompositeOf, ConsistencyOf, GapOf, ProductOf, RatioOf
from streams.kpis.formulas import Mean, Net, Sentiment, Share, Sum, TopBox
from streams.ledger.cells import SEPARATOR
from streams.scores.amounts import amount_mean, amount_sum, sum_ratio
from streams.scores.composites import composite_mean
from streams.scores.consistency import segment_spread
from streams.statistics.intervals import (
    moments_below,
    moments_interval,
    proportion_below,
    wilson,
)
from streams.statistics.rating_mean import mean_below, mean_interval

if TYPE_CHECKING:
    from streams.kpis.combined import Resolved
    from streams.kpis.formulas import Formula
    from streams.ledger.layout import Measure
    from streams.statistics.intervals import Interval

Tally = Mapping[str, int]
"""Cell value to count, of one measure, one segment and one window; what is absent counts 0."""

TEN_THOUSAND = 10_000
"""The compound score is summed in 1/10,000 (`streams.events.sentiment.ten_thousandths`)."""


class Sample(Protocol):
    """What a tally says about one formula, in the formula's unit.

    `value` and `interval` need at least one answer.
    """

    @property
    def answers(self) -> float:
        """How many answers stand behind it; whole, unless it is `thinned`."""

    @property
    def value(self) -> float | None:
        """The score; None where answers are not enough to know it, as of a missing part."""

    def interval(self, confidence: float) -> Interval:
        """The true scores that the answers do not speak against."""

    def below(self, floor: float) -> float:
        """Evidence, as a one-sided z, that the true score lies below `floor`."""

    def thinned(self, design_effect: float) -> Self:
        """As many independent answers as these are worth (Kish 1965, section 8.2).

        Every count and sum is divided, so means and shares stay what they are.
        """


class _Percent(NamedTuple):
    """A share of the answers."""

    successes: float
    answers: float

    def thinned(self, design_effect: float) -> Self:
        return self._replace(
            successes=self.successes / design_effect, answers=self.answers / design_effect
        )

    @property
    def value(self) -> float:
        return 100 * self.successes / self.answers

    def interval(self, confidence: float) -> Interval:
        return wilson(self.successes, self.answers, confidence).scaled(100)

    def below(self, floor: float) -> float:
        return proportion_below(self.successes, self.answers, floor / 100)


class _BoundedMean(NamedTuple):
    """A mean of values from -1 to 1, shown times `unit`."""

    answers: float
    total: float
    squares: float
    unit: int

    def thinned(self, design_effect: float) -> Self:
        return self._replace(
            answers=self.answers / design_effect,
            total=self.total / design_effect,
            squares=self.squares / design_effect,
        )

    @property
    def value(self) -> float:
        return self.unit * self.total / self.answers

    def interval(self, confidence: float) -> Interval:
        interval = moments_interval(self.answers, self.total, self.squares, confidence)
        return interval.clipped(-1, 1).scaled(self.unit)

    def below(self, floor: float) -> float:
        return moments_below(self.answers, self.total, self.squares, floor / self.unit)


class _RatingMean(NamedTuple):
    """A mean of ratings, shown on a scale from 0 to 100 or on the measure's own."""

    counts: Mapping[int, float]
    low: int
    high: int
    as_percent: bool

    def thinned(self, design_effect: float) -> Self:
        return self._replace(counts={r: count / design_effect for r, count in self.counts.items()})

    @property
    def answers(self) -> float:
        return sum(self.counts.values())

    @property
    def value(self) -> float:
        total = sum(rating * count for rating, count in self.counts.items())
        if not self.as_percent:
            return total / self.answers
        return 100 * (total - self.low * self.answers) / (self._width * self.answers)

    def interval(self, confidence: float) -> Interval:
        interval = mean_interval(self.counts, self.low, self.high, confidence)
        if not self.as_percent:
            return interval
        return interval.shifted(-self.low).scaled(100 / self._width)

    def below(self, floor: float) -> float:
        if self.as_percent:
            floor = self.low + floor * self._width / 100
        return mean_below(self.counts, self.low, self.high, floor)

    @property
    def _width(self) -> int:
        return self.high - self.low


def sample(formula: Resolved, measure: Measure, tally: Tally) -> Sample:
    """What `tally` says about `formula`; `measure` must be the one that the formula names.

    The tally of a formula over several measures has the cell's measure before each value
    (`streams.counts.projection.Group`).
    """
    if isinstance(formula, RatioOf):
        return sum_ratio(formula, by_measure(tally))
    if isinstance(formula, CompositeOf):
        return composite_mean(formula, by_measure(tally))
    if isinstance(formula, ConsistencyOf):
        return segment_spread(formula, measure, tally, sample)
    if isinstance(formula, GapOf | ProductOf):
        raise TypeError("is made of rows, not of a tally; see streams.scores.derived")
    if measure.kind == "amount":
        found = amount_sum if isinstance(formula, Sum) else amount_mean
        return found(measure, tally)
    return _sample(formula, measure, tally)


def by_measure(tally: Tally) -> dict[str, dict[str, int]]:
    """The tally of several measures as one of each, by the names in their cells."""
    found: dict[str, dict[str, int]] = {}
    for key, count in tally.items():
        cell_id, _, value = key.partition(SEPARATOR)
        found.setdefault(cell_id, {})[value] = count
    return found


def _sample(formula: Formula, measure: Measure, tally: Tally) -> Sample:
    low, high = measure.low, measure.high
    match formula:
        case TopBox(at_least=least):
            return _Percent(_ratings(tally, least, high), _ratings(tally, low, high))
        case Net(promoters=least, detractors=most):
            promoters, detractors = _ratings(tally, least, high), _ratings(tally, low, most)
            return _net(promoters, detractors, _ratings(tally, low, high))
        case Mean(as_percent=as_percent):
            counts = {rating: tally.get(cell, 0) for rating, cell in _scale(low, high)}
            return _RatingMean(counts, low, high, as_percent)
        case Share():
            return _Percent(tally.get("1", 0), tally.get("0", 0) + tally.get("1", 0))
        case Sentiment(statistic="net"):
            return _net(tally.get("positive", 0), tally.get("negative", 0), _comments(tally))
        case Sentiment():
            total = tally.get("sum", 0) / TEN_THOUSAND
            squares = tally.get("sum_squares", 0) / TEN_THOUSAND**2
            return _BoundedMean(_comments(tally), total, squares, unit=1)
        case Sum():
            raise ValueError("a sum is of a measure of kind amount")
    assert_never(formula)


def _net(promoters: int, detractors: int, answers: int) -> _BoundedMean:
    """Points, each promoter being 1 and each detractor -1."""
    return _BoundedMean(answers, promoters - detractors, promoters + detractors, unit=100)


def _comments(tally: Tally) -> int:
    return sum([tally.get(polarity, 0) for polarity in ("positive", "neutral", "negative")])


def _ratings(tally: Tally, least: int, most: int) -> int:
    """How many ratings were given from `least` to `most`."""
    return sum([tally.get(cell, 0) for _, cell in _scale(least, most)])


@cache
def _scale(low: int, high: int) -> tuple[tuple[int, str], ...]:
    """Each rating from `low` to `high` with its cell value."""
    return tuple((rating, str(rating)) for rating in range(low, high + 1))
