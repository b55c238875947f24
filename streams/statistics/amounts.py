"""Intervals of amounts (a mean, a sum over a window, a ratio of two sums), and their tests.

Amounts are skewed: some orders are ten times as large as most. A t interval of a mean is then too
short above and too long below. What holds better, and needs no more than the sum of squares, is to
take the standard error to grow with the mean that is tried, as it does for amounts of every kind
(a constant coefficient of variation). Each test compares with Student's t, since the spread is
estimated from the same answers. `bench/interval_coverage.py` shows what each of them covers.

Equal amounts, or a single one, show no spread; a quarter of an answer as far from the mean as the
mean is from 0 is added, so no interval has width 0.

Without answers nothing is known; callers don't ask. Evidence is a z, as everywhere.
"""

from __future__ import annotations

import math

from streams.statistics.intervals import Interval, normal_quantile, proportion_below, wilson

# The share of an answer that is added to the spread.
PADDING = 0.25


def student_from_normal(z: float, freedom: float) -> float:
    """The value of Student's t at which its distribution is what the normal one is at `z`.

    Wallace (1959), Annals of Mathematical Statistics 30:1121-1130; at 95 % within 1.2 % from 3
    degrees of freedom on, and .2 % from 9 on.
    """
    shrunk = z * (8 * freedom + 3) / (8 * freedom + 1)
    exponent = min(shrunk * shrunk / freedom, 700.0)  # e^710 is more than a float holds
    return math.copysign(math.sqrt(freedom * math.expm1(exponent)), z)


def normal_from_student(t: float, freedom: float) -> float:
    """The inverse of `student_from_normal`."""
    if math.isinf(t):
        return t
    shrink = (8 * freedom + 1) / (8 * freedom + 3)
    return math.copysign(shrink * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def relative_error(answers: float, deviations: float, mean: float) -> float:
    """The standard error of a mean as a share of it; `deviations` are the summed squares."""
    spread = max(deviations, 0.0) / (mean * mean) + PADDING
    return math.sqrt(spread / (_freedom(answers) * answers))


def mean_interval(
    answers: float, total: float, squares: float, most: float, confidence: float = 0.95
) -> Interval:
    """Interval of a mean of amounts from 0 to `most`."""
    mean = total / answers
    if mean <= 0:
        return Interval(0.0, most * wilson(0, answers, confidence).upper)
    step = _step(answers, confidence) * relative_error(answers, squares - total * mean, mean)
    upper = mean / (1 - step) if step < 1 else most
    return Interval(mean / (1 + step), max(min(upper, most), mean))


def mean_below(answers: float, total: float, squares: float, most: float, floor: float) -> float:
    """Evidence that the true mean of amounts lies below `floor`."""
    mean = total / answers
    if mean <= 0:
        return proportion_below(0, answers, min(floor / most, 1.0))
    if floor <= 0:
        return -math.inf
    error = relative_error(answers, squares - total * mean, mean)
    return normal_from_student((floor - mean) / (error * floor), _freedom(answers))


def sum_interval(
    answers: float, total: float, squares: float, most: float, confidence: float = 0.95
) -> Interval:
    """Interval of what a window like this one brings on average: a sum of random many amounts.

    The number of amounts is taken to vary as chance has it (compound Poisson), so the variance of
    the sum is the sum of squares. As if all amounts were equally large there are fewer of them,
    total² / squares, and their number has its score interval.
    """
    if total <= 0:
        return Interval(0.0, answers * most * wilson(0, answers, confidence).upper)
    size = squares / total
    number, t = total / size, student_from_normal(normal_quantile(confidence), answers)
    half = t * math.sqrt(number + t * t / 4)
    centre = number + t * t / 2
    return Interval(max(size * (centre - half), 0.0), size * (centre + half))


def sum_below(answers: float, total: float, squares: float, floor: float) -> float:
    """Evidence that a window like this one brings less than `floor` on average."""
    if floor <= 0:
        return -math.inf if total > 0 else 0.0
    if total <= 0:
        return math.inf
    size = squares / total
    t = (floor - total) / size / math.sqrt(floor / size)
    return normal_from_student(t, answers)


def ratio_interval(
    answers: float, above: float, below: float, residuals: float, confidence: float = 0.95
) -> Interval:
    """Interval of a ratio of two sums, by the delta method on its logarithm.

    `residuals` are the summed squares of `above - ratio * below` over all answers (Cochran 1977,
    section 6.3). Swapping the two sums gives the reciprocal interval. `above` and `below` are
    above 0.
    """
    error = relative_error(answers, residuals, above / answers)
    step = _step(answers, confidence) * error
    ratio = above / below
    return Interval(ratio * math.exp(-step), ratio * math.exp(min(step, 700.0)))


def ratio_below(
    answers: float, above: float, below: float, residuals: float, floor: float
) -> float:
    """Evidence that the true ratio lies below `floor`."""
    if floor <= 0:
        return -math.inf
    error = relative_error(answers, residuals, above / answers)
    return normal_from_student(math.log(floor * below / above) / error, _freedom(answers))


def _freedom(answers: float) -> float:
    return max(answers - 1 + PADDING, PADDING)


def _step(answers: float, confidence: float) -> float:
    return student_from_normal(normal_quantile(confidence), _freedom(answers))
