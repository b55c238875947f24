from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ledger.cells import CellFields, decode_cell
from streams.ledger.joints import (
    MOST_SMALLEST_UNITS,
    amount_moves,
    joint_base,
    joints_of,
    ordered_pair,
)
from streams.ledger.layout import Measure
from tests.feedback_log import COST, CSAT, RICH, SENTIMENT, SLA, VALUE

most = st.integers(1, MOST_SMALLEST_UNITS)
pairs = most.flatmap(lambda high: st.tuples(st.just(high), st.integers(0, high)))


def moved(
    answers: tuple[int | None, ...], sentiment: int | None = None
) -> dict[tuple[str, str], int]:
    """What one answer counts by measure and value, in the breakdown by region."""
    found = CellFields(RICH).increments((("router", "chat", "EU"), answers, sentiment))
    cells = [(decode_cell(field), amount) for field, amount in found]
    single = [(cell, n) for cell, n in cells if cell.breakdown == ("region",)]
    assert 2 * len(single) == len(cells)
    return {(cell.measure, cell.value): n for cell, n in single}


def test_an_amount_counts_itself_and_its_square() -> None:
    """12.34 of at most 500.00: 1,234 squared is 30 times 50,001 and 22,726."""
    name = "cost@0..50000/100EUR"
    assert {
        (name, "count"): 1,
        (name, "sum"): 1_234,
        (name, "squares_high"): 30,
        (name, "squares_low"): 22_726,
    } == moved((1_234, None, None, None, None))
    assert 1_234**2 == 30 * 50_001 + 22_726


def test_pairs_count_what_was_answered_together() -> None:
    """Scales by both answers, an amount by the other's answer, two amounts by their product."""
    joint = {
        place: n for place, n in moved((300, 4, None, 1, 25), -9_000).items() if "*" in place[0]
    }
    value, cost = VALUE.cell_id, COST.cell_id
    assert {
        (f"{cost}*{value}", "products_high"): 0,
        (f"{cost}*{value}", "products_low"): 7_500,
        (f"{CSAT.cell_id}*{SENTIMENT.cell_id}", "4,negative"): 1,
        (f"{CSAT.cell_id}*{SLA.cell_id}", "4,1"): 1,
        (f"{CSAT.cell_id}*{value}", "4,sum"): 25,
        (f"{SLA.cell_id}*{value}", "1,sum"): 25,
    } == joint


def test_half_of_a_pair_counts_in_no_pair() -> None:
    """Nothing is joint where one of the two was not answered."""
    assert not [place for place in moved((None, 4, None, None, None)) if "*" in place[0]]


@given(pairs)
def test_no_increment_is_greater_than_the_greatest_amount(pair: tuple[int, int]) -> None:
    """So the square overflows no sooner than the sum, and its digits give it back."""
    high, amount = pair
    found = dict(amount_moves(Measure("v", "amount", 0, high, decimals=0), amount))
    assert max(found.values()) <= high
    assert amount**2 == found["squares_high"] * (high + 1) + found["squares_low"]


@given(pairs, pairs)
def test_no_product_is_greater_either(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Of two amounts the greater greatest one bounds both digits of their product."""
    first = Measure("a", "amount", 0, one[0], decimals=0)
    second = Measure("b", "amount", 0, other[0], decimals=0)
    base = joint_base(first, second)
    high, low = divmod(one[1] * other[1], base)
    assert max(high, low) <= max(one[0], other[0])


def test_an_amount_stands_second() -> None:
    """Whatever the names: its sum is by the other's answer."""
    early = Measure("a", "amount", 0, 9, decimals=0)
    assert (CSAT, early) == ordered_pair(early, CSAT) == ordered_pair(CSAT, early)
    assert (CSAT, SLA) == ordered_pair(SLA, CSAT)
    assert ["cost*value", "csat*sentiment", "csat*sla", "csat*value", "sla*value"] == [
        f"{joint.first.name}*{joint.second.name}" for joint in joints_of(RICH)
    ]
