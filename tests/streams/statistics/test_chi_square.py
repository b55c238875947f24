from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from streams.statistics.chi_square import chi_square_tail


@given(st.floats(0, 2_000), st.integers(1, 500))
def test_agrees_with_scipy(statistic: float, degrees: int) -> None:
    """The tail is scipy's, however small it is and however many degrees of freedom there are."""
    expected = chi2.sf(statistic, degrees)
    assert expected == pytest.approx(chi_square_tail(statistic, degrees), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("statistic", "degrees", "expected"),
    [(3.841, 1, 0.05), (5.991, 2, 0.05), (18.307, 10, 0.05), (10.828, 1, 0.001)],
)
def test_published_table(statistic: float, degrees: int, expected: float) -> None:
    """The critical values that every table of the distribution prints."""
    assert expected == pytest.approx(chi_square_tail(statistic, degrees), rel=1e-3)


def test_without_degrees_of_freedom() -> None:
    """With nothing free to vary the statistic can only be 0."""
    assert (1.0, 0.0) == (chi_square_tail(0, 0), chi_square_tail(0.1, 0))


def test_negative_degrees_are_refused() -> None:
    """Negative degrees of freedom are a mistake of the caller."""
    with pytest.raises(ValueError, match="can't be -1"):
        chi_square_tail(1, -1)
