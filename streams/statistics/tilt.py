"""Exponential tilt: what answers look like when their score falls, and how much one tells of it.

A score is the mean of x over the answers: x is 0 or 1 for a share, -1, 0 or 1 for a net, the
scale's values for a mean; where lower is better, the same with its sign turned. `Reference` says
how often each x is given. Of all ways in which its score may fall, the tilt p·exp(θx) is the one
nearest to it (least Kullback-Leibler divergence), and it favours none: a test designed for
promoters who turn passive is blind to passives who turn detractors.

Between two tilts the log-likelihood ratio of an answer is a straight line in its x. So the evidence
of many answers needs only how many they are and the sum of their x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Halving an angle's bracket so often leaves 1e-13 of it.
_HALVINGS: Final = 50
# At this angle over the range of x, the share of the far end is below 1e-34.
_STEEPEST: Final = 80.0


class Unreachable(ValueError):
    """No tilt has the score asked for: it lies at or beyond the outermost answers."""


class Line(NamedTuple):
    """What answers weigh: `per_answer` each, and `per_x` times the sum of their x."""

    per_answer: float
    per_x: float

    def weight(self, answers: float, total: float) -> float:
        """The weight of so many answers with this sum of x."""
        return self.per_answer * answers + self.per_x * total

    def __neg__(self) -> Line:
        return Line(-self.per_answer, -self.per_x)

    def minus(self, other: Line) -> Line:
        """The line that weighs by how much this one weighs more than `other`."""
        return Line(self.per_answer - other.per_answer, self.per_x - other.per_x)


class Reference(NamedTuple):
    """How answers fall out: each possible x, and its probability."""

    x: tuple[float, ...]
    shares: tuple[float, ...]

    @property
    def score(self) -> float:
        """The mean of x."""
        return float(np.dot(self.x, self.shares))

    @property
    def variance(self) -> float:
        """The variance of x."""
        return float(np.dot((np.array(self.x) - self.score) ** 2, self.shares))

    def within_reach(self, score: float, margin: float = 0.0) -> bool:
        """Whether a tilt has this score; `margin` keeps it off the ends, in parts of the range."""
        low, high = min(self.x), max(self.x)
        kept = margin * (high - low)
        return low + kept < score < high - kept


def smoothed(x: Sequence[float], counts: Sequence[float]) -> Reference:
    """The reference that `counts` of each x show, half an answer added to each.

    So a value that nobody gave yet has a finite weight (Krichevsky & Trofimov 1981).
    """
    total = sum(counts) + len(counts) / 2
    return Reference(tuple(x), tuple([(count + 0.5) / total for count in counts]))


def three_point(answers: float, total: float, squares: float) -> Reference:
    """The reference of a measure of which only moments are counted: that of Gauss and Hermite.

    Three points have the mean and variance of the answers and, as with a normal distribution, no
    skew; the log-likelihood of many answers depends on little else.
    """
    mean = total / answers
    spread = max(3 * (squares / answers - mean * mean), 1e-6) ** 0.5
    return Reference((mean - spread, mean, mean + spread), (1 / 6, 2 / 3, 1 / 6))


def tilted(reference: Reference, scores: Floats) -> Floats:
    """The shares of each x ([score, x]) in the tilts of `reference` that have these scores.

    Raises `Unreachable` where there is none.
    """
    x = np.array(reference.x)
    return _tilted_by(_angles(reference, scores), x, np.array(reference.shares))


def moved(reference: Reference, score: float) -> Reference:
    """The tilt of `reference` that has this score. Raises `Unreachable` where there is none."""
    shares = tilted(reference, np.array([score]))[0]
    return Reference(reference.x, tuple(map(float, shares)))


def ratio(reference: Reference, good: float, bad: float) -> Line:
    """Log-likelihood ratio: score `bad` below the reference's against score `good` below it.

    With 0 ≤ `good` < `bad`, answers as expected weigh less than 0 together, and falling ones more.
    `good` is a dead band: what a score may fall without being news. Raises `Unreachable`.
    """
    score = reference.score
    first, second = _angles(reference, np.array([score - good, score - bad]))
    return _density(reference, second).minus(_density(reference, first))


def recovery_ratio(reference: Reference, drop: float) -> Line:
    """Log-likelihood ratio: score back at the reference's against still half of `drop` below it."""
    return -ratio(reference, 0.0, drop / 2)


def _density(reference: Reference, angle: float) -> Line:
    """The log density of a tilt relative to its reference: θx - log Σ p·exp(θx)."""
    x = np.array(reference.x)
    steepest = float(np.max(angle * x))
    norm = steepest + np.log(np.dot(reference.shares, np.exp(angle * x - steepest)))
    return Line(-float(norm), float(angle))


def _angles(reference: Reference, scores: Floats) -> Floats:
    """θ of the tilts that have these scores, by bisection."""
    x, shares = np.array(reference.x), np.array(reference.shares)
    if not all(reference.within_reach(float(score)) for score in scores):
        raise Unreachable(f"no tilt of answers from {x.min():g} to {x.max():g} has such a score")
    high = np.full(scores.shape, _STEEPEST / float(np.ptp(x)))
    low = -high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        under = _tilted_by(middle, x, shares) @ x < scores
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray((low + high) / 2)


def _tilted_by(angles: Floats, x: Floats, shares: Floats) -> Floats:
    exponents = np.multiply.outer(angles, x)
    weighed = shares * np.exp(exponents - exponents.max(axis=-1, keepdims=True))
    return np.asarray(weighed / weighed.sum(axis=-1, keepdims=True))
