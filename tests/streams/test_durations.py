from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.durations import LONGEST_SECONDS, Duration


@given(st.integers(1, LONGEST_SECONDS))
def test_what_is_named_is_read_back(seconds: int) -> None:
    """Naming a length and reading the name gives the same length."""
    assert seconds == Duration.parse(Duration.of(seconds).name).seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("5m", 300), ("24h", 86_400), ("30d", 2_592_000)]
)
def test_units(text: str, seconds: int) -> None:
    """A number of seconds, minutes, hours or days keeps the name that it was written with."""
    assert Duration(text, seconds) == Duration.parse(text)


@pytest.mark.parametrize(
    "text", ["", "h", "24", "0h", "024h", "1.5h", "-1h", "1H", "1w", "1h ", "١h"]
)
def test_what_is_no_duration(text: str) -> None:
    """Anything but an ASCII number without leading zeros and one unit is refused, and quoted."""
    with pytest.raises(
        ValueError, match="is no duration; write a number and s, m, h or d"
    ) as error:
        Duration.parse(text)
    assert str(error.value).startswith(repr(text))


def test_ten_years_are_the_longest() -> None:
    """A slip such as 99999999d is refused before bucket arithmetic meets it."""
    assert Duration.parse("3660d").seconds == LONGEST_SECONDS
    with pytest.raises(ValueError, match="3661d is too long; ten years"):
        Duration.parse("3661d")


def test_a_length_is_named_in_its_largest_unit() -> None:
    """A day is `1d`, not `24h`; 90 seconds stay seconds."""
    assert [Duration.of(n).name for n in (86_400, 90_000, 90)] == ["1d", "25h", "90s"]
