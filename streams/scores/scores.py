"""Scores: what a tally of answers says about a KPI, and how sure that is.

Nothing is rounded here. The interval shown and the evidence against a floor come from the same
test, so a score whose upper bound lies below the floor always has evidence above 1.96, and the
other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, assert_never

import msgspec

from streams.kpis.formulas import Mean, Net, Sentiment, Share, TopBox
from streams.statistics.intervals import (
    moments_below,
    moments_interval,
    probability,
    proportion_below,
    wilson,
)
from streams.statistics.rating_mean import mean_below, mean_interval

if TYPE_CHECKING:
    from streams.kpis.formulas import Formula
    from streams.ledger.layout import Measure
    from streams.statistics.intervals import Interval

Tally = Mapping[str, int]
"""Cell value to count, of one measure, one segment and one window; what is absent counts 0."""

TEN_THOUSAND = 10_000
"""The compound score is summed in 1/10,000 (`streams.events.sentiment.ten_thousandths`)."""


class Score(msgspec.Struct, frozen=True):
    """A score with its interval, in the formula's unit; all None where nobody answered.

    The interval lies on the formula's scale and holds the score.
    """

    answers: int
    value: float | None
    lower: float | None
    upper: float | None


NOBODY = Score(answers=0, value=None, lower=None, upper=None)


def score(formula: Formula, measure: Measure, tally: Tally, confidence: float = 0.95) -> Score:
    """The score of `tally` by `formula`; `measure` must be the one that the formula names.

    Units: `top_box` and `share` in percent, `net` in points from -100 to 100, `mean` on the
    measure's scale or in percent of its range, sentiment's `mean` from -1 to 1.
    """
    sample = _sample(formula, measure, tally)
    if not sample.answers:
        return NOBODY
    value = sample.value
    lower, upper = sample.interval(confidence)
    # One promoter scores 100, and the interval of Rocks (2016) ends at 98.5.
    return Score(sample.answers, value, min(lower, value), max(upper, value))


def below(formula: Formula, measure: Measure, tally: Tally, floor: float) -> float:
    """Evidence that the true score lies below `floor`, as a one-sided z; `floor` in score's unit.

    Negative where the score lies above. 0 without answers; infinite only where `floor` is an end
    of the scale, which a single answer can disprove.
    """
    return _sample(formula, measure, tally).below(floor)


def answers(formula: Formula, measure: Measure, tally: Tally) -> int:
    """How many answers stand behind the score."""
    return _sample(formula, measure, tally).answers


def probability_below(evidence: float) -> float:
    """P(true score below floor) for the evidence of `below`: .5 where there is none."""
    return probability(evidence)


class _Sample(Protocol):
    """What a tally says about one formula, in the formula's unit."""

    @property
    def answers(self) -> int: ...
    @property
    def value(self) -> float: ...
    def interval(self, confidence: float) -> Interval: ...
    def below(self, floor: float) -> float: ...


class _Percent(NamedTuple):
    """A share of the answers."""

    successes: int
    answers: int

    @property
    def value(self) -> float:
        return 100 * self.successes / self.answers

    def interval(self, confidence: float) -> Interval:
        return wilson(self.successes, self.answers, confidence).scaled(100)

    def below(self, floor: float) -> float:
        return proportion_below(self.successes, self.answers, floor / 100)


class _BoundedMean(NamedTuple):
    """A mean of values from -1 to 1, shown times `unit`."""

    answers: int
    total: float
    squares: float
    unit: int

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

    counts: dict[int, int]
    low: int
    high: int
    as_percent: bool

    @property
    def answers(self) -> int:
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


def _sample(formula: Formula, measure: Measure, tally: Tally) -> _Sample:
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
