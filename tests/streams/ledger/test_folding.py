"""The short way of a fold against its long way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger import shapes
from streams.ledger.admitted import AdmittedValues
from streams.ledger.fold import Fold
from streams.ledger.folded import PartitionView
from streams.ledger.folding import Folding
from streams.ledger.history import History
from streams.ledger.shapes import Shapes
from tests.feedback_log import (
    CUSTOMER_KEY,
    LAYOUT,
    PARTITIONS,
    RIGHT_IDS,
    START,
    Record,
    event,
    logs,
    record,
)

if TYPE_CHECKING:
    from streams.ledger.folded import Folded
    from streams.ledger.layout import Layout

R1, R2, *_ = RIGHT_IDS
OFF = msgspec.structs.replace(LAYOUT, horizon_seconds=None)
SHORT_MEMORY = msgspec.structs.replace(LAYOUT, horizon_seconds=60, late_after_seconds=60)
OF_R1: dict[str, Any] = {"measures": {"csat": 4}, "dimensions": {"product": "p1"}}


def folded(layout: Layout, log: list[Record], values: AdmittedValues) -> Folded:
    view = PartitionView(0, PARTITIONS, values, History.of(layout))
    return Fold(layout, customer_key=CUSTOMER_KEY)(log, {}, view, START)


def experienced(layout: Layout, log: list[Record]) -> AdmittedValues:
    """Give the table of a partition that has counted `log`, with the shapes seen in it."""
    table = AdmittedValues(layout, {})
    for each in log:
        found = folded(layout, [each], table)
        assert found.values is not None
        table.accept(found.values)
    return table


def without_shapes(table: AdmittedValues) -> AdmittedValues:
    """Give a table that admits the same and has seen nothing."""
    table.shapes = Shapes()
    return table


def changes(found: Folded) -> tuple[object, ...]:
    """Give what a fold changes."""
    refused = [(r.record.offset, r.refusal) for r in found.refused]
    return (
        found.increments, found.contributions, found.outcomes, refused, found.unknown_dimensions,
        found.values.admitted if found.values else None,
    )  # fmt: skip


@pytest.mark.parametrize("layout", [LAYOUT, OFF, SHORT_MEMORY], ids=["ids", "no-ids", "short"])
@given(first=logs(), then=logs())
def test_the_short_way_comes_to_the_same(
    layout: Layout, first: list[Record], then: list[Record]
) -> None:
    """A partition that has seen many shapes counts as one that decodes every event anew."""
    quick = folded(layout, then, experienced(layout, first + then))
    slow = folded(layout, then, without_shapes(experienced(layout, first + then)))
    assert changes(slow) == changes(quick)


_field = st.sampled_from([
    b'"measures": {"csat": 4}', b'"measures": {"csat": "4"}', b'"measures": []',
    b'"measures": {"csat": 9}', b'"dimensions": {"product": "p1"}', b'"dimensions": {"product": 1}',
    b'"dimensions": {"product": "all"}', b'"me\\u0061sures": {"csat": 4}', b'"revision": 1',
    b'"withdrawn": true', b'"comment": "\xff"', b'"comment": "Good."', b'"measures": {"csat": 4',
    b'"zz": 1', b'"revision": -1', b'"dimensions": {"product": "\\ud800"}',
])  # fmt: skip


@given(st.lists(_field, max_size=4))
def test_also_where_fields_are_wrong_broken_or_given_twice(fields: list[bytes]) -> None:
    """The short way must not let pass what the long way refuses."""
    value = b", ".join([event(R1)[:-1], *fields]) + b"}"
    seen = [
        record(1, R2, measures=measures, dimensions=dimensions)
        for measures in ({"csat": 4}, {})
        for dimensions in ({"product": "p1"}, {})
    ]
    log = [record(1, R1).but(value=value)]
    quick = folded(LAYOUT, log, experienced(LAYOUT, [record(1, R2), *seen]))
    slow = folded(LAYOUT, log, without_shapes(experienced(LAYOUT, [record(1, R2), *seen])))
    assert changes(slow) == changes(quick)


@pytest.mark.parametrize("layout", [LAYOUT, OFF], ids=["ids", "no-ids"])
def test_an_answer_of_a_known_shape_takes_the_short_way(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the tests above would compare the long way with itself."""
    table = experienced(layout, [record(1, R1, **OF_R1)])
    monkeypatch.setattr(Folding, "_take_the_long_way", None)
    found = folded(layout, [record(2, R2, **OF_R1)], table)
    assert found.outcomes["applied"] == 1


@pytest.mark.parametrize(
    ("given_record", "reason"),
    [
        (record(2, R2, **OF_R1).but(key=b"another"), "misrouted"),
        (record(2, R2, START + 301, at=START, **OF_R1), "in_future"),
    ],
)
def test_what_is_known_is_still_judged(given_record: Record, reason: str) -> None:
    """Key and time are no matter of the shape."""
    found = folded(LAYOUT, [given_record], experienced(LAYOUT, [record(1, R1, **OF_R1)]))
    assert [reason] == [refused.refusal.reason for refused in found.refused]


def test_shapes_of_a_batch_that_is_not_applied_are_forgotten() -> None:
    """They hold numbers of values that were not admitted."""
    table = AdmittedValues(LAYOUT, {})
    folded(LAYOUT, [record(1, R1, **OF_R1)], table)
    assert ({}, {}) == (table.shapes.answers, table.shapes.splits)


def test_memory_of_long_texts_is_bounded() -> None:
    """Undeclared dimensions of a kilobyte each, all different, leave nothing behind."""
    log = [record(1, R1, dimensions={"session": f"{n:01000}"}) for n in range(20)]
    kept = experienced(LAYOUT, log).shapes.splits
    assert sum(sys.getsizeof(text) for text in kept) < 2_000


def test_memory_of_shapes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a flood of new texts, answers are counted as ever."""
    monkeypatch.setattr(shapes, "REMEMBERED", 3)
    log = [record(1, R1, measures={"csat": 1 + n % 5}, dimensions={"x": f"{n}"}) for n in range(9)]
    table = experienced(LAYOUT, log)
    assert len(table.shapes.splits) <= 3
    assert len(table.shapes.answers) <= 5
    assert folded(LAYOUT, log[:1], table).outcomes["applied"] == 1
