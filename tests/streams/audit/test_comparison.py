from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from streams.audit.comparison import NOTHING, Difference, Scope, Stored, differences
from streams.audit.plain_model import PlainModel
from streams.ledger.cells import Cell
from streams.ledger.contribution import Contribution
from streams.ledger.keys import Bucket
from streams.ledger.layout import Layout, Tier
from tests.feedback_log import LAYOUT, RIGHT_IDS, START, Record, record

R1, R2, *_ = RIGHT_IDS
LOG = [
    record(1, R1, START - 5, measures={"csat": 4}, dimensions={"product": "router"}),
    record(2, R2, START - 400, measures={"csat": 1}, customer="c-1"),
]
REGION = Bucket(10, START - 10), Cell(("region",), ("unknown",), "csat@1..5", "4")


def model_of(log: list[Record]) -> PlainModel:
    model = PlainModel(0, 2, {0: LAYOUT})
    for each in log:
        model.take(each, START)
    return model


def stored_of(model: PlainModel, **changes: Any) -> Stored:
    stored = Stored(
        dict(model.outcomes), {d: dict(v) for d, v in model.values.items()},
        dict(model.cells), dict(model.entries),
    )  # fmt: skip
    return msgspec.structs.replace(stored, **changes)


def found(
    changes: dict[str, Any],
    overtaken: Mapping[str, list[Contribution | None]] | None = None,
    **scope: Any,
) -> list[Difference]:
    """Compare the log's model with a store that has these changes."""
    model = model_of(LOG)
    whole = Scope(**{"now": START + 1.0, "layouts": (LAYOUT,), **scope})
    return list(differences(model, stored_of(model, **changes), whole, overtaken or {}))


def cells_with(place: tuple[Bucket, Cell], number: int) -> dict[str, Any]:
    return {"cells": {**model_of(LOG).cells, place: number}}


def test_equal_is_equal() -> None:
    """A store that holds what the model says has no difference."""
    assert found({}) == []


def test_a_cell_that_is_0_is_as_good_as_none() -> None:
    """Whether an answer was taken back or never given shows nowhere."""
    assert found(cells_with((REGION[0], REGION[1]._replace(value="2")), 0)) == []


@pytest.mark.parametrize("number", [0, 2, -1])
def test_every_cell_is_compared(number: int) -> None:
    """Also one that should not be there; its place can be read."""
    place = "10s 2099-12-31T23:59:50Z region=unknown csat@1..5 4"
    assert found(cells_with(REGION, number)) == [Difference("cell", place, "1", f"{number}")]
    elsewhere = REGION[0], Cell((), (), "csat@1..5", "4")
    place = "10s 2099-12-31T23:59:50Z all csat@1..5 4"
    assert found(cells_with(elsewhere, 3)) == [Difference("cell", place, "0", "3")]


def test_totals_are_compared() -> None:
    """Of every outcome."""
    wrong = {"outcomes": {"applied": 1, "late": 1}}
    assert found(wrong) == [
        Difference("total", "applied", "2", "1"),
        Difference("total", "late", "0", "1"),
    ]


def test_admitted_values_are_compared() -> None:
    """By number, also those that should not be there."""
    wrong = {"values": {"product": {"router": 3}, "region": {"EU": 2}}}
    assert found(wrong) == [
        Difference("value", "product=router", "2", "3"),
        Difference("value", "region=EU", NOTHING, "2"),
    ]


def test_entries_are_compared() -> None:
    """Missing, unexpected and different ones; a customer's hash is not told whole."""
    entries = model_of(LOG).entries
    extra = Contribution(1, True, 1, START, START, (), ())
    assert found({"entries": {R1: entries[R1]}})[0].found == NOTHING
    (unexpected,) = found({"entries": {**entries, "x": extra}})
    assert unexpected == Difference(
        "entry", "x", NOTHING,
        f"revision 1 withdrawn version 1 occurred {START} recorded {START} segment [] answers [] "
        "sentiment None customer none",
    )  # fmt: skip
    other = msgspec.structs.replace(entries[R2], customer=b"12345678")
    (different,) = found({"entries": {**entries, R2: other}})
    assert different.place == R2
    assert b"12345678".hex() not in different.found
    assert different.expected != different.found


def test_buckets_past_their_retention_are_not_compared() -> None:
    """Redis may have dropped them; a bucket that is kept to its end still counts."""
    gone = {"cells": {p: n for p, n in model_of(LOG).cells.items() if p[0].seconds != 10}}
    assert found(gone, now=START + 120.0) == []
    assert {d.place[:3] for d in found(gone, now=START + 119.0)} == {"10s"}


def test_the_shortest_retention_of_a_tier_decides() -> None:
    """A later layout that keeps longer does not bring back what expired before."""
    shorter = msgspec.structs.replace(LAYOUT, version=2, tiers=(Tier(10, 60),))
    gone = {"cells": {p: n for p, n in model_of(LOG).cells.items() if p[0].seconds != 10}}
    assert found(gone, now=START + 70.0, layouts=(LAYOUT, shorter)) == []
    assert found(gone, now=START + 70.0) != []


def test_a_bucket_of_no_tier_is_not_compared() -> None:
    """No layout says how long it is kept."""
    assert found(cells_with((Bucket(7, START), REGION[1]), 1)) == []


def test_forgotten_entries_are_not_compared() -> None:
    """They may have been swept, or not yet."""
    assert found({"entries": {}, "cells": {}}, now=START + 99_999.0) == []
    off: Layout = msgspec.structs.replace(LAYOUT, horizon_seconds=None)
    lost = found({"entries": {}, "cells": {}}, now=START + 99_999.0, layouts=(off,))
    assert [d.place for d in lost] == sorted([R1, R2])


def test_since_leaves_out_what_is_older_and_all_totals() -> None:
    """Buckets by their start, ids by when their answer was given."""
    nothing: dict[str, Any] = {"cells": {}, "entries": {}, "outcomes": {}, "values": {}}
    lost = found(nothing, since=START - 60.0)
    assert {d.kind for d in lost} == {"cell", "entry"}
    assert [d.place for d in lost if d.kind == "entry"] == [R1]
    assert {d.place[:23] for d in lost if d.kind == "cell"} == {
        "10s 2099-12-31T23:59:50", "60s 2099-12-31T23:59:00",
    }  # fmt: skip


def test_where_the_log_has_lost_its_beginning_only_what_followed_is_compared() -> None:
    """Buckets that no earlier record can have fed, ids of later records, and no totals."""
    log_begins = START - 320.0
    entries = model_of(LOG).entries
    early = msgspec.structs.replace(entries[R2], recorded=START - 330, answers=(5, None, None))
    nothing: dict[str, Any] = {"cells": {}, "outcomes": {}, "values": {}}
    lost = found({**nothing, "entries": {R2: early}}, log_begins=log_begins)
    assert [d.place for d in lost if d.kind != "cell"] == [R1]
    assert {d.place[:23] for d in lost if d.kind == "cell"} == {"10s 2099-12-31T23:59:50"}


def test_ids_that_changed_while_redis_was_read_may_be_as_before() -> None:
    """The workers are not stopped for an audit."""
    entries = model_of(LOG).entries
    before = msgspec.structs.replace(entries[R1], answers=(1, None, None))
    assert found({"entries": {**entries, R1: before}}, {R1: [None, before]}) == []
    assert found({"entries": {R2: entries[R2]}}, {R1: [None, before]}) == []
    assert found({"entries": {**entries, R1: before}}, {R1: [None]}) != []
