"""What follows of a partition's layouts, and that counts stay right from one to the next."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.audit.plain_model import PlainModel
from streams.ledger.fold import Fold
from streams.ledger.history import Era, History
from streams.ledger.keys import Bucket
from streams.ledger.layout import EXPIRY_GRACE_SECONDS, Layout, Measure, Tier
from tests.feedback_log import (
    CSAT,
    CUSTOMER_KEY,
    LAYOUT,
    PARTITIONS,
    RIGHT_IDS,
    START,
    logs,
    record,
)
from tests.memory_ledger import Owner, Store

if TYPE_CHECKING:
    from tests.feedback_log import Record

R1, R2, *_ = RIGHT_IDS


def keeping(version: int, *retentions: int, horizon: int | None = 1_200) -> Layout:
    """Give a layout whose tiers of 10, 60 and 300 s keep so long; 0: there is none."""
    tiers = zip((10, 60, 300), retentions, strict=True)
    return msgspec.structs.replace(
        LAYOUT,
        version=version,
        tiers=tuple(Tier(seconds, kept) for seconds, kept in tiers if kept),
        horizon_seconds=horizon,
        late_after_seconds=horizon or retentions[-1],
    )


def counts_all(_: Layout) -> bool:
    return True


# How long buckets are kept


def test_a_tier_that_is_kept_longer_keeps_what_was_still_there() -> None:
    """A bucket that the older layout had let go of does not come back."""
    history = History(
        [Era(keeping(1, 120, 600, 1_200)), Era(keeping(2, 600, 600, 1_200), 5, 1_000)]
    )
    found = {start: history.kept_seconds(2, Bucket(10, start)) for start in (870, 880, 2_000)}
    assert {870: 120, 880: 600, 2_000: 600} == found
    assert 120 == history.kept_seconds(1, Bucket(10, 880))


def test_a_tier_that_is_kept_shorter_is_kept_shorter_at_once() -> None:
    """And longer again only where it was kept in between."""
    history = History(
        [
            Era(keeping(1, 600, 600, 1_200)),
            Era(keeping(2, 60, 600, 1_200), 5, 1_000),
            Era(keeping(3, 600, 600, 1_200), 9, 2_000),
        ]
    )
    found = {start: history.kept_seconds(3, Bucket(10, start)) for start in (990, 1_930, 1_940)}
    assert {990: 60, 1_930: 60, 1_940: 600} == found
    assert 60 == history.shortest_kept_seconds(3, 10)


def test_a_layout_by_which_nothing_was_counted_promised_nothing() -> None:
    """Two versions raised one after the other are one change."""
    history = History(
        [
            Era(keeping(1, 600, 600, 1_200)),
            Era(keeping(2, 60, 600, 1_200), 5, 1_000),
            Era(keeping(3, 600, 600, 1_200), 5, 1_010),
        ]
    )
    assert [1, 3] == [era.layout.version for era in history.eras]
    assert 600 == history.kept_seconds(3, Bucket(10, 0))
    assert {1, 2, 3} == history.layouts.keys()


def test_buckets_expire_by_what_they_were_promised() -> None:
    """Those that live on for longer are told when a layout is raised, with their new time."""
    before = History([Era(keeping(1, 120, 600, 1_200))])
    after = before.raised(Era(keeping(2, 600, 300, 1_200), 5, 1_000))
    buckets = [Bucket(10, 870), Bucket(10, 880), Bucket(60, 960), Bucket(300, 900)]
    expected = {Bucket(10, 880): 880 + 10 + 600 + EXPIRY_GRACE_SECONDS}
    assert expected == before.prolonged(after, buckets)


# From when on ids are told apart


@pytest.mark.parametrize(
    ("horizons", "expected"),
    [
        ((600,), -math.inf),
        ((600, 300), -math.inf),
        ((600, 1_200), 1_000 - 600),
        ((600, 300, 600), 2_000 - 300),
        ((600, 1_200, 300), -math.inf),
        ((600, None), -math.inf),
        ((None, 600), -math.inf),
        ((600, None, 1_200), 2_000 - 600),
    ],
)
def test_what_was_late_stays_late(horizons: tuple[int | None, ...], expected: float) -> None:
    """Entries that a shorter horizon let go of don't come back; a longer one can't tell them."""
    history = History(
        Era(keeping(n + 1, 120, 600, 1_200, horizon=horizon), n, 1_000.0 * n)
        for n, horizon in enumerate(horizons)
    )
    assert expected == history.not_before(len(horizons))


# From when on all is counted


CES = Measure("ces", "rating", 1, 7)
FIRST = keeping(1, 120, 600, 1_200)
WITH_CES = msgspec.structs.replace(keeping(2, 120, 600, 1_200), measures=(CES, *FIRST.measures))


@pytest.mark.parametrize(
    ("history", "tier", "measure", "expected"),
    [
        pytest.param(History([Era(FIRST)]), 10, CSAT, -math.inf, id="one"),
        pytest.param(
            History([Era(FIRST), Era(WITH_CES, 5, 1_000)]), 10, CSAT, -math.inf, id="old"
        ),
        pytest.param(
            History([Era(FIRST), Era(WITH_CES, 5, 1_000)]), 10, CES, 1_300, id="new"
        ),
        pytest.param(
            History([Era(keeping(1, 0, 600, 1_200)), Era(keeping(2, 60, 600, 1_200), 5, 1_000)]),
            10, CSAT, 1_300, id="new-tier",
        ),
        pytest.param(
            History([Era(FIRST), Era(keeping(2, 300, 600, 1_200), 5, 1_000)]),
            10, CSAT, 1_000 - 120, id="kept-longer",
        ),
        pytest.param(
            History([Era(FIRST), Era(keeping(2, 300, 600, 1_200), 5, 1_000)]),
            60, CSAT, -math.inf, id="kept-as-long",
        ),
        pytest.param(History([Era(FIRST)]), 10, CES, math.inf, id="never"),
    ],
)  # fmt: skip
def test_what_is_new_is_complete_since_it_is_counted(
    history: History, tier: int, measure: Measure, expected: float
) -> None:
    """Only for what is new; a clock that is five minutes fast may have sent some before."""
    assert expected == history.complete_from(tier, lambda layout: measure in layout.measures)


# Counting across versions


class Upgrade(NamedTuple):
    """A layout that is raised after a share of the log."""

    share: float
    layout: Layout


_kept = st.sampled_from([60, 120, 300, 600, 1_200])


def _layout(kept: list[int], present: list[bool], horizon: int | None) -> Layout:
    ordered = sorted(kept)
    some = [seconds if there else 0 for seconds, there in zip(ordered, present, strict=True)]
    return keeping(0, some[0], some[1], ordered[2], horizon=horizon)


_layouts = st.builds(
    _layout,
    st.lists(_kept, min_size=3, max_size=3),
    st.tuples(st.booleans(), st.booleans(), st.just(True)).map(list),
    st.sampled_from([None, 60, 1_200, 1_200, 1_200]),
)
_upgrades = st.lists(st.builds(Upgrade, st.floats(0, 1), _layouts), min_size=2, max_size=4)


class Run(NamedTuple):
    """A log that was counted under several layouts."""

    store: Store
    model: PlainModel


def counted(log: list[Record], upgrades: list[Upgrade], size: int, behind: float) -> Run:
    """Count a log, raising layouts on the way, `behind` seconds after Kafka took each record."""
    store = Store()
    places = sorted(round(upgrade.share * len(log)) for upgrade in upgrades)
    places[0] = 0
    for version, (upgrade, end) in enumerate(
        zip(upgrades, [*places[1:], len(log)], strict=True), 1
    ):
        layout = msgspec.structs.replace(upgrade.layout, version=version)
        owner = Owner(store, layout, Fold(layout, customer_key=CUSTOMER_KEY), PARTITIONS)
        part = [each for each in log[:end] if each.offset >= store.position]
        for first in range(0, len(part), size):
            batch = part[first : first + size]
            store.expire(batch[-1].timestamp / 1000 + behind)
            owner.count(batch, size)
            store.expire(store.clock)
    eras = History(store.eras).eras
    model = PlainModel(
        0,
        PARTITIONS,
        {era.begins: era.layout for era in eras},
        {era.layout.version: era.raised_at for era in eras},
        customer_key=CUSTOMER_KEY,
    )
    for each in log:
        model.take(each, 0.0)
    return Run(store, model)


@settings(max_examples=300)
@given(
    log=logs(60, min_size=10),
    upgrades=_upgrades,
    size=st.integers(1, 12),
    behind=st.sampled_from([0.0, 0.0, 500.0, -200.0]),
    grace=st.sampled_from([0, 7_200]),
)
def test_counts_are_right_whatever_is_kept_for_longer_or_shorter(
    log: list[Record], upgrades: list[Upgrade], size: int, behind: float, grace: int
) -> None:
    """However retention and horizon change, each answer is taken back where it was counted.

    Every bucket that is still there is as the model says, and no count is below 0. And where a
    reader may rely on a bucket, it holds exactly the answers that stand, worked out from them,
    as long as Redis's clock is not behind Kafka's.
    """
    with patch("streams.ledger.history.EXPIRY_GRACE_SECONDS", grace):
        store, model = counted(log, upgrades, size, behind)
    assert model.outcomes == {name: store.outcomes[name] for name in model.outcomes}
    assert model.entries == store.contributions()
    found = {place: n for place, n in store.cells().items() if place[0] in store.expires}
    assert {p: n for p, n in model.cells.items() if n and p[0] in store.expires} == found
    assert [] == [place for place, n in found.items() if n < 0 and place[1].value != "sum"]
    if behind >= 0 and all(upgrade.layout.horizon_seconds == 1_200 for upgrade in upgrades):
        assert_whole(store)


def assert_whole(store: Store) -> None:
    """Hold the answers to csat of each reliable bucket against the entries that stand."""
    history = History(store.eras)
    for tier in history.current.tiers:
        line = history.complete_from(tier.seconds, counts_all)
        standing: Counter[Bucket] = Counter()
        for entry in store.contributions().values():
            if not entry.withdrawn and entry.answers[0] is not None:
                standing[Bucket.of(tier.seconds, entry.occurred)] += 1
        stored: Counter[Bucket] = Counter()
        for (bucket, cell), number in store.cells().items():
            if cell.measure == CSAT.cell_id and cell.breakdown == LAYOUT.breakdowns[0]:
                stored[bucket] += number
        oldest = store.clock - tier.retention_seconds
        for bucket in standing.keys() | stored.keys():
            if bucket.seconds == tier.seconds and bucket.start > max(oldest, line):
                assert standing[bucket] == stored[bucket], (bucket, line)


def test_a_revision_after_a_longer_retention_counts_once() -> None:
    """An answer that the older layout counted in a tier is taken back from it, however late."""
    log = [
        record(1, R1, START, at=START, measures={"csat": 1}),
        record(2, R2, START + 100, at=START + 100, measures={"csat": 3}),
        record(3, R1, START, at=START + 300, revision=1, measures={"csat": 5}),
    ]
    upgrades = [Upgrade(0, keeping(0, 120, 600, 1_200)), Upgrade(0.67, keeping(0, 600, 600, 1_200))]
    store, _ = counted(log, upgrades, 1, 0)
    assert {"5": 1} == in_bucket(store, Bucket(10, START))


def in_bucket(store: Store, bucket: Bucket) -> dict[str, int]:
    """Give the answers to csat in a bucket."""
    return {
        cell.value: number
        for (place, cell), number in store.cells().items()
        if place == bucket and cell.breakdown == LAYOUT.breakdowns[0]
    }


def test_a_bucket_lives_on_when_it_is_kept_for_longer() -> None:
    """Nothing touches it between the raise and the time at which it would have expired."""
    log = [
        record(1, R1, START, at=START, measures={"csat": 1}),
        record(2, R2, START + 30, at=START + 30, measures={"csat": 3}),
        record(3, R1, START + 1, at=START + 200, revision=1, measures={"csat": 5}),
    ]
    upgrades = [Upgrade(0, keeping(0, 60, 600, 1_200)), Upgrade(0.67, keeping(0, 600, 600, 1_200))]
    with patch("streams.ledger.history.EXPIRY_GRACE_SECONDS", 0):
        store, _ = counted(log, upgrades, 1, 0)
    assert {"5": 1} == in_bucket(store, Bucket(10, START))


def test_a_clock_of_redis_that_is_behind_takes_back_only_what_was_counted() -> None:
    """By it a bucket seems young for which Kafka's record came too late."""
    log = [
        record(1, R1, START, at=START + 100, measures={"csat": 1}),
        record(2, R1, START, at=START + 150, revision=1, measures={"csat": 5}),
    ]
    upgrades = [Upgrade(0, keeping(0, 60, 600, 1_200)), Upgrade(0.5, keeping(0, 600, 600, 1_200))]
    store, _ = counted(log, upgrades, 1, -200)
    assert {"5": 1} == in_bucket(store, Bucket(10, START))


def test_an_id_that_the_older_layout_forgot_counts_as_absent() -> None:
    """Whether Redis still has its entry or has dropped it must not matter."""
    log = [
        record(1, R1, START, at=START, measures={"csat": 1}),
        record(2, R2, START + 900, at=START + 900, measures={"csat": 3}),
        record(3, R1, START + 880, at=START + 910, measures={"csat": 5}),
    ]
    before, after = keeping(0, 60, 60, 60, horizon=60), keeping(0, 60, 60, 2_000, horizon=2_000)
    store, model = counted(log, [Upgrade(0, before), Upgrade(0.67, after)], 1, 0)
    assert {"applied": 3} == +store.outcomes == +model.outcomes


def test_what_was_let_go_of_is_neither_added_nor_taken_back() -> None:
    """A bucket that had expired before the raise stays gone: no count of it falls below 0."""
    log = [
        record(1, R1, START, at=START, measures={"csat": 1}),
        record(2, R2, START + 9_000, at=START + 9_000, measures={"csat": 3}),
        record(3, R1, START, at=START + 9_100, revision=1, measures={"csat": 5}),
    ]
    before = keeping(0, 60, 600, 20_000, horizon=20_000)
    after = keeping(0, 20_000, 20_000, 20_000, horizon=20_000)
    store, _ = counted(log, [Upgrade(0, before), Upgrade(0.67, after)], 1, 0)
    assert {"10": 1, "60": 1, "300": 2} == dict(
        Counter(str(b.seconds) for b, c in store.cells() if c.breakdown == LAYOUT.breakdowns[0])
    )
