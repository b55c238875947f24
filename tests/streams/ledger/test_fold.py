from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.audit.plain_model import PlainModel
from streams.events.intake import ROUTE_SAMPLE
from streams.ledger.admitted import AdmittedValues
from streams.ledger.cells import decode_cell
from streams.ledger.contribution import decode_contribution, encode_contribution
from streams.ledger.fold import Fold
from streams.ledger.folded import OUTCOMES, Folded, PartitionView
from streams.ledger.history import History
from streams.ledger.layout import Dimension, Layout, Measure, Tier
from streams.ledger.ledger import Moved
from tests.feedback_log import (
    CUSTOMER_KEY,
    LAYOUT,
    PARTITIONS,
    RICH,
    RIGHT_IDS,
    SENTIMENT,
    SLA,
    START,
    WRONG_IDS,
    Record,
    event,
    ids_of,
    logs,
    record,
    rich_logs,
    unsteady_logs,
)
from tests.memory_ledger import Cells, Owner, Store, cells_of, copy_of

R1, R2, *_ = RIGHT_IDS
OFF = msgspec.structs.replace(LAYOUT, horizon_seconds=None)
SHORT_MEMORY = msgspec.structs.replace(LAYOUT, horizon_seconds=300, late_after_seconds=300)
# What a second version may change: a dimension dropped, a breakdown added, another scale, tiers
# that keep longer, shorter and not at all.
LAYOUT_2 = Layout(
    version=2,
    measures=(Measure("csat", "rating", 0, 10), SENTIMENT, SLA, Measure("ces", "rating", 1, 7)),
    dimensions=(Dimension("channel", 1), Dimension("product", 2)),
    breakdowns=(("product",), ("channel",)),
    tiers=(Tier(10, 60), Tier(300, 2_400)),
    horizon_seconds=2_400,
    late_after_seconds=2_400,
)


def fold_for(layout: Layout = LAYOUT) -> Fold:
    return Fold(layout, customer_key=CUSTOMER_KEY)


def owner_of(store: Store, layout: Layout = LAYOUT) -> Owner:
    return Owner(store, layout, fold_for(layout), PARTITIONS)


def counted(
    log: list[Record], layout: Layout = LAYOUT, size: int = 1_000, clock: float = START
) -> Store:
    """Count a log in batches of `size`."""
    store = Store()
    owner = owner_of(store, layout)
    for _ in range(0, len(log), size):
        owner.count(log, size, clock)
    return store


def modelled(log: list[Record], layout: Layout = LAYOUT, clock: float = START) -> PlainModel:
    return replayed(log, {0: layout}, clock)


def replayed(log: list[Record], layouts: dict[int, Layout], clock: float = START) -> PlainModel:
    model = PlainModel(0, PARTITIONS, layouts, customer_key=CUSTOMER_KEY)
    for each in log:
        model.take(each, clock)
    return model


def folded_alone(log: list[Record]) -> Folded:
    """Fold a log in one batch, with nothing counted before."""
    view = PartitionView(0, PARTITIONS, AdmittedValues(LAYOUT, {}), History.of(LAYOUT))
    return fold_for()(log, {}, view, START)


def assert_equal(model: PlainModel, store: Store) -> None:
    """Hold everything that is stored against the model."""
    assert cells_of(model) == store.cells()
    assert model.entries == store.contributions()
    assert model.outcomes == {name: store.outcomes[name] for name in OUTCOMES}
    stored = {
        tuple(field.decode().split("\x1f")): int(number) for field, number in store.values.items()
    }
    assert {(d, v): n for d, vs in model.values.items() for v, n in vs.items()} == stored


def totals(cells: Cells, tier: int = 300) -> dict[str, int]:
    """Sum a tier over one breakdown: `measure value` to its count."""
    sums: dict[str, int] = {}
    for (bucket, cell), number in cells.items():
        if bucket.seconds == tier and cell.breakdown == LAYOUT.breakdowns[0]:
            name = f"{cell.measure} {cell.value}"
            sums[name] = sums.get(name, 0) + number
    return sums


# Against the plain model


@pytest.mark.parametrize("layout", [LAYOUT, OFF, SHORT_MEMORY], ids=["ids", "no-ids", "short"])
@given(log=logs(), size=st.integers(1, 12))
def test_any_split_into_batches_counts_what_the_model_counts(
    layout: Layout, log: list[Record], size: int
) -> None:
    """However a log is cut into batches: same cells, entries, outcomes and admitted values."""
    assert_equal(modelled(log, layout), counted(log, layout, size))


@given(log=rich_logs(), size=st.integers(1, 12))
def test_amounts_and_pairs_count_what_the_model_counts(log: list[Record], size: int) -> None:
    """Sums, squares in two digits, joint answers: added and taken back exactly."""
    assert_equal(modelled(log, RICH), counted(log, RICH, size))


@given(log=rich_logs(), share=st.floats(0, 1), size=st.integers(1, 12))
def test_amounts_and_pairs_are_taken_back_under_the_layout_that_counted_them(
    log: list[Record], share: float, size: int
) -> None:
    """Whoever upgrades to a file without them takes back what the old one counted."""
    first = int(share * len(log))
    newer = msgspec.structs.replace(LAYOUT, version=4)
    store = counted(log[:first], RICH, size)
    owner = owner_of(store, newer)
    for _ in range(first, len(log), size):
        owner.count(log, size, START)
    model = replayed(log, {0: RICH, first: newer} if first < len(log) else {0: RICH})
    assert {place: n for place, n in model.cells.items() if n} == store.cells()


@given(log=unsteady_logs(), size=st.integers(1, 12))
def test_a_clock_that_steps_back_takes_back_only_what_was_counted(
    log: list[Record], size: int
) -> None:
    """Also where record times go back, as after a change of the broker that leads."""
    assert_equal(modelled(log), counted(log, size=size))


@given(log=unsteady_logs(), size=st.integers(1, 12))
def test_no_cell_is_ever_negative(log: list[Record], size: int) -> None:
    """No count of answers falls below 0 (sums of sentiment may)."""
    store = Store()
    owner = owner_of(store)
    for _ in range(0, len(log), size):
        owner.count(log, size)
        below = [c for (_, c), n in store.cells().items() if n < 0 and c.value != "sum"]
        assert [] == below


@given(log=logs())
def test_outcomes_sum_to_what_was_read(log: list[Record]) -> None:
    """Every record ends in exactly one outcome, and every refused one has a reason."""
    folded = folded_alone(log)
    assert len(log) == sum(folded.outcomes.values())
    assert len(folded.refused) == folded.outcomes["refused"]
    assert len(log) == counted(log, size=7).outcomes.total()


_revisions = st.tuples(st.sampled_from(RIGHT_IDS), st.integers(0, 3), st.booleans())


@given(revisions=st.sets(_revisions, max_size=20), data=st.data())
def test_final_revisions_agree_across_orders(
    revisions: set[tuple[str, int, bool]], data: st.DataObject
) -> None:
    """In whatever order the revisions of an answer arrive, the same one stands in the end."""
    in_order = sorted(revisions)
    shuffled = data.draw(st.permutations(in_order))
    stores = [
        counted([
            record(offset, event_id, START - 5, revision=revision, withdrawn=withdrawn,
                   measures={"csat": revision + 1}, dimensions={"product": f"p{revision}"})
            for offset, (event_id, revision, withdrawn) in enumerate(order)
        ])
        for order in (in_order, shuffled)
    ]  # fmt: skip
    assert stores[0].cells() == stores[1].cells()
    standing = [{i: c.order for i, c in s.contributions().items()} for s in stores]
    assert standing[0] == standing[1]


@given(log=logs(min_size=15), share=st.floats(0, 1), size=st.integers(1, 12))
def test_an_upgrade_in_the_middle_takes_back_under_the_old_layout(
    log: list[Record], share: float, size: int
) -> None:
    """A new breakdown, a dropped dimension, another scale, other tiers: all as the model says."""
    store = Store()
    before = log[: round(share * len(log))]
    old = owner_of(store)
    for _ in range(0, len(before), size):
        old.count(before, size)
    layouts = {0: LAYOUT, store.position: LAYOUT_2}
    new = owner_of(store, LAYOUT_2)
    for _ in range(0, len(log), size):
        new.count(log, size)
    assert_equal(replayed(log, layouts), store)


class Owners(RuleBasedStateMachine):
    """Two owners of one partition, of whom one is a zombie, lost replies, and restored backups."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Record] = []
        self.store = Store()
        self.backup = copy_of(self.store)
        self.epochs = 0
        self.owners = [owner_of(self.store), owner_of(self.store)]

    @rule(more=logs(max_size=12))
    def answers_arrive(self, more: list[Record]) -> None:
        """The log grows; its time goes on."""
        base = self.log[-1].offset + 1 if self.log else 0
        later = self.log[-1].timestamp - START * 1000 if self.log else 0
        self.log += [r.but(offset=base + r.offset, timestamp=r.timestamp + later) for r in more]

    @rule(who=st.integers(0, 1), size=st.integers(1, 10), reply_is_lost=st.booleans())
    def batch(self, who: int, size: int, reply_is_lost: bool) -> None:
        """Either owner counts from where it believes the ledger to be; one that is told reopens."""
        owner = self.owners[who]
        if isinstance(owner.count(self.log, size, reply_is_lost=reply_is_lost), Moved):
            owner.open()

    @rule()
    def back_up(self) -> None:
        """Somebody copies Redis."""
        self.backup = copy_of(self.store)

    @precondition(lambda self: self.backup.position < self.store.position)
    @rule(finder=st.integers(0, 1))
    def restore(self, finder: int) -> None:
        """Redis goes back to the copy; the owner that finds out begins a new epoch."""
        self.epochs += 1
        restored = copy_of(self.backup)
        restored.epoch = self.epochs
        self.store = restored
        for owner in self.owners:
            owner.store = restored
        self.owners[finder].open()

    @invariant()
    def equals_the_model(self) -> None:
        """At every moment the store is what the model counts up to the store's position."""
        log = [r for r in self.log if r.offset < self.store.position]
        assert_equal(modelled(log), self.store)


Owners.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestOwners = Owners.TestCase


# One by one


def test_a_duplicate_counts_once() -> None:
    """The same id and revision again changes nothing but the number of duplicates."""
    log = [record(n, R1, measures={"csat": 4}) for n in range(3)]
    store = counted(log)
    assert {"csat@1..5 4": 1} == totals(store.cells())
    assert {"applied": 1, "duplicate": 2} == +store.outcomes


def test_a_revision_replaces_the_answer_everywhere() -> None:
    """A higher revision takes the earlier counts back, also from another time and segment."""
    log = [
        record(1, R1, START - 70, measures={"csat": 2}, dimensions={"product": "p1"}),
        record(2, R1, START - 5, revision=1, measures={"csat": 5}, dimensions={"product": "p2"}),
    ]
    for size in (1, 2):
        assert counted([log[1]]).cells() == counted(log, size=size).cells()


def test_an_older_revision_is_superseded() -> None:
    """A revision that arrives after a higher one changes nothing."""
    log = [record(1, R1, revision=2, measures={"csat": 5}), record(2, R1, measures={"csat": 1})]
    store = counted(log, size=1)
    assert {"csat@1..5 5": 1} == totals(store.cells())
    assert {"applied": 1, "superseded": 1} == +store.outcomes


def test_a_withdrawal_leaves_a_marker() -> None:
    """After a withdrawal nothing is counted, and the same revision cannot come back."""
    log = [
        record(1, R1, measures={"csat": 5}, comment="Good."),
        record(2, R1, withdrawn=True),
        record(3, R1, measures={"csat": 5}),
        record(4, R1, withdrawn=True),
    ]
    for size in (1, 4):
        store = counted(log, size=size)
        assert {} == store.cells()
        expected = {"applied": 1, "withdrawn": 1, "superseded": 1, "duplicate": 1}
        assert expected == +store.outcomes
        assert store.contributions()[R1].withdrawn


def test_a_withdrawn_answer_may_be_given_again() -> None:
    """A higher revision counts after a withdrawal; what was withdrawn stays out."""
    log = [
        record(1, R1, measures={"csat": 1}),
        record(2, R1, withdrawn=True),
        record(3, R1, revision=1, measures={"csat": 5}),
    ]
    for size in (1, 3):
        assert {"csat@1..5 5": 1} == totals(counted(log, size=size).cells())


def test_a_withdrawal_of_an_unknown_answer_keeps_it_out() -> None:
    """A withdrawal that overtakes its answer still wins."""
    log = [record(1, R1, withdrawn=True), record(2, R1, measures={"csat": 1})]
    store = counted(log, size=1)
    assert {} == store.cells()
    assert {"withdrawn": 1, "superseded": 1} == +store.outcomes


def test_a_tombstone_is_only_counted_as_one() -> None:
    """A record without a value takes nothing back: it names an id, not a revision."""
    log = [record(1, R1, measures={"csat": 1}), record(2, R1).but(value=None)]
    store = counted(log)
    assert {"csat@1..5 1": 1} == totals(store.cells())
    assert {"applied": 1, "tombstone": 1} == +store.outcomes


def test_a_tier_is_written_only_within_its_retention() -> None:
    """An old answer counts in the coarse tiers alone."""
    ages = {0: [10, 60, 300], 120: [10, 60, 300], 121: [60, 300], 601: [300], 1_200: [300]}
    for age, expected in ages.items():
        cells = counted([record(1, R1, START - age, measures={"csat": 3})]).cells()
        assert expected == sorted({bucket.seconds for bucket, _ in cells})


def test_late_is_counted_as_late_alone() -> None:
    """Older than the horizon: no cell, no entry."""
    store = counted([record(1, R1, START - 1_201, measures={"csat": 3})])
    assert {"late": 1} == +store.outcomes
    assert {} == store.cells() | store.contributions()


@pytest.mark.parametrize("back_seconds", [0.9, 30])
def test_taking_back_reaches_no_tier_that_the_answer_had_missed(back_seconds: float) -> None:
    """Where the clock steps back, a bucket that was too old becomes young enough again."""
    log = [
        record(1, R1, START - 120, at=START + back_seconds, measures={"csat": 3}),
        record(2, R1, START - 120, at=START, revision=1, measures={"csat": 3}),
    ]
    for size in (1, 2):
        store = counted(log, size=size)
        assert_equal(modelled(log), store)
        assert min(store.cells().values()) >= 0


def test_taking_back_after_an_upgrade_meets_the_old_cells() -> None:
    """Of the old scale, in the old breakdowns; nothing of the first answer is left."""
    log = [
        record(1, R1, measures={"csat": 3}, dimensions={"product": "p", "region": "EU"}),
        record(2, R1, revision=1, measures={"csat": 9}, dimensions={"product": "p"}),
    ]
    store = Store()
    owner_of(store).count(log[:1], 1)
    owner_of(store, LAYOUT_2).count(log, 1)
    assert {cell.measure for _, cell in store.cells()} == {"csat@0..10"}


def test_an_answer_that_is_applied_is_counted_somewhere() -> None:
    """Where it is not late by a part of a second, the coarsest tier still takes it."""
    store = counted([record(1, R1, START - 1_199.5, at=START + 0.4, measures={"csat": 3})])
    assert bool(store.cells()) == (store.outcomes["applied"] == 1)


def test_a_forgotten_answer_counts_as_absent() -> None:
    """Once event and arrival are past the horizon, the id is new again."""
    log = [
        record(1, R1, START, at=START, measures={"csat": 1}),
        record(2, R1, START + 1_201, at=START + 1_200, measures={"csat": 2}),
        record(3, R1, START + 1_300, at=START + 2_402, measures={"csat": 3}),
    ]
    for size in (1, 3):
        assert {"applied": 2, "duplicate": 1} == +counted(log, size=size).outcomes


def test_without_ids_every_answer_counts() -> None:
    """With `dedupe: off` the same event twice is counted twice, and no entry is kept."""
    log = [record(n, R1, measures={"csat": 4}) for n in range(2)]
    store = counted(log, OFF)
    assert {"csat@1..5 4": 2} == totals(store.cells())
    assert {} == store.entries


def test_sentiment_counts_polarity_and_sums() -> None:
    """A comment counts its polarity, and its compound score in 1/10,000 with its square."""
    fold = Fold(LAYOUT, score=lambda text: {"bad": -0.5, "good": 0.25}[text])
    store = Store()
    log = [record(1, R1, comment="bad"), record(2, R2, comment="good")]
    Owner(store, LAYOUT, fold, PARTITIONS).count(log, 2)
    expected = {
        "sentiment@vader3 negative": 1, "sentiment@vader3 positive": 1,
        "sentiment@vader3 sum": -2_500, "sentiment@vader3 sum_squares": 31_250_000,
    }  # fmt: skip
    assert expected == totals(store.cells())


@pytest.mark.parametrize("comment", [None, "", " \n"])
def test_no_words_have_no_sentiment(comment: str | None) -> None:
    """An empty comment is no neutral one."""
    assert {} == counted([record(1, R1, comment=comment)]).cells()


def test_values_are_admitted_by_counted_answers_in_log_order() -> None:
    """Ten values a dimension here; then `other`. Duplicates and refused answers admit none."""
    log = [
        record(16 * n + 1, i, measures={"csat": 1}, dimensions={"product": f"v{n}"})
        for n, i in enumerate(ids_of(0, 12))
    ]
    spoilers = [
        log[0].but(offset=2, value=record(2, R1, dimensions={"product": "dup"}).value),
        record(3, R2, measures={"csat": 9}, dimensions={"product": "refused"}),
        record(4, R2, START - 1_300, dimensions={"product": "late"}),
        record(5, R2, withdrawn=True, revision=0, dimensions={"product": "gone"}),
    ]
    log = sorted([*log, *spoilers], key=lambda r: r.offset)
    expected = {f"v{n}" for n in range(11) if n != 1} | {"other"}
    for size in (1, 3, 100):
        cells = counted(log, size=size).cells()
        assert expected == {c.segment[0] for _, c in cells if c.breakdown[0] == "product"}


def test_a_missing_value_is_unknown() -> None:
    """A missing or null dimension counts under `unknown`, which takes no room."""
    store = counted([record(1, R1, measures={"csat": 1}, dimensions={"product": None})])
    segments = {cell.segment for _, cell in store.cells()}
    assert {("unknown", "unknown"), ("unknown",)} == segments
    assert {} == store.values


def test_undeclared_dimensions_are_counted() -> None:
    """They are ignored, and how many came is told."""
    folded = folded_alone(
        [record(1, R1, dimensions={"colour": "red", "size": "L", "product": "p"})]
    )
    assert 2 == folded.unknown_dimensions


def test_a_customer_is_stored_as_a_keyed_hash() -> None:
    """Eight bytes that another key would make others."""
    log = [record(1, R1, customer="c-771", measures={"csat": 1})]
    entry = counted(log).contributions()[R1]
    assert entry.customer is not None
    assert 8 == len(entry.customer)
    other = Store()
    Owner(other, LAYOUT, Fold(LAYOUT, customer_key=b"another"), PARTITIONS).count(log, 1)
    assert entry.customer != other.contributions()[R1].customer


# Routing


def test_a_record_must_carry_the_id_as_its_key() -> None:
    """Another key, or none, is refused as misrouted."""
    for key in (None, b"", b"another"):
        folded = folded_alone([record(1, R1).but(key=key)])
        assert ["misrouted"] == [r.refusal.reason for r in folded.refused]


@pytest.mark.parametrize(
    ("offset", "fields", "expected"),
    [
        (1, {}, []),
        (ROUTE_SAMPLE, {}, ["misrouted"]),
        (1, {"revision": 1}, ["misrouted"]),
        (1, {"withdrawn": True}, ["misrouted"]),
    ],
)
def test_corrections_and_a_sample_are_checked_for_their_partition(
    offset: int, fields: dict[str, Any], expected: list[str]
) -> None:
    """A correction in the wrong partition would never meet its answer."""
    folded = folded_alone([record(offset, WRONG_IDS[0], **fields)])
    assert expected == [r.refusal.reason for r in folded.refused]


def test_the_sample_goes_by_offset() -> None:
    """A replay in other batches refuses the same records."""
    log = [record(n, WRONG_IDS[0]) for n in range(40)]
    for size in (1, 7, 40):
        assert 3 == counted(log, size=size).outcomes["refused"]


# Time


def test_kafkas_own_time_judges_where_it_is_set() -> None:
    """With LogAppendTime the worker's clock plays no part; without it, it alone decides."""
    ancient = START - 10_000
    stamped = [record(1, R1, ancient, at=ancient, measures={"csat": 1})]
    assert {"applied": 1} == +counted(stamped, clock=START).outcomes
    created = [record(1, R1, ancient, at=ancient, stamped=False, measures={"csat": 1})]
    assert {"late": 1} == +counted(created, clock=START).outcomes


def test_the_time_of_the_last_record_is_told() -> None:
    """In seconds; None for a batch without records, such as one of control records."""
    assert START + 1.5 == folded_alone([record(1, R1), record(2, R2, at=START + 1.5)]).recorded
    assert folded_alone([]).recorded is None


# What is handed to the ledger


@given(log=logs())
def test_increments_are_never_zero_and_fields_can_be_read(log: list[Record]) -> None:
    """Nothing is sent that changes nothing, and every field is that of a cell."""
    folded = folded_alone(log)
    assert all(n for cells in folded.increments.values() for n in cells.values())
    assert all(cells for cells in folded.increments.values())
    fields = {field for cells in folded.increments.values() for field in cells}
    assert len(fields) == len({decode_cell(field) for field in fields})


@given(log=logs())
def test_entries_survive_their_encoding(log: list[Record]) -> None:
    """What is written can be read again, unchanged."""
    for entry in folded_alone(log).contributions.values():
        assert entry == encode_contribution(decode_contribution(entry))


def test_a_refusal_never_quotes_the_customer() -> None:
    """Reasons and sentences hold no word of a comment, whatever is wrong with the event."""
    word = "zebra"
    broken = [
        record(1, R1, comment=word, measures={"csat": 9}),
        record(2, R1, comment=[word]),
        record(3, R1, dimensions={"product": word * 20}),
        record(4, R1, comment=word).but(key=b"x"),
        record(5, R1).but(value=event(R1, **{f"a {word}": True})),
        record(6, R1, measures={f"a {word}": 1}),
    ]
    refused = folded_alone(broken).refused
    assert len(broken) == len(refused)
    assert [] == [r.refusal for r in refused if re.search(word, repr(r.refusal))]


def test_offsets_with_gaps_are_legal() -> None:
    """Compaction and transactions leave gaps; nothing is tested for being contiguous."""
    log = [
        record(n, i, measures={"csat": 1}) for n, i in zip((1, 50, 900), ids_of(0, 3), strict=True)
    ]
    assert [49, 850] == [b.offset - a.offset for a, b in pairwise(log)]
    assert {"csat@1..5 1": 3} == totals(counted(log, size=2).cells())
