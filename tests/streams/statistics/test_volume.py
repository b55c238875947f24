from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, nbinom

from streams.statistics.volume import Estimate, Expected, Scatter, dispersion, look_level

TABLES = st.integers(1, 10).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(0, 1_000), min_size=columns, max_size=columns), min_size=2, max_size=8
    )
)


class TestDispersion:
    """How much more counts scatter than chance."""

    def test_by_hand(self) -> None:
        """One hour with 10 and 30: m = 20, s² = 200, so (200 - 20) / (400 - 100) = .6."""
        assert 0.6 == pytest.approx(dispersion([[10], [30]]))

    @pytest.mark.parametrize("true", [0.05, 0.2, 1.0])
    def test_finds_the_true_one(self, true: float) -> None:
        """On many weeks of negative binomial counts it finds what they were made with."""
        means = np.linspace(2, 60, 168)
        made = nbinom.rvs(1 / true, 1 / (1 + means * true), size=(200, 168), random_state=3)
        assert true == pytest.approx(dispersion(made.tolist()), rel=0.1)

    def test_chance_alone(self) -> None:
        """Poisson counts have next to none, and counts that are all equal have 0, never less."""
        made = np.random.default_rng(1).poisson(20, size=(8, 168))
        assert 0 == pytest.approx(dispersion(made.tolist()), abs=0.01)
        assert [0, 0] == [dispersion([[5, 9], [5, 9]]), dispersion([[0], [0]])]

    @given(TABLES)
    def test_never_negative(self, weeks: list[list[int]]) -> None:
        """Whatever the counts, it is a finite number of 0 or more."""
        assert 0 <= dispersion(weeks) < math.inf

    def test_needs_two_weeks(self) -> None:
        """One week has no scatter to other weeks."""
        with pytest.raises(ValueError, match="not 1"):
            dispersion([[1, 2, 3]])


class TestExpected:
    """What a span brings."""

    def test_mean(self) -> None:
        """The mean is that of the earlier weeks."""
        assert 9.75 == Expected(39, 4, 0.1).mean

    @given(st.integers(0, 500), st.integers(0, 2_000), st.integers(1, 8))
    def test_without_dispersion_it_is_the_exact_test(
        self, answers: int, earlier: int, weeks: int
    ) -> None:
        """Of Poisson counts with one mean, so many of all fall into this week: a binomial tail."""
        assume(answers + earlier)
        alternative = "less" if answers < earlier / weeks else "greater"
        exact = binomtest(answers, answers + earlier, 1 / (weeks + 1), alternative=alternative)
        found = Expected(earlier, weeks, 0).tail(answers)
        assert exact.pvalue == pytest.approx(found, rel=0.01, abs=1e-12)

    def test_an_hour_that_never_brought_any(self) -> None:
        """One answer is no impossibility there."""
        assert Expected(0, 8, 0.1).tail(1) > 0.05

    def test_holds_its_level(self) -> None:
        """Of counts with one unknown mean, a tail of 1 in 1,000 comes about once in 1,000."""
        chance = np.random.default_rng(2)
        counts = chance.poisson(40 * chance.gamma(10, 0.1, size=(30_000, 9)))
        tails = [Expected(int(sum(week[1:])), 8, 0.1).tail(int(week[0])) for week in counts]
        rare = sum(tail < 0.001 for tail in tails)
        assert 60 == pytest.approx(rare, abs=3 * 60**0.5)  # on both sides


class TestLevel:
    """The budget of false alarms."""

    def test_looks_share_the_budget(self) -> None:
        """2,184 hours, three spans, two sides: one alarm a quarter leaves 1 in 13,104 a look."""
        assert 1 / 13_104 == pytest.approx(look_level(1, 3))


class TestScatter:
    """Spans of several hours."""

    def test_few_differences_are_taken_carefully(self) -> None:
        """A dispersion known from 168 differences is taken 22 % higher, from 8 twice as high."""
        assert [0.122, 0.2] == [round(Estimate(0.1, known).surely, 3) for known in (168, 8)]

    def test_hours_on_their_own_even_out(self) -> None:
        """Six equal hours that scatter each on its own: a sixth; all answers in one: as one."""
        scatter = Scatter(own=0.12, shared=0)
        assert [0.02, 0.12] == [pytest.approx(scatter.dispersion(c)) for c in (1 / 6, 1)]

    def test_what_hours_share_does_not(self) -> None:
        """Hours that rise and fall together scatter as much in a span as alone."""
        assert 0.12 == pytest.approx(Scatter(own=0.12, shared=0.12).dispersion(0.2))

    @pytest.mark.parametrize("shared", [0.0, 0.05])
    def test_finds_the_true_one(self, shared: float) -> None:
        """Of hours that vary by .1, of which `shared` together, it finds what they share."""
        chance = np.random.default_rng(4)
        days = 1 + np.sqrt(shared) * chance.standard_normal((4_000, 1))
        hours = days + np.sqrt(0.1 - shared) * chance.standard_normal((4_000, 6))
        made = chance.poisson(np.maximum(200 * hours, 0))
        own = Estimate(dispersion(made.tolist()), 1e9)
        spans = Estimate(dispersion(made.sum(axis=1, keepdims=True).tolist()), 1e9)
        assert shared == pytest.approx(Scatter.of(own, spans, 1 / 6).shared, abs=0.005)
