"""Do segments differ by more than chance? The G-test, and the spread from best to worst.

The largest of several scores lies above the smallest by chance alone, the further the more there
are: ten channels of 50 answers, all with a true score of 80 %, spread by 17 points on average. So
a spread is told together with the test of whether all could be one, and with an interval that
holds for all pairs at once.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from streams.statistics.chi_square import chi_square_tail
from streams.statistics.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

MORE_THAN_CHANCE = 0.05
"""The p value below which segments are said to differ: of consistent ones, one in twenty is."""


class GTest(NamedTuple):
    """Twice the log of how much better each segment's own shares explain the counts."""

    statistic: float
    degrees_of_freedom: int
    p_value: float

    @property
    def more_than_chance(self) -> bool:
        """Whether segments that answer alike would rarely come out as different as these."""
        return self.p_value < MORE_THAN_CHANCE

    def divided(self, design_effect: float) -> GTest:
        """The test where answers are worth fewer (Rao & Scott 1981, JASA 76:221-230)."""
        if design_effect == 1 or not self.degrees_of_freedom:
            return self
        statistic = self.statistic / design_effect
        degrees = self.degrees_of_freedom
        return GTest(statistic, degrees, chi_square_tail(statistic, degrees))


def g_test(table: Sequence[Sequence[int]]) -> GTest:
    """Whether the rows (segments) of a table of counts share one distribution over its columns.

    G = 2 Σ observed · ln(observed / expected) with (rows - 1)(columns - 1) degrees of freedom,
    empty rows and columns left out. The p value is that of G over Williams's correction (1976,
    Biometrika 63:33-37; Sokal & Rohlf 1995, section 17.4), without which 30 answers a segment at
    95 % satisfied are called different too often. Rows must have the same length.
    """
    rows = [sum(row) for row in table]
    columns = [sum(column) for column in zip(*table, strict=True)]
    answers = sum(rows)
    filled_rows, filled_columns = (sum(map(bool, sums)) for sums in (rows, columns))
    degrees = max(filled_rows - 1, 0) * max(filled_columns - 1, 0)
    if not degrees:
        return GTest(0.0, 0, 1.0)
    terms = [
        observed * math.log(observed * answers / (row * column))
        for row, observations in zip(rows, table, strict=True)
        for column, observed in zip(columns, observations, strict=True)
        if observed
    ]
    statistic = max(2 * math.fsum(terms), 0.0)
    excess = (_spread_of(rows) - 1) * (_spread_of(columns) - 1)
    correction = 1 + excess / (6 * answers * degrees)
    return GTest(statistic, degrees, chi_square_tail(statistic / correction, degrees))


def _spread_of(sums: Sequence[int]) -> float:
    """The total times the sum of inverse counts: the number of cells squared where all are equal.

    In Williams's correction; it grows as the counts become uneven.
    """
    return sum(sums) * math.fsum([1 / each for each in sums if each])


class SegmentScore(NamedTuple):
    """A segment's score with its interval, all in one unit."""

    name: str
    value: float
    lower: float
    upper: float


class Spread(NamedTuple):
    """How far the highest score lies above the lowest, with the interval of the true distance."""

    highest: str
    lowest: str
    value: float
    lower: float
    upper: float


def simultaneous_confidence(confidence: float, segments: int) -> float:
    """The confidence that each interval needs for `spread` to hold with `confidence` (Bonferroni).

    There are segments · (segments - 1) / 2 pairs, and any may be the one that is furthest apart.
    """
    pairs = segments * (segments - 1) // 2
    return 1 - (1 - confidence) / max(pairs, 1)


def spread(segments: Sequence[SegmentScore]) -> Spread | None:
    """The distance between the highest and the lowest of the scores; None for fewer than two.

    The intervals of the scores must have `simultaneous_confidence`. Those of the pairs follow by
    the square-and-add rule (Newcombe 1998, Statistics in Medicine 17:873-890, method 10); where
    all of them hold, the true spread lies between the highest lower and the highest upper bound.
    So the interval holds at least as often as it says. Of equal scores the first is named.
    """
    if len(segments) < 2:
        return None
    highest = max(segments, key=lambda segment: segment.value)
    lowest = min(
        [segment for segment in segments if segment is not highest],
        key=lambda segment: segment.value,
    )
    bounds = [difference(above, below) for above, below in permutations(segments, 2)]
    return Spread(
        highest.name,
        lowest.name,
        highest.value - lowest.value,
        max(0.0, *[pair.lower for pair in bounds]),
        max(pair.upper for pair in bounds),
    )


def difference(above: SegmentScore, below: SegmentScore) -> Interval:
    """The interval of the true distance from `below` up to `above`, which may be negative.

    By the square-and-add rule, from the intervals of both.
    """
    distance = above.value - below.value
    down = math.hypot(above.value - above.lower, below.upper - below.value)
    up = math.hypot(above.upper - above.value, below.value - below.lower)
    return Interval(distance - down, distance + up)
