"""Tails of the beta-binomial distribution: of `trials`, each a success with a share that is drawn.

The share is drawn once, from a beta distribution with shapes `alpha` and `beta`. It is also how a
sum of two negative binomial counts of these sizes is divided between them, whatever their mean.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Terms fall ever faster once past the mode: after one this small there is nothing to add.
_NEGLIGIBLE: Final = 1e-17


def at_most(successes: int, trials: int, alpha: float, beta: float) -> float:
    """P(at most `successes`), 0 <= `successes` <= `trials`, both shapes above 0."""

    def lower(k: int) -> float:
        """P(k - 1) over P(k)."""
        return k * (trials - k + beta) / ((trials - k + 1) * (k - 1 + alpha))

    first = _log_probability(successes, trials, alpha, beta)
    return _tail(first, range(successes, 0, -1), lower)


def at_least(successes: int, trials: int, alpha: float, beta: float) -> float:
    """P(at least `successes`), 0 <= `successes` <= `trials`, both shapes above 0."""

    def higher(k: int) -> float:
        """P(k + 1) over P(k)."""
        return (trials - k) * (k + alpha) / ((k + 1) * (trials - k - 1 + beta))

    first = _log_probability(successes, trials, alpha, beta)
    return _tail(first, range(successes, trials), higher)


def _log_probability(k: int, trials: int, alpha: float, beta: float) -> float:
    return (
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + _log_beta(k + alpha, trials - k + beta) - _log_beta(alpha, beta)
    )  # fmt: skip


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _tail(log_first: float, steps: range, ratio: Callable[[int], float]) -> float:
    """The sum of probabilities, in units of the first, which may be tiny."""
    total = term = 1.0
    for step in steps:
        factor = ratio(step)
        term *= factor
        total += term
        if factor < 1 and term < _NEGLIGIBLE * total:
            break
    return min(1.0, math.exp(log_first + math.log(total)))
