from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.explanation.steps import calculation, operand, plain, sum_of
from tests.streams.explanation.calculator import computed


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (912, "912"),
        (100.0, "100"),
        (0.7883771, "0.788377"),
        (-4.9, "−4.9"),
        (1234567, "1234567"),
        (1234567.5, "1234568"),
        (0.00001, "1.00000 × 10^(−5)"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_as_people_type_them(value: float, written: str) -> None:
    """Counts whole, anything else with six digits at most, and no exponents in letters."""
    assert written == plain(value)


@given(st.floats(-1e12, 1e12))
def test_what_is_written_is_the_number(value: float) -> None:
    """To half of its sixth digit."""
    assert value == pytest.approx(computed(operand(value)), rel=1e-5)


def test_a_negative_number_stands_in_brackets() -> None:
    """So that nobody types two signs in a row."""
    found = calculation("x", "{a} − {b}", 7.5, a=5, b=-2.5)
    assert "x = 5 − (−2.5) = 7.5" == found.text
    assert "0" == sum_of([])
