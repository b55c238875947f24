from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kpis.combined import RatioOf
from streams.kpis.formulas import Mean, Sum
from streams.ledger.cells import SEPARATOR, CellFields, decode_cell
from streams.ledger.joints import ordered_pair
from streams.ledger.layout import Layout, Measure, Tier
from streams.scores.amounts import Amounts
from streams.scores.scores import Score, below, score

VALUE = Measure("value", "amount", 0, 100_000, decimals=2, unit="EUR")
COST = Measure("cost", "amount", 0, 5_000, decimals=1, unit="EUR")
FLAG = Measure("returned", "flag")
MEAN, SUM = Mean(measure="value"), Sum(measure="value")


def tally(
    measures: tuple[Measure, ...], people: Sequence[tuple[int | None, ...]]
) -> dict[str, int]:
    """The cells of these answers as the ledger would hold them; all of one segment."""
    pairs = [ordered_pair(*measures)] if len(measures) > 1 else []
    joints = tuple((one.name, other.name) for one, other in pairs)
    layout = Layout(1, measures, (), ((),), (Tier(60, 600),), None, 600, joints)
    fields = CellFields(layout)
    found: Counter[str] = Counter()
    for answers in people:
        for field, amount in fields.increments(((), answers, None)):
            cell = decode_cell(field)
            name = f"{cell.measure}{SEPARATOR}" if pairs else ""
            found[f"{name}{cell.value}"] += amount
    return found


amounts = st.lists(st.integers(0, 100_000), min_size=1, max_size=30)


@given(amounts)
def test_mean_and_sum_are_in_the_unit_that_people_write(cents: list[int]) -> None:
    """Cents are counted, euros are shown."""
    found = tally((VALUE,), [(each,) for each in cents])
    assert score(MEAN, VALUE, found).value == pytest.approx(sum(cents) / 100 / len(cents))
    assert score(SUM, VALUE, found).value == pytest.approx(sum(cents) / 100)
    assert len(cents) == score(SUM, VALUE, found).answers
    squares = sum(each * each for each in cents) / 10_000
    assert Amounts.of(VALUE, found).squares == pytest.approx(squares)


def test_no_amounts_are_no_score() -> None:
    """A window without orders has no revenue to show, rather than 0."""
    assert Score(0, None, None, None) == score(SUM, VALUE, {}) == score(MEAN, VALUE, {})
    assert 0 == below(SUM, VALUE, {}, 5) == below(MEAN, VALUE, {}, 5)


both = st.lists(
    st.tuples(st.none() | st.integers(0, 5_000), st.none() | st.integers(0, 100_000)), max_size=30
)


@given(both)
def test_a_ratio_of_amounts(people: list[tuple[int | None, int | None]]) -> None:
    """Sum over sum, each in its own unit; what one answer lacks counts as 0."""
    found = score(RatioOf(COST, VALUE, as_percent=True), COST, tally((COST, VALUE), people))
    line = sum(value or 0 for _, value in people) / 100
    assert found.answers == sum(value is not None for _, value in people)
    if not line:
        assert found.value is None
    else:
        above = sum(cost or 0 for cost, _ in people) / 10
        assert found.value is not None
        assert found.lower is not None
        assert found.upper is not None
        assert found.value == pytest.approx(100 * above / line)
        assert 0 <= found.lower <= found.value <= found.upper
        assert found.lower < found.upper


@pytest.mark.parametrize("measures", [(FLAG, VALUE), (VALUE, FLAG)])
def test_a_flag_counts_its_yes(measures: tuple[Measure, Measure]) -> None:
    """Value per order returned: a no adds nothing below the line."""
    people: list[tuple[int | None, ...]] = [(1, 5_000), (0, 3_000), (1, None)]
    given_answers = [p if measures[0] is FLAG else p[::-1] for p in people]
    found = score(RatioOf(VALUE, FLAG, as_percent=False), VALUE, tally(measures, given_answers))
    assert (3, 40.0) == (found.answers, found.value)


def test_a_ratio_is_surer_where_its_sums_move_together() -> None:
    """The sum of products tells a tenth of each order from a tenth of all of them."""
    steady: list[tuple[int | None, ...]] = [(100 * n, 10_000 * n) for n in range(1, 11)]
    mixed = [(steady[-n][0], order) for n, (_, order) in enumerate(steady, 1)]
    ratio = RatioOf(COST, VALUE, as_percent=True)
    sure, unsure = (score(ratio, COST, tally((COST, VALUE), people)) for people in (steady, mixed))
    assert sure.value == pytest.approx(unsure.value)
    assert sure.upper is not None
    assert unsure.upper is not None
    assert sure.upper < unsure.upper
    assert below(ratio, COST, tally((COST, VALUE), steady), 20) > below(
        ratio, COST, tally((COST, VALUE), mixed), 20
    )


def test_a_design_effect_leaves_the_sum_and_widens_its_interval() -> None:
    """Four times the variance: twice as wide, but for the pull of few answers."""
    found = tally((VALUE,), [(5_000,)] * 900)
    plain, clustered = (score(SUM, VALUE, found, design_effect=effect) for effect in (1, 4))
    assert plain.value == clustered.value == 45_000
    assert plain.upper is not None
    assert plain.lower is not None
    assert clustered.upper is not None
    assert clustered.lower is not None
    width = clustered.upper - clustered.lower
    assert width == pytest.approx(2 * (plain.upper - plain.lower), rel=0.01)
