from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger import cells
from streams.ledger.cells import Cell, CellFields, decode_cell, encode_cell
from streams.ledger.layout import Dimension, Layout
from tests.feedback_log import CSAT, LAYOUT, SENTIMENT, SLA

_names = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
_pairs = st.lists(
    st.tuples(st.sampled_from(["product", "channel", "region"]), _names),
    max_size=3,
    unique_by=lambda pair: pair[0],
)
SEGMENT = ("router", "chat", "EU")


@given(_pairs, st.sampled_from([CSAT.cell_id, SENTIMENT.cell_id]), st.sampled_from(["4", "sum"]))
def test_a_cell_is_read_from_its_field(
    pairs: list[tuple[str, str]], measure: str, value: str
) -> None:
    """Whatever characters a value has: the separator is none that it may have."""
    cell = Cell(tuple(d for d, _ in pairs), tuple(v for _, v in pairs), measure, value)
    assert cell == decode_cell(encode_cell(cell))


def test_a_field_can_be_read_by_a_person() -> None:
    """In redis-cli, with the unit separator between the parts."""
    cell = Cell(("product", "channel"), ("router", "chat"), "csat@1..5", "4")
    assert b"product,channel\x1frouter\x1fchat\x1fcsat@1..5\x1f4" == encode_cell(cell)
    assert b"\x1fcsat@1..5\x1f4" == encode_cell(Cell((), (), "csat@1..5", "4"))


def moved(
    answers: tuple[int | None, ...], sentiment: int | None = None, layout: Layout = LAYOUT
) -> dict[Cell, int]:
    found = CellFields(layout).increments((SEGMENT, answers, sentiment))
    assert len(found) == len({field for field, _ in found})
    return {decode_cell(field): amount for field, amount in found}


def test_an_answer_counts_once_in_each_breakdown() -> None:
    """Under its own value, in the segment that the breakdown picks."""
    pair, single = LAYOUT.breakdowns
    expected = {
        Cell(pair, ("router", "chat"), CSAT.cell_id, "4"): 1,
        Cell(single, ("EU",), CSAT.cell_id, "4"): 1,
        Cell(pair, ("router", "chat"), SLA.cell_id, "0"): 1,
        Cell(single, ("EU",), SLA.cell_id, "0"): 1,
    }
    assert expected == moved((4, None, 0))


def test_what_was_not_answered_counts_nowhere() -> None:
    """None is no value."""
    assert {} == moved((None, None, None))


@pytest.mark.parametrize(
    ("sentiment", "polarity"),
    [(10_000, "positive"), (500, "positive"), (499, "neutral"), (0, "neutral"),
     (-499, "neutral"), (-500, "negative"), (-10_000, "negative")],
)  # fmt: skip
def test_sentiment_has_a_polarity_a_sum_and_squares(sentiment: int, polarity: str) -> None:
    """In ten-thousandths, so that a sum of them is exact; the limits are VADER's own."""
    found = moved((None, None, None), sentiment)
    single = {c.value: n for c, n in found.items() if c.breakdown == ("region",)}
    assert {polarity: 1, "sum": sentiment, "sum_squares": sentiment**2} == single


def test_without_the_measure_no_sentiment_is_counted() -> None:
    """Also where an older entry has one."""
    layout = msgspec.structs.replace(LAYOUT, measures=(CSAT,))
    assert {} == moved((None,), 5_000, layout)


def test_the_total_is_stored_where_nothing_is_split() -> None:
    """A breakdown of no dimension has one segment without values."""
    layout = Layout(1, (CSAT,), (), ((),), LAYOUT.tiers, None, 1_200)
    found = CellFields(layout).increments(((), (3,), None))
    assert [(encode_cell(Cell((), (), CSAT.cell_id, "3")), 1)] == found


def test_a_breakdown_may_name_dimensions_in_another_order() -> None:
    """Values follow the breakdown's order, not the layout's."""
    layout = msgspec.structs.replace(
        LAYOUT,
        dimensions=(Dimension("channel", 1), Dimension("region", 1), Dimension("product", 1)),
        breakdowns=(("product", "channel"),),
    )
    found = CellFields(layout).increments((("chat", "EU", "router"), (4, None, None), None))
    assert ("router", "chat") == decode_cell(found[0][0]).segment


def test_memory_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a flood of segments, fields are made as ever."""
    monkeypatch.setattr(cells, "_REMEMBERED_FIELDS", 4)
    fields = CellFields(LAYOUT)
    for n in range(20):
        (first, *_) = fields.increments(((f"p{n}", "chat", "EU"), (4, None, None), None))
        assert (f"p{n}", "chat") == decode_cell(first[0]).segment
    assert len(fields._remembered) <= 4
