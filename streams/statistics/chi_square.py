"""The upper tail of the chi-square distribution, for whole degrees of freedom.

For these the tail is a sum of positive terms (Abramowitz & Stegun 1964, 26.4.4 and 26.4.5), so
nothing cancels, and a p value of 1e-300 is as exact as one of .5.
"""

from __future__ import annotations

import math
import sys

_SMALLEST = sys.float_info.min  # half of a smaller one is 0, which has no logarithm


def chi_square_tail(statistic: float, degrees: int) -> float:
    """P(a chi-square variable with `degrees` degrees of freedom is at least `statistic`).

    ValueError for negative degrees; with none the variable is always 0.
    """
    if degrees < 0:
        raise ValueError(f"degrees of freedom can't be {degrees}")
    if statistic <= 0 or not degrees:
        return 1.0 if statistic <= 0 else 0.0
    half = max(statistic / 2, _SMALLEST)
    if degrees % 2:
        first, tail = 0.5, math.erfc(math.sqrt(half))
    else:
        first, tail = 0.0, 0.0
    powers = [first + step for step in range(degrees // 2)]
    # Of each power p: half^p e^-half / Gamma(p + 1); in logarithms, or large ones overflow.
    log_half = math.log(half)
    terms = [math.exp(p * log_half - half - math.lgamma(p + 1)) for p in powers]
    return min(1.0, math.fsum([tail, *terms]))
