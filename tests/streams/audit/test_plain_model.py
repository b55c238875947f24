from __future__ import annotations

from typing import Any

import msgspec

from streams.audit.plain_model import PlainModel
from streams.ledger.cells import Cell
from streams.ledger.contribution import Contribution
from streams.ledger.keys import Bucket
from streams.ledger.layout import Dimension, Layout, Tier
from tests.feedback_log import CSAT, RIGHT_IDS, SENTIMENT, SLA, START, WRONG_IDS, Record, record

R1, R2, *_ = RIGHT_IDS
# One tier, one breakdown: what is expected can be written down by hand.
SMALL = Layout(
    version=1,
    measures=(CSAT, SENTIMENT, SLA),
    dimensions=(Dimension("product", 1),),
    breakdowns=(("product",),),
    tiers=(Tier(60, 600),),
    horizon_seconds=600,
    late_after_seconds=600,
)
BUCKET = Bucket(60, START)
# BLAKE2b of "c-771" with the key "k", eight bytes.
HASH_OF_C_771 = "9531f378c3d255c2"


def model_of(log: list[Record], *more: tuple[int, Layout], clock: float = START) -> PlainModel:
    model = PlainModel(0, 2, {0: SMALL, **dict(more)}, score=float)
    for each in log:
        model.take(each, clock)
    return model


def csat(product: str, value: int) -> tuple[Bucket, Cell]:
    return BUCKET, Cell(("product",), (product,), "csat@1..5", str(value))


def nonzero(model: PlainModel) -> dict[tuple[Bucket, Cell], int]:
    return {place: n for place, n in model.cells.items() if n}


def test_one_answer_by_hand() -> None:
    """Every cell, the entry and the total of one answer, written down."""
    model = model_of([
        record(7, R1, START + 61, at=START + 70.9, measures={"csat": 4, "sla": False},
               comment="-0.25", dimensions={"product": "router"})
    ])  # fmt: skip
    place = Bucket(60, START + 60)
    expected = {("csat@1..5", "4"): 1, ("sla@flag", "0"): 1, ("sentiment@vader3", "negative"): 1,
                ("sentiment@vader3", "sum"): -2_500,
                ("sentiment@vader3", "sum_squares"): 6_250_000}  # fmt: skip
    assert nonzero(model) == {
        (place, Cell(("product",), ("router",), *name)): n for name, n in expected.items()
    }
    entry = Contribution(
        0, False, 1, START + 61, START + 70, segment=(2,), answers=(4, None, 0), sentiment=-2_500
    )
    assert model.entries == {R1: entry}
    assert +model.outcomes == {"applied": 1}
    assert (model.position, model.values) == (8, {"product": {"router": 2}})


def test_every_outcome_by_hand() -> None:
    """Seven records, seven outcomes."""
    log = [
        record(1, R1, measures={"csat": 1}),
        record(2, R1, measures={"csat": 1}),
        record(3, R1, withdrawn=True),
        record(4, R1, measures={"csat": 1}),
        record(5, R2, START - 601),
        record(6, R2, measures={"csat": 6}),
        record(7, R2).but(value=None),
    ]
    model = PlainModel(0, 2, {0: SMALL})
    outcomes = [model.take(each, START) for each in log]
    assert outcomes == [
        "applied", "duplicate", "withdrawn", "superseded", "late", "refused", "tombstone",
    ]  # fmt: skip
    assert nonzero(model) == {}


def test_what_is_misrouted_is_refused() -> None:
    """By key, and by partition for corrections and every sixteenth offset."""
    log = [
        record(1, R1).but(key=b"another"),
        record(16, WRONG_IDS[0]),
        record(17, WRONG_IDS[0], revision=1),
        record(18, R1).but(value=b"{"),
    ]
    assert +model_of(log).outcomes == {"refused": 4}


def test_a_revision_takes_back_what_its_id_counted() -> None:
    """In the old segment, while the new one counts in its own."""
    log = [
        record(1, R1, measures={"csat": 1}, dimensions={"product": "a"}),
        record(2, R1, revision=1, measures={"csat": 5}, dimensions={"product": "b"}),
    ]
    model = model_of(log)
    assert nonzero(model) == {csat("b", 5): 1}
    assert model.cells[csat("a", 1)] == 0


def test_taking_back_leaves_alone_what_is_no_longer_kept() -> None:
    """An old bucket keeps what it counted, until it expires."""
    longer = msgspec.structs.replace(SMALL, horizon_seconds=6_000, late_after_seconds=6_000)
    log = [record(1, R1, measures={"csat": 1}), record(2, R1, at=START + 601, revision=1)]
    model = PlainModel(0, 2, {0: longer})
    for each in log:
        model.take(each, START)
    assert nonzero(model) == {csat("unknown", 1): 1}


def test_a_forgotten_id_is_new_again() -> None:
    """What it counted stands; a withdrawal after that is of the new answer alone."""
    fields: dict[str, Any] = {"measures": {"csat": 1}}
    log = [
        record(1, R1, START, **fields),
        record(2, R1, START + 700, at=START + 700, withdrawn=True),
        record(3, R1, START + 700, at=START + 701, revision=1, **fields),
    ]
    model = model_of(log)
    assert +model.outcomes == {"applied": 2, "withdrawn": 1}
    assert model.cells[csat("unknown", 1)] == 1


def test_without_ids_nothing_is_remembered() -> None:
    """`dedupe: off`: every answer counts."""
    log = [record(n, R1, measures={"csat": 1}) for n in (1, 2)]
    model = model_of(log, (0, msgspec.structs.replace(SMALL, horizon_seconds=None)))
    assert (nonzero(model), model.entries) == ({csat("unknown", 1): 2}, {})


def test_each_record_is_counted_by_the_layout_of_its_offset() -> None:
    """And taken back by that of its own counting."""
    newer = msgspec.structs.replace(SMALL, version=2, breakdowns=((),))
    log = [
        record(1, R1, measures={"csat": 1}),
        record(5, R2, measures={"csat": 2}),
        record(6, R1, revision=1, measures={"csat": 3}),
    ]
    model = model_of(log, (5, newer))
    total = {(BUCKET, Cell((), (), "csat@1..5", value)): 1 for value in ("2", "3")}
    assert nonzero(model) == total
    assert {i: e.version for i, e in model.entries.items()} == {R1: 2, R2: 2}


def test_the_clock_judges_records_without_a_time_of_kafkas_own() -> None:
    """And is what the entry remembers."""
    log = [record(1, R1, at=START - 9_999, stamped=False, measures={"csat": 1})]
    assert model_of(log, clock=START + 5).entries[R1].recorded == START + 5
    assert +model_of(log, clock=START + 700).outcomes == {"late": 1}


def test_a_customer_is_a_keyed_hash_and_an_empty_one_is_none() -> None:
    """BLAKE2b of eight bytes."""
    log = [record(1, R1, customer="c-771"), record(2, R2, customer="")]
    model = PlainModel(0, 2, {0: SMALL}, customer_key=b"k")
    for each in log:
        model.take(each, START)
    assert model.entries[R1].customer == bytes.fromhex(HASH_OF_C_771)
    assert model.entries[R2].customer is None
