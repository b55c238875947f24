"""The sample of a composite: a weighted mean of parts that may share respondents.

Every part is a mean of positions from 0 to 1 (a net score of -100 to 100 moved to that range). So
the composite is a weighted sum of means, and its variance is wᵀΣw. Who answers two parts counts in
both, which makes their means vary together: without these covariances the interval of three parts
with correlated answers is 1.3 to 1.6 times too narrow.

The interval is Wilson's, for as many answers as a share with this variance would have. Half an
answer is added at each end of each part's scale before its variance is taken, so parts that all
agree still vary (`bench/interval_coverage.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Self, assert_never

from streams.kpis.combined import CompositeOf
from streams.kpis.formulas import Formula, Mean, Net, Sentiment, Share, Sum, TopBox
from streams.ledger.joints import joint_id, ordered_pair
from streams.statistics.intervals import Interval, proportion_below, wilson

if TYPE_CHECKING:
    from streams.kpis.combined import Part
    from streams.ledger.layout import Measure

Counts = Mapping[str, int]

# Covariances may outweigh variances by an error of rounding.
_LEAST_VARIANCE = 1e-12


class CompositeMean(NamedTuple):
    """A composite from 0 to 1, shown in percent.

    `answers` are those of the part that has the fewest. `position` is None where a part is missing
    and the file says to withhold; `padded` is the position with the added answers.
    """

    answers: float
    position: float | None
    padded: float
    variance: float

    @property
    def value(self) -> float | None:
        """In percent; None where it is withheld."""
        return None if self.position is None else 100 * self.position

    def interval(self, confidence: float) -> Interval:
        """Wilson's, of as many answers as it is worth."""
        worth = self.worth
        return wilson((self.position or 0.0) * worth, worth, confidence).scaled(100)

    def below(self, floor: float) -> float:
        """Evidence, as a one-sided z, that the true score lies below `floor`."""
        if self.position is None:
            return 0.0
        return proportion_below(self.position * self.worth, self.worth, floor / 100)

    def thinned(self, design_effect: float) -> Self:
        """As many independent answers as these are worth."""
        return self._replace(
            answers=self.answers / design_effect, variance=self.variance * design_effect
        )

    @property
    def worth(self) -> float:
        """How many answers a share of this variance would have."""
        return self.padded * (1 - self.padded) / self.variance


def composite_mean(formula: CompositeOf, counts: Mapping[str, Counts]) -> CompositeMean:
    """What the cells of all measures, by their names, say about a composite."""
    leaves = [*_leaves(formula, counts)]
    answered = [leaf for leaf in leaves if leaf.answers]
    fewest = min((leaf.answers for leaf in answered), default=0)
    weights = _weights(formula, iter(leaves))
    if weights is None:
        return CompositeMean(fewest, None, 0.5, 1.0)
    used = [(leaf, weight) for leaf, weight in zip(leaves, weights, strict=True) if weight]
    return CompositeMean(
        min(leaf.answers for leaf, _ in used),
        sum(weight * leaf.mean for leaf, weight in used),
        sum(weight * leaf.padded_mean for leaf, weight in used),
        max(_variance(used, counts), _LEAST_VARIANCE),
    )


def weights_used(formula: CompositeOf, counts: Mapping[str, Counts]) -> dict[str, float]:
    """The weight of each part in the score, 0 for a missing one; all 0 where it is withheld."""
    given = [part.weight if _is_known(part, counts) else 0.0 for part in formula.parts]
    total = sum(given)
    withheld = not total or (not formula.renormalise and 0.0 in given)
    return {
        part.name: 0.0 if withheld else weight / total
        for part, weight in zip(formula.parts, given, strict=True)
    }


class Ingredient(NamedTuple):
    """A part of a composite as it went into the score: `mean` and its variance from 0 to 1."""

    measure: str
    weight: float
    answers: int
    mean: float
    padded_mean: float
    variance: float


def ingredients(formula: CompositeOf, counts: Mapping[str, Counts]) -> list[Ingredient]:
    """The parts with weight in the score, down to single measures; none where it is withheld."""
    leaves = [*_leaves(formula, counts)]
    weights = _weights(formula, iter(leaves)) or []
    return [
        Ingredient(
            leaf.measure.name,
            weight,
            leaf.answers,
            leaf.mean,
            leaf.padded_mean,
            leaf.variance_of_mean,
        )
        for leaf, weight in zip(leaves, weights, strict=False)
        if weight
    ]


class _Leaf(NamedTuple):
    """One KPI over one measure: how often each position was answered."""

    measure: Measure
    positions: Mapping[str, float]
    counts: Counts
    answers: int
    mean: float

    @property
    def padded_mean(self) -> float:
        return (self.mean * self.answers + 0.5) / (self.answers + 1)

    @property
    def variance_of_mean(self) -> float:
        squares = math.fsum(n * self.positions[v] ** 2 for v, n in self.counts.items())
        spread = (squares + 0.5) / (self.answers + 1) - self.padded_mean**2
        return spread / self.answers


def _leaves(formula: CompositeOf, counts: Mapping[str, Counts]) -> Iterator[_Leaf]:
    """The parts over one measure, in the order in which the file names them."""
    for part in formula.parts:
        if isinstance(part.formula, CompositeOf):
            yield from _leaves(part.formula, counts)
        elif part.measure is not None:
            positions = _positions(part.formula, part.measure)
            found = counts.get(part.measure.cell_id, {})
            given = {value: found.get(value, 0) for value in positions}
            answers = sum(given.values())
            total = math.fsum(n * positions[value] for value, n in given.items())
            yield _Leaf(part.measure, positions, given, answers, total / max(answers, 1))


def _weights(formula: CompositeOf, leaves: Iterator[_Leaf]) -> list[float] | None:
    """The weight of each leaf, 0 for one that is left out; None where the score is withheld."""
    found: list[list[float]] = []
    known: list[float] = []
    for part in formula.parts:
        if isinstance(part.formula, CompositeOf):
            inner = [*_weights_or_none(part.formula, leaves)]
        else:
            inner = [1.0 if next(leaves).answers else 0.0]
        found.append([part.weight * weight for weight in inner])
        known.append(part.weight if any(inner) else 0.0)
    total = sum(known)
    if not total or (not formula.renormalise and 0.0 in known):
        return None
    return [weight / total for inner in found for weight in inner]


def _weights_or_none(formula: CompositeOf, leaves: Iterator[_Leaf]) -> list[float]:
    """The weights of an inner composite; all 0 where it is withheld."""
    own = [next(leaves) for _ in range(_leaf_count(formula))]
    return _weights(formula, iter(own)) or [0.0] * len(own)


def _leaf_count(formula: CompositeOf) -> int:
    return sum(
        _leaf_count(part.formula) if isinstance(part.formula, CompositeOf) else 1
        for part in formula.parts
    )


def _is_known(part: Part, counts: Mapping[str, Counts]) -> bool:
    if isinstance(part.formula, CompositeOf):
        leaves = _leaves(part.formula, counts)
        return _weights(part.formula, leaves) is not None
    alone = CompositeOf((part,), renormalise=True)
    return any(leaf.answers for leaf in _leaves(alone, counts))


def _variance(used: list[tuple[_Leaf, float]], counts: Mapping[str, Counts]) -> float:
    """wᵀΣw."""
    variance = sum(weight**2 * leaf.variance_of_mean for leaf, weight in used)
    for place, (one, weight) in enumerate(used):
        for other, other_weight in used[:place]:
            variance += 2 * weight * other_weight * _covariance(one, other, counts)
    return variance


def _covariance(one: _Leaf, other: _Leaf, counts: Mapping[str, Counts]) -> float:
    """The covariance of two means: over those who answered both, of all who answered either."""
    if one.measure == other.measure:
        pairs = ((value, value, n) for value, n in one.counts.items())
    else:
        first, second = ordered_pair(one.measure, other.measure)
        joint = counts.get(joint_id(first, second), {})
        one, other = (one, other) if one.measure == first else (other, one)
        pairs = ((*value.split(","), n) for value, n in joint.items())  # type: ignore[misc]
    # Exactly rounded, so that the order in which cells came to be known plays no part.
    shared = math.fsum(
        n * (one.positions[a] - one.mean) * (other.positions[b] - other.mean) for a, b, n in pairs
    )
    return shared / (one.answers * other.answers)


@cache
def _positions(formula: Formula, measure: Measure) -> Mapping[str, float]:
    """Where each answer stands between 0 and 1."""
    ratings = range(measure.low, measure.high + 1)
    match formula:
        case TopBox(at_least=least):
            return {str(rating): float(rating >= least) for rating in ratings}
        case Net(promoters=promoters, detractors=detractors):
            return {
                str(rating): ((rating >= promoters) - (rating <= detractors) + 1) / 2
                for rating in ratings
            }
        case Mean():
            width = measure.high - measure.low
            return {str(rating): (rating - measure.low) / width for rating in ratings}
        case Share():
            return {"0": 0.0, "1": 1.0}
        case Sentiment():
            return {"negative": 0.0, "neutral": 0.5, "positive": 1.0}
        case Sum():
            raise ValueError("a sum has no range; streams.kpis.references refuses it as a part")
    assert_never(formula)
