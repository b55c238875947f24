from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.durations import Duration
from streams.kpis.stored import (
    FEWEST_BUCKETS,
    MOST_BUCKETS,
    maximal,
    stored_tiers,
    tier_for,
    uncovered,
)
from streams.ledger.layout import Tier

DAY = 86_400
TEN_SECONDS = Tier(10, 7_200)
FIVE_MINUTES = Tier(300, 8 * DAY)
HOUR = Tier(3_600, 62 * DAY)
TIERS = (TEN_SECONDS, FIVE_MINUTES, HOUR)

names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True).map(
    lambda chosen: tuple(sorted(chosen))
)
tiers = st.lists(
    st.sampled_from([10, 60, 300, 900, 3_600, DAY]), min_size=1, max_size=4, unique=True
).flatmap(
    lambda seconds: st.lists(
        st.integers(DAY, 100 * DAY), min_size=len(seconds), max_size=len(seconds)
    ).map(lambda kept: tuple(map(Tier, sorted(seconds), sorted(kept))))
)
windows = st.lists(
    st.sampled_from([60, 300, 3_600, 7_200, DAY, 7 * DAY, 30 * DAY]).map(Duration.of), max_size=6
)


@pytest.mark.parametrize(
    ("window", "tier"),
    [
        ("1m", TEN_SECONDS),
        ("5m", TEN_SECONDS),
        ("1h", TEN_SECONDS),
        ("2h", FIVE_MINUTES),
        ("24h", FIVE_MINUTES),
        ("7d", HOUR),
        ("30d", HOUR),
    ],
)
def test_default_tiers_serve_usual_windows(window: str, tier: Tier) -> None:
    """The finest tier that needs at most 400 buckets and is kept one bucket longer."""
    assert tier == tier_for(Duration.parse(window), TIERS)


def test_a_tier_keeps_one_bucket_more_than_the_window() -> None:
    """A window ends within a bucket, so it reaches into one more than its length divided."""
    window = Duration.parse("2h")
    assert tier_for(window, [Tier(60, 7_200)]) is None
    assert Tier(60, 7_260) == tier_for(window, [Tier(60, 7_260)])


def test_more_than_400_buckets_are_left_to_a_coarser_tier() -> None:
    """400 buckets of 10 s are read from them; 402 are read as 201 of 20 s."""
    fine, coarse = Tier(10, DAY), Tier(20, DAY)
    assert tier_for(Duration.of(4_000), [fine, coarse]) == fine
    assert tier_for(Duration.of(4_020), [fine, coarse]) == coarse


def test_without_a_tier_of_400_buckets_the_coarsest_serves() -> None:
    """2h is 480 buckets of 15 s or 1,440 of 5 s: both can serve, and fewer are read faster."""
    window = Duration.parse("2h")
    fine, coarse = Tier(5, DAY), Tier(15, DAY)
    assert coarse == tier_for(window, [fine, coarse])


@pytest.mark.parametrize(
    ("seconds", "served"), [(30, False), (40, True), (20_000, True), (20_010, False)]
)
def test_four_to_two_thousand_buckets(seconds: int, served: bool) -> None:
    """Fewer would make the score saw, more would make a reload slow."""
    assert served == (tier_for(Duration.of(seconds), [Tier(10, DAY)]) is not None)


def test_a_window_is_a_whole_number_of_buckets() -> None:
    """65 s can't be summed from 10 s buckets."""
    assert tier_for(Duration.parse("65s"), [TEN_SECONDS]) is None


@given(windows, tiers)
def test_readers_find_the_same_tier_among_the_stored_ones(
    needed: list[Duration], declared: tuple[Tier, ...]
) -> None:
    """Leaving out what no window needs does not change what any window uses."""
    stored = stored_tiers(needed, declared)
    assert [tier_for(w, declared) for w in needed] == [tier_for(w, stored) for w in needed]
    assert set(stored) == {tier_for(w, declared) for w in needed} - {None}
    assert list(stored) == sorted(stored, key=lambda tier: tier.seconds)


@given(windows, tiers)
def test_a_tier_that_serves_covers_the_window(
    needed: list[Duration], declared: tuple[Tier, ...]
) -> None:
    """Whatever is chosen fills the window exactly and is kept long enough."""
    for window in needed:
        tier = tier_for(window, declared)
        if tier is not None:
            assert window.seconds % tier.seconds == 0
            assert FEWEST_BUCKETS <= window.seconds // tier.seconds <= MOST_BUCKETS
            assert tier.retention_seconds >= window.seconds + tier.seconds


@given(st.lists(names, max_size=8))
def test_every_declared_breakdown_is_a_sum_over_a_stored_one(
    declared: list[tuple[str, ...]],
) -> None:
    """Each is contained in a stored one, and no stored one is contained in another."""
    stored = maximal(declared)
    assert all(any(set(b) <= set(kept) for kept in stored) for b in declared)
    assert not any(set(a) < set(b) for a in stored for b in stored)
    assert set(stored) <= {*declared, ()}
    assert len(set(stored)) == len(stored)


@given(st.lists(names, max_size=6).flatmap(st.permutations))
def test_the_order_of_breakdowns_does_not_matter(declared: list[tuple[str, ...]]) -> None:
    """Moving a breakdown in the file changes nothing that is stored."""
    assert maximal(sorted(declared)) == maximal(declared)


def test_only_the_largest_breakdowns_are_stored() -> None:
    """[product, channel] yields both alone; [region] stands for itself; without any, the total."""
    declared = [("product",), ("channel",), ("product", "channel"), ("region",)]
    assert maximal(declared) == (("product", "channel"), ("region",))
    assert maximal([]) == ((),)


@pytest.mark.parametrize(("window", "advice"), [("70d", "1h: 71d"), ("1500h", "1h: 1501h")])
def test_advice_for_a_window_that_is_longer_than_retention(window: str, advice: str) -> None:
    """The coarsest buckets that fit must be kept for the window and one bucket."""
    sentence = uncovered(Duration.parse(window), TIERS)
    start = f"{window} is longer than its buckets are kept; "
    assert sentence == f"{start}write {advice} in retention (now 62d)"


@pytest.mark.parametrize(
    ("window", "advice"),
    [
        ("20s", "add 1s to retention"),
        ("100d", "add 1d to retention"),
        ("3s", "choose a rounder length"),
    ],
)
def test_advice_for_a_window_that_no_bucket_divides(window: str, advice: str) -> None:
    """A usual bucket length is named if one fits."""
    sentence = uncovered(Duration.parse(window), TIERS)
    assert (
        f"no bucket length in retention divides {window} into 4 to 2,000 buckets; {advice}"
        == sentence
    )
