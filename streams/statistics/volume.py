"""How many answers an hour of the week brings, and how far from it is beyond chance.

The same hours of earlier weeks tell the mean. How they scatter around it gives one factor of
over-dispersion for all of the week, by moments:

    variance = mean + dispersion * mean²

as of negative binomial counts of size 1/dispersion (Lawless 1987, Canadian Journal of Statistics
15:209-225). The mean is known from a few weeks only, and to take it as known makes twice as many
false alarms. So a count is judged beside those of the earlier weeks: given the sum of all, it is
beta-binomial whatever the mean (with no over-dispersion, binomial: the exact test of two Poisson
counts, Przyborowski & Wilenski 1940, Biometrika 31:313-323).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from streams.statistics.beta_binomial import at_least, at_most

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

HOURS_IN_QUARTER: Final = 91 * 24

# Less is as good as none, and 1/0 is no size.
_LEAST_DISPERSION: Final = 1e-6

# Beyond it, but for rounding, all answers of a span come in one hour: nothing is shared.
_ALL_IN_ONE: Final = 1 - 1e-9


class Expected(NamedTuple):
    """What a span brought in earlier weeks: the sum of so many, and how counts scatter."""

    earlier: int
    weeks: int
    dispersion: float

    @property
    def mean(self) -> float:
        """How many answers such a span brings."""
        return self.earlier / self.weeks

    def tail(self, answers: int) -> float:
        """P(so few, or so many, answers): of the side on which `answers` lies."""
        size = 1 / max(self.dispersion, _LEAST_DISPERSION)
        tail = at_most if answers < self.mean else at_least
        return tail(answers, self.earlier + answers, size, size * self.weeks)


def dispersion(weeks: ArrayLike) -> float:
    """The over-dispersion of a table of counts: a row a week, a column each span of the week.

    Moments: Σ(s² - m) / Σ(m² - s²/weeks) over the columns, whose means m and unbiased variances
    s² these are; never below 0. ValueError for fewer than two weeks.
    """
    table = np.asarray(weeks, float)
    count = len(table)
    if count < 2:
        raise ValueError(f"scatter between weeks needs two of them, not {count}")
    means, variances = table.mean(axis=0), table.var(axis=0, ddof=1)
    excess = float(np.sum(variances - means))
    squares = float(np.sum(means * means - variances / count))
    return max(excess / squares, 0.0) if squares > 0 else 0.0


class Scatter(NamedTuple):
    """How spans of hours scatter beyond chance: the dispersion of one hour, and what hours share.

    Hours that scatter each on their own even out in a longer span, the less so the more of its
    answers come in a few of them; a rainy day does not even out. `concentration` is Σm²/(Σm)² over
    the means m of a span's hours, 1 where all answers come in one of them. Where hours vary with
    dispersion `own` and any two together with `shared`, a span's dispersion is
    own · concentration + shared · (1 - concentration).
    """

    own: float
    shared: float

    @classmethod
    def of(cls, hours: Estimate, spans: Estimate, concentration: float) -> Scatter:
        """From what hours and spans of `concentration` show; taken high, as `Estimate.surely`."""
        shared = 0.0
        if concentration < _ALL_IN_ONE:
            rest = spans.surely - hours.dispersion * concentration
            shared = max(rest / (1 - concentration), 0.0)
        return cls(hours.surely, shared)

    def dispersion(self, concentration: float) -> float:
        """That of a span whose answers come in few of its hours, or in many."""
        return self.own * concentration + self.shared * (1 - concentration)


class Estimate(NamedTuple):
    """A dispersion, and from how many independent differences between weeks it is known."""

    dispersion: float
    differences: float

    @property
    def surely(self) -> float:
        """The dispersion, raised by two standard errors of its own.

        Taken too low it makes false alarms, taken too high silence only takes longer to see.
        """
        return self.dispersion * (1 + 2 * math.sqrt(2 / self.differences))


def look_level(false_alarms_per_quarter: float, spans: int) -> float:
    """The tail at which a look raises, where `spans` spans are looked at each hour on both sides.

    Each look raises with this probability at most, and there are as many as hours in a quarter
    times spans times 2; so the budget holds however the looks hang together.
    """
    return false_alarms_per_quarter / (HOURS_IN_QUARTER * spans * 2)
