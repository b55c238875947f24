from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger.contribution import Contribution, decode_contribution, encode_contribution

_small = st.integers(0, 2**31 - 1)
contributions = st.builds(
    Contribution,
    revision=_small,
    withdrawn=st.booleans(),
    version=_small,
    occurred=st.integers(-(2**33), 2**33),
    recorded=st.integers(-(2**33), 2**33),
    segment=st.lists(_small, max_size=5).map(tuple),
    answers=st.lists(st.none() | st.integers(-10, 10), max_size=5).map(tuple),
    sentiment=st.none() | st.integers(-10_000, 10_000),
    customer=st.none() | st.binary(min_size=8, max_size=8),
)


@given(contributions)
def test_an_entry_is_read_as_it_was_written(entry: Contribution) -> None:
    """Nothing is lost, also not the difference of None and 0."""
    assert entry == decode_contribution(encode_contribution(entry))


def test_a_usual_entry_is_small() -> None:
    """There is one for each answer of two months."""
    entry = Contribution(0, False, 3, 1_800_000_000, 1_800_000_001, (2, 3, 0), (4, None, 1))
    assert len(encode_contribution(entry)) <= 26


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, False), (0, True)), ((0, True), (1, False)), ((1, False), (2, False))],
)
def test_a_withdrawal_stands_above_its_revision(
    first: tuple[int, bool], second: tuple[int, bool]
) -> None:
    """Order is (revision, withdrawn)."""
    low, high = (Contribution(*order, 1, 0, 0, (), ()).order for order in (first, second))
    assert low < high


@pytest.mark.parametrize(
    ("occurred", "recorded", "expected"),
    [(99, 99, True), (100, 99, False), (99, 100, False), (100, 100, False), (0, 500, False)],
)
def test_an_entry_is_forgotten_when_event_and_arrival_are_past(
    occurred: int, recorded: int, expected: bool
) -> None:
    """Either within the horizon keeps it: a duplicate could still come."""
    entry = Contribution(0, False, 1, occurred, recorded, (), ())
    assert expected is entry.forgotten(200, horizon_seconds=100)
