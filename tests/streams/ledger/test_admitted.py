from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger import admitted
from streams.ledger.admitted import AdmittedValues, Segment
from streams.ledger.cells import SEPARATOR
from streams.ledger.layout import Dimension
from tests.feedback_log import LAYOUT

TWO = msgspec.structs.replace(LAYOUT, dimensions=(Dimension("product", 1), Dimension("channel", 1)))


def stored(table: AdmittedValues) -> dict[bytes, bytes]:
    """Give a table as the ledger keeps it."""
    return {
        f"{dimension}{SEPARATOR}{value}".encode(): b"%d" % number
        for dimension, numbers in table.numbers.items()
        for value, number in numbers.items()
    }


def test_values_are_numbered_from_2_in_the_order_in_which_they_come() -> None:
    """0 is `unknown` and 1 `other`; each dimension counts for itself."""
    draft = AdmittedValues(TWO, {}).draft()
    assert Segment(("a", "chat"), (2, 2)) == draft.segment(("a", "chat"))
    assert Segment(("b", "chat"), (3, 2)) == draft.segment(("b", "chat"))
    assert Segment(("unknown", "mail"), (0, 3)) == draft.segment((None, "mail"))
    assert [("product", "a", 2), ("channel", "chat", 2), ("product", "b", 3),
            ("channel", "mail", 3)] == draft.admitted  # fmt: skip


def test_beyond_the_limit_a_value_is_other() -> None:
    """Ten times the number shown; those admitted before keep their place."""
    draft = AdmittedValues(TWO, {}).draft()
    names = [draft.segment((f"p{n}", None)).names[0] for n in range(12)]
    assert [*(f"p{n}" for n in range(10)), "other", "other"] == names
    assert ("p3", "unknown") == draft.segment(("p3", None)).names


def test_a_draft_changes_nothing_until_it_is_accepted() -> None:
    """A batch that is not applied has admitted nothing."""
    table = AdmittedValues(TWO, {})
    table.draft().segment(("a", "chat"))
    assert {} == table.numbers
    draft = table.draft()
    draft.segment(("b", "chat"))
    table.accept(draft)
    assert {"product": {"b": 2}, "channel": {"chat": 2}} == table.numbers
    assert Segment(("b", "unknown"), (2, 0)) == table.draft().segment(("b", None))


_combinations = st.lists(
    st.tuples(
        st.none() | st.sampled_from([f"p{n}" for n in range(14)]),
        st.none() | st.sampled_from(["chat", "mail"]),
    )
)


@given(_combinations, st.integers(1, 7))
def test_a_table_read_again_gives_the_same_segments(
    raws: list[tuple[str | None, str | None]], size: int
) -> None:
    """Whatever the batches, and whether a worker went on or began anew."""
    whole = AdmittedValues(TWO, {}).draft()
    expected = [whole.segment(raw) for raw in raws]
    going_on, begun_anew = AdmittedValues(TWO, {}), AdmittedValues(TWO, {})
    found: list[tuple[Segment, Segment]] = []
    for first in range(0, len(raws), size):
        begun_anew = AdmittedValues(TWO, stored(begun_anew))
        drafts = going_on.draft(), begun_anew.draft()
        batch = raws[first : first + size]
        found += [(drafts[0].segment(raw), drafts[1].segment(raw)) for raw in batch]
        going_on.accept(drafts[0])
        begun_anew.accept(drafts[1])
    assert [(segment, segment) for segment in expected] == found


@given(_combinations)
def test_numbers_lead_back_to_names(raws: list[tuple[str | None, str | None]]) -> None:
    """Of what the batch itself admitted as of what is stored."""
    table = AdmittedValues(TWO, {})
    draft = table.draft()
    segments = [draft.segment(raw) for raw in raws]
    dimensions = ("product", "channel")
    for segment in segments:
        assert segment.names == draft.names(dimensions, segment.numbers)
    table.accept(draft)
    again = AdmittedValues(TWO, stored(table)).draft()
    for segment in segments:
        assert segment.names == again.names(dimensions, segment.numbers)


def test_a_dropped_dimension_is_still_known_by_its_numbers() -> None:
    """Entries counted under an older layout are taken back by their names of then."""
    table = AdmittedValues(LAYOUT, {f"shop{SEPARATOR}north".encode(): b"2"})
    assert ("north", "unknown") == table.draft().names(("shop", "product"), (2, 0))


def test_a_limit_that_was_lowered_keeps_what_is_admitted() -> None:
    """And admits nothing more."""
    ten = {f"product{SEPARATOR}p{n}".encode(): b"%d" % (n + 2) for n in range(15)}
    draft = AdmittedValues(TWO, ten).draft()
    assert "p14" == draft.segment(("p14", None)).names[0]
    assert "other" == draft.segment(("p15", None)).names[0]


def test_a_table_with_a_hole_is_not_taken() -> None:
    """Somebody changed it by hand: better to stop than to count under wrong names."""
    with pytest.raises(ValueError, match="values of product are not numbered in order"):
        AdmittedValues(TWO, {f"product{SEPARATOR}a".encode(): b"3"})


def test_memory_of_segments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of combinations is counted as ever."""
    monkeypatch.setattr(admitted, "_REMEMBERED", 3)
    table = AdmittedValues(TWO, {})
    for n in range(10):
        draft = table.draft()
        assert n + 2 == draft.segment((f"p{n}", None)).numbers[0]
        table.accept(draft)
    assert len(table.segments) <= 3
