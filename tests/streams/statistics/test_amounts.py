from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streams.statistics.amounts import (
    mean_below,
    mean_interval,
    normal_from_student,
    ratio_below,
    ratio_interval,
    student_from_normal,
    sum_below,
    sum_interval,
)
from streams.statistics.intervals import Interval, normal_quantile

Z = normal_quantile(0.95)
samples = st.lists(st.integers(0, 100), min_size=1, max_size=60).filter(any)


def moments(amounts: list[int]) -> tuple[int, int, int]:
    return len(amounts), sum(amounts), sum(a * a for a in amounts)


@pytest.mark.parametrize("freedom", [3, 5, 9, 29, 99, 999])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_students_quantiles(freedom: int, confidence: float) -> None:
    """Near scipy's; the fewer answers and the more confidence, the farther."""
    z = normal_quantile(confidence)
    expected = stats.t.ppf((1 + confidence) / 2, freedom)
    near = 0.002 if freedom >= 9 else 0.012 if confidence < 0.99 else 0.04
    assert student_from_normal(z, freedom) == pytest.approx(expected, rel=near)
    assert normal_from_student(student_from_normal(z, freedom), freedom) == pytest.approx(z)


@given(st.floats(-40, 40), st.floats(0.25, 1e6))
def test_students_quantiles_are_mirrored(z: float, freedom: float) -> None:
    """And grow with z."""
    t = student_from_normal(z, freedom)
    assert -t == student_from_normal(-z, freedom)
    assert abs(t) >= abs(z) * 0.999 or abs(z) < 1e-100


def test_a_mean_of_many_amounts_is_what_a_t_interval_says() -> None:
    """With little skew and many answers all methods agree (scipy as the oracle)."""
    amounts = [10 + n % 7 for n in range(1_000)]
    spread = stats.sem(amounts)
    expected = stats.t.interval(0.95, 999, sum(amounts) / 1_000, spread)
    assert tuple(mean_interval(*moments(amounts), 1_000)) == pytest.approx(expected, rel=3e-4)


def test_a_sum_of_equal_amounts_is_a_number_of_events() -> None:
    """Then its interval is the score interval of a Poisson count, of 400 events within half a %."""
    found = sum_interval(400, 400 * 5, 400 * 25, 100)
    half = Z * math.sqrt(400 + Z * Z / 4)
    expected = (5 * (400 + Z * Z / 2 - half), 5 * (400 + Z * Z / 2 + half))
    assert tuple(found) == pytest.approx(expected, rel=0.005)


def test_a_ratio_is_the_textbooks_where_answers_are_many() -> None:
    """Cochran (1977) 6.3 on the logarithm: 2,000 orders, a tenth of each returned, give or take."""
    line = [20 + n % 11 for n in range(2_000)]
    above = [value * (5 + n % 11) / 100 for n, value in enumerate(line)]
    ratio = sum(above) / sum(line)
    residuals = sum((a - ratio * b) ** 2 for a, b in zip(above, line, strict=True))
    error = math.sqrt(residuals * 2_000 / 1_999) / sum(line)
    found = ratio_interval(2_000, sum(above), sum(line), residuals)
    padded = math.sqrt(error**2 + (0.25 * ratio**2) / 2_000 / 1_999)
    expected = (ratio * math.exp(-Z * padded / ratio), ratio * math.exp(Z * padded / ratio))
    assert tuple(found) == pytest.approx(expected, rel=1e-3)


@given(samples)
def test_a_mean_lies_in_its_interval_and_that_on_the_scale(amounts: list[int]) -> None:
    """Whatever the amounts, and never of width 0."""
    answers, total, squares = moments(amounts)
    lower, upper = mean_interval(answers, total, squares, 100)
    assert 0 <= lower <= total / answers <= upper <= 100
    assert lower < upper


@given(samples)
def test_a_sum_lies_in_its_interval(amounts: list[int]) -> None:
    """Which never reaches below 0 and never has width 0."""
    answers, total, squares = moments(amounts)
    lower, upper = sum_interval(answers, total, squares, 100)
    assert 0 <= lower < total < upper


@given(samples, st.integers(2, 50))
def test_more_of_the_same_narrows(amounts: list[int], times: int) -> None:
    """The mean's interval, and the sum's as a share of the sum."""
    few, many = moments(amounts), moments(amounts * times)
    assert _width(mean_interval(*many, 100)) <= _width(mean_interval(*few, 100)) + 1e-9
    wide = _width(sum_interval(*few, 100)) / few[1]
    assert _width(sum_interval(*many, 100)) / many[1] <= wide + 1e-9


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=40))
def test_a_ratio_turned_over_has_the_interval_turned_over(pairs: list[tuple[int, int]]) -> None:
    """Symmetric under reversal."""
    above, line = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    residuals = sum((a - above / line * b) ** 2 for a, b in pairs)
    turned = sum((b - line / above * a) ** 2 for a, b in pairs)
    lower, upper = ratio_interval(len(pairs), above, line, residuals)
    other = ratio_interval(len(pairs), line, above, turned)
    assert lower * other.upper == pytest.approx(1) or lower == 0
    assert upper * other.lower == pytest.approx(1) or other.lower == 0


@given(samples, st.floats(0.01, 0.99))
def test_evidence_is_beyond_the_quantile_where_the_interval_ends(
    amounts: list[int], share: float
) -> None:
    """Interval and test are one: beyond the upper bound evidence is above 1.96, before it below."""
    answers, total, squares = moments(amounts)
    of_mean = mean_interval(answers, total, squares, 100)
    if of_mean.upper < 100:
        assert mean_below(answers, total, squares, 100, of_mean.upper) == pytest.approx(Z)
    if of_mean.lower > 0:
        assert mean_below(answers, total, squares, 100, of_mean.lower) == pytest.approx(-Z)
    of_sum = sum_interval(answers, total, squares, 100)
    assert sum_below(answers, total, squares, of_sum.upper) == pytest.approx(Z)
    residuals = share * squares
    of_ratio = ratio_interval(answers, total, 50, residuals)
    if 0 < of_ratio.lower and of_ratio.upper < 1e100:
        assert ratio_below(answers, total, 50, residuals, of_ratio.upper) == pytest.approx(Z)
        assert ratio_below(answers, total, 50, residuals, of_ratio.lower) == pytest.approx(-Z)


def test_nothing_but_zeros() -> None:
    """The mean of ten amounts of 0 may be what a share of 0 in ten may be of the greatest."""
    found = mean_interval(10, 0, 0, 100)
    assert 0 == found.lower
    assert found.upper == pytest.approx(27.75, abs=0.01)
    assert mean_below(10, 0, 0, 100, 50) > Z > mean_below(10, 0, 0, 100, 20)
    assert 0 == sum_interval(10, 0, 0, 100).lower
    assert sum_below(10, 0, 0, 1) == math.inf


def test_no_amount_lies_below_zero() -> None:
    """A floor of 0 can't be missed."""
    assert -math.inf == mean_below(3, 6, 20, 100, 0) == sum_below(3, 6, 20, 0)
    assert -math.inf == ratio_below(3, 6, 20, 1, 0)
    assert sum_below(3, 0, 0, 0) == 0


def _width(interval: Interval) -> float:
    return interval.upper - interval.lower
