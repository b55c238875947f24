"""Confidence intervals of proportions, nets and bounded means, and the tests that match them.

Each interval is the set of true scores that a test does not reject, so both come in pairs:
`…_below(…, floor)` is above the normal quantile of a confidence exactly where the upper bound
lies below `floor`. Evidence is a z: positive speaks for a true score below the floor.

Everywhere: without answers the interval is the whole scale and the evidence 0; one answer, or
answers that are all the same, give an interval of a width that fits their number, never zero.
`streams.statistics.rating_mean` has the pair for ratings.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()


class Interval(NamedTuple):
    """Bounds of a true score."""

    lower: float
    upper: float

    def clipped(self, low: float, high: float) -> Interval:
        """The part of it that lies on the scale from `low` to `high`."""
        return Interval(min(max(self.lower, low), high), max(min(self.upper, high), low))

    def scaled(self, factor: float) -> Interval:
        """In another unit, `factor` (positive) of which are one of this."""
        return Interval(self.lower * factor, self.upper * factor)

    def shifted(self, distance: float) -> Interval:
        """Moved up the scale by `distance`."""
        return Interval(self.lower + distance, self.upper + distance)


@cache
def normal_quantile(confidence: float) -> float:
    """The z of a two-sided interval: 1.96 for .95. ValueError unless 0 < `confidence` < 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def probability(z: float) -> float:
    """The normal distribution function at `z`."""
    return _NORMAL.cdf(z)


def wilson(successes: float, answers: float, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion, 0 to 1.

    Wilson (1927), JASA 22:209-212; without continuity correction (Newcombe 1998, method 3).
    """
    if not answers:
        return Interval(0.0, 1.0)
    z_squared = normal_quantile(confidence) ** 2
    share = successes / answers
    spread = z_squared * (share * (1 - share) / answers + z_squared / (4 * answers**2))
    centre, half = share + z_squared / (2 * answers), math.sqrt(spread)
    shrink = 1 + z_squared / answers
    # Exact at the ends, where rounding would leave a bound of 1e-17.
    lower = (centre - half) / shrink if successes else 0.0
    upper = (centre + half) / shrink if successes < answers else 1.0
    return Interval(lower, upper)


def proportion_below(successes: float, answers: float, floor: float) -> float:
    """Evidence that a proportion lies below `floor`: the score test behind `wilson`."""
    if not answers:
        return 0.0
    return standardised(floor - successes / answers, floor * (1 - floor) / answers)


def moments_interval(
    answers: float, total: float, squares: float, confidence: float = 0.95
) -> Interval:
    """Adjusted Wald interval of a mean of values from -1 to 1, from their sum and sum of squares.

    For a net promoter score each promoter is 1 and each detractor -1: then this is the interval
    of Rocks (2016), The American Statistician 70:365-372, which adds 3/4 promoter, 3/4 detractor
    and 3/2 passive whatever the confidence. The same three answers keep a mean of sentiment
    honest where few answers, or equal ones, show no spread (`bench/interval_coverage.py`).
    Not clipped: a bound may leave the scale.
    """
    if not answers:
        return Interval(-1.0, 1.0)
    centre, variance = _adjusted(answers, total, squares)
    half = normal_quantile(confidence) * math.sqrt(variance)
    return Interval(centre - half, centre + half)


def moments_below(answers: float, total: float, squares: float, floor: float) -> float:
    """Evidence that a mean of values from -1 to 1 lies below `floor`."""
    if not answers:
        return 0.0
    centre, variance = _adjusted(answers, total, squares)
    return standardised(floor - centre, variance)


def standardised(difference: float, variance: float) -> float:
    """A z; a variance of 0 (a floor at the scale's end) makes any difference certain."""
    if variance > 0:
        return difference / math.sqrt(variance)
    return math.copysign(math.inf, difference) if difference else 0.0


def _adjusted(answers: float, total: float, squares: float) -> tuple[float, float]:
    """Mean, and its variance, with 3/4 of an answer added at -1, 3/2 at 0 and 3/4 at 1."""
    padded = answers + 3
    centre = total / padded
    return centre, ((squares + 1.5) / padded - centre * centre) / padded
