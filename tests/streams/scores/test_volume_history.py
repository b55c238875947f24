from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.counts.counts import Counts
from streams.counts.projection import Group
from streams.ledger.cells import Cell, encode_cell
from streams.ledger.keys import Bucket
from streams.ledger.layout import Dimension, Layout, Measure, Tier
from streams.scores.volume_history import VolumeHistory, volume_tier, weeks_kept
from streams.scores.volume_hours import HOUR
from streams.scores.volume_rule import VolumeRule
from tests.streams.scores.test_volume_rule import MONDAY, WEEK, by_definition, day_after, steady

DAY = 24 * HOUR
CSAT = Measure("csat", "rating", 1, 5)
GROUP = Group(CSAT.cell_id, ("product",))
ROUTER = ("router",)


def layout(*tiers: Tier) -> Layout:
    return Layout(
        version=1,
        measures=(CSAT,),
        dimensions=(Dimension("product", 3),),
        breakdowns=(("product",),),
        tiers=tiers,
        horizon_seconds=None,
        late_after_seconds=62 * DAY,
    )


HOURLY = Tier(HOUR, 62 * DAY)
RULE = VolumeRule(ZoneInfo("Europe/Berlin"), 1.0, weeks_kept(HOURLY))


def history() -> tuple[Counts, VolumeHistory]:
    counts = Counts(layout(HOURLY), {}, [GROUP])
    found = VolumeHistory(GROUP, counts.projection)
    counts.listen(HOUR, found)
    return counts, found


def put(counts: Counts, start: int, answers: int, product: str = "router") -> None:
    """What the hour at `start` holds."""
    cell = encode_cell(Cell(("product",), (product,), CSAT.cell_id, "5"))
    fields = {cell: b"%d" % answers} if answers else {}
    counts.put(0, Bucket(HOUR, start), fields)


class TestTier:
    """Which buckets are looked at."""

    def test_the_one_that_is_kept_longest(self) -> None:
        """Its buckets must fill an hour; days do not."""
        day, hour, fine = Tier(DAY, 90 * DAY), Tier(HOUR, 62 * DAY), Tier(300, 8 * DAY)
        assert hour == volume_tier(layout(fine, hour, day))

    @pytest.mark.parametrize(("days", "weeks"), [(62, 7), (90, 7), (45, 5), (31, 3), (29, None)])
    def test_weeks(self, days: int, weeks: int | None) -> None:
        """A week of replay and two days come on top; less than three weeks are too few."""
        tier = Tier(HOUR, days * DAY)
        assert (tier if weeks else None) == volume_tier(layout(tier))
        if weeks:
            assert weeks == weeks_kept(tier)


class TestVerdict:
    """Of one segment."""

    def test_a_silent_segment_is_seen_beside_one_that_goes_on(self) -> None:
        """Each has its own answers."""
        counts, found = history()
        for start, answers in day_after(steady(8), stops_at=10).items():
            fields = {
                encode_cell(Cell(("product",), (product,), CSAT.cell_id, "5")): b"%d" % some
                for product, some in (("router", answers), ("phone", 40), ("other", 1))
                if some
            }
            counts.put(0, Bucket(HOUR, start), fields)
        end = MONDAY + 11 * HOUR
        verdicts = [found.verdict(RULE, (name,), end, 0) for name in ("router", "phone")]
        assert ["fall", None] == [each.direction for each in verdicts if each]
        assert None is found.verdict(RULE, ("other",), end, 0)
        assert 2 == found.segments

    def test_sums_are_no_answers(self) -> None:
        """A comment is one answer, whatever its score sums to."""
        sentiment = Measure("sentiment", "sentiment")
        group = Group(sentiment.cell_id, ())
        stored = layout(HOURLY)
        counts = Counts(stored, {}, [group])
        found = VolumeHistory(group, counts.projection)
        counts.listen(HOUR, found)
        for week in range(8):
            fields = {
                encode_cell(Cell(("product",), ROUTER, sentiment.cell_id, value)): b"%d" % count
                for value, count in (("positive", 20), ("sum", 90_000), ("sum_squares", 10**9))
            }
            counts.put(0, Bucket(HOUR, MONDAY - week * WEEK), fields)
        verdict = found.verdict(RULE, (), MONDAY + HOUR, 0)
        assert verdict is not None
        assert (20, 20.0) == (verdict.answers, verdict.expected)

    def test_unknown_segments_and_young_ones_have_none(self) -> None:
        """Nothing is known of them yet."""
        counts, found = history()
        assert None is found.verdict(RULE, ROUTER, MONDAY, 0)
        put(counts, MONDAY, 5)
        assert None is found.verdict(RULE, ROUTER, MONDAY + HOUR, 0)
        assert None is found.verdict(RULE, ROUTER, MONDAY, 0)
        assert None is found.verdict(RULE, ROUTER, MONDAY + HOUR, float("inf"))


USUAL = {start: count for start, count in steady(9).items() if count}
hours_ago = st.one_of(st.integers(0, 40), st.integers(0, 9 * 168))
moves = st.one_of(
    st.tuples(hours_ago, st.integers(0, 60)),
    st.tuples(st.just("end"), st.integers(-3, 30)),
    st.tuples(st.just("lost"), st.integers(0, 9 * 168)),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(moves, max_size=6))
def test_what_is_remembered_changes_nothing(changes: list[tuple[int | str, int]]) -> None:
    """After late answers, edits, expiry and losses the verdict is that of a fresh look."""
    counts, found = history()
    content = dict(USUAL)
    for start, answers in content.items():
        put(counts, start, answers)
    end, complete_from = MONDAY, 0
    for what, amount in [("end", 0), *changes]:
        if what == "end":
            end += amount * HOUR
        elif what == "lost":
            complete_from = MONDAY - amount * HOUR
        else:
            start = MONDAY - int(what) * HOUR
            content[start] = amount
            put(counts, start, amount)
        for start in [each for each in content if each < end - HOURLY.retention_seconds]:
            put(counts, start, 0)
            del content[start]
        known = {start: count for start, count in content.items() if count}
        expected = by_definition(RULE, known, end + 1, complete_from)
        assert expected == found.verdict(RULE, ROUTER, end + 1, complete_from)
