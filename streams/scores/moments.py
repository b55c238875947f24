"""What attribution needs of a tally: how many answers, their sum and their sum of squares.

Every score that is a mean of what each answer is worth comes down to these: a satisfied answer is
worth 100 and an unsatisfied 0, a promoter 100 and a detractor -100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.counts.outcomes import outcomes
from streams.kpis.formulas import Mean, Net, Sentiment, Share, TopBox
from streams.scores.samples import TEN_THOUSAND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.kpis.combined import Resolved
    from streams.ledger.layout import Measure
    from streams.scores.samples import Tally


class Moments(NamedTuple):
    """Answers, and what they are worth in the score's unit: its sum and its sum of squares."""

    answers: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The score. ZeroDivisionError without answers."""
        return self.total / self.answers

    def plus(self, other: Moments) -> Moments:
        """Both together."""
        return Moments(
            self.answers + other.answers, self.total + other.total, self.squares + other.squares
        )


NOTHING = Moments(0, 0.0, 0.0)


def pooled(moments: Iterable[Moments]) -> Moments:
    """All of them together."""
    together = NOTHING
    for each in moments:
        together = together.plus(each)
    return together


def is_mean(formula: Resolved, measure: Measure) -> bool:
    """Whether a score is the mean of what each answer is worth, within known bounds.

    The mean of an amount is not: nothing bounds what one answer may be worth.
    """
    return isinstance(formula, TopBox | Net | Mean | Share | Sentiment) and measure.kind != "amount"


def moments(formula: Resolved, measure: Measure, tally: Tally) -> Moments | None:
    """The moments of `tally` in the unit of the score; None where that is no mean of answers.

    `measure` must be the one that the formula names.
    """
    if not is_mean(formula, measure):
        return None
    found = outcomes(formula, measure, tally)
    match formula:
        case TopBox():
            return _worth(found, {"satisfied": 100, "unsatisfied": 0})
        case Net():
            return _worth(found, {"promoter": 100, "passive": 0, "detractor": -100})
        case Share():
            return _worth(found, {"yes": 100, "no": 0})
        case Mean(as_percent=as_percent):
            unit = 100 / (measure.high - measure.low) if as_percent else 1
            zero = measure.low if as_percent else 0
            return _worth(found, {rating: (int(rating) - zero) * unit for rating in found})
        case Sentiment(statistic="net"):
            return _worth(found, {"positive": 100, "neutral": 0, "negative": -100})
        case Sentiment():
            total = tally.get("sum", 0) / TEN_THOUSAND
            squares = tally.get("sum_squares", 0) / TEN_THOUSAND**2
            return Moments(sum(found.values()), total, squares)
        case _:
            return None


def _worth(counts: Mapping[str, int], worth: Mapping[str, float]) -> Moments:
    return Moments(
        sum(counts.values()),
        sum([count * worth[outcome] for outcome, count in counts.items()]),
        sum([count * worth[outcome] ** 2 for outcome, count in counts.items()]),
    )
