from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, nbinom

from streams.statistics.beta_binomial import at_least, at_most

COUNTS = st.integers(0, 3_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SHAPES = st.floats(0.05, 1_000)


@given(COUNTS, SHAPES, SHAPES)
def test_agrees_with_scipy(counts: tuple[int, int], alpha: float, beta: float) -> None:
    """Both tails sum scipy's probabilities, whatever the shapes."""
    successes, trials = counts
    chances = betabinom.pmf(range(trials + 1), trials, alpha, beta)
    lower, upper = chances[: successes + 1].sum(), chances[successes:].sum()
    assert lower == pytest.approx(at_most(successes, trials, alpha, beta), rel=1e-6)
    assert upper == pytest.approx(at_least(successes, trials, alpha, beta), rel=1e-6)


@given(COUNTS)
def test_large_shapes_are_binomial(counts: tuple[int, int]) -> None:
    """With shapes of a million and eight million a share is as good as fixed: 1 in 9."""
    successes, trials = counts
    expected = binom.cdf(successes, trials, 1 / 9)
    assert expected == pytest.approx(at_most(successes, trials, 1e6, 8e6), rel=0.02, abs=1e-9)


def test_divides_negative_binomials() -> None:
    """Of two negative binomial counts that sum to 30, the first has this distribution."""
    size, weeks, share = 4.0, 8, 0.2
    chances = [
        nbinom.pmf(k, size, share) * nbinom.pmf(30 - k, size * weeks, share) for k in range(31)
    ]
    expected = sum(chances[8:]) / sum(chances)
    assert expected == pytest.approx(at_least(8, 30, size, size * weeks))
