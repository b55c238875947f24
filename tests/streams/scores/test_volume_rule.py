from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.scores.volume_hours import HOUR, Hours
from streams.scores.volume_rule import (
    VolumeRule,
    VolumeVerdict,
    _after,
    looks_at,
    replayed,
    volume_verdict,
)

UTC_ZONE = ZoneInfo("UTC")
RULE = VolumeRule(UTC_ZONE, 1.0)

# A Monday, 00:00 UTC.
MONDAY = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
DAY = 24 * HOUR
WEEK = 7 * DAY

# Answers of each hour of a day: none at night, forty an hour from 8 to 20.
NIGHT_AND_DAY = [0] * 8 + [40] * 12 + [0] * 4


def steady(weeks: float, seed: int = 1, dispersed: float = 0.02) -> dict[int, int]:
    """Answers of so many weeks before MONDAY, by the start of their hour."""
    chance = np.random.default_rng(seed)
    hours = range(MONDAY - int(weeks * WEEK), MONDAY, HOUR)
    return {hour: _drawn(chance, hour, dispersed) for hour in hours}


def _drawn(chance: np.random.Generator, hour: int, dispersed: float) -> int:
    mean = NIGHT_AND_DAY[hour % DAY // HOUR]
    return int(chance.poisson(mean * chance.gamma(1 / dispersed, dispersed))) if mean else 0


def day_after(counts: dict[int, int], *, stops_at: int, resumes_at: int = 24) -> dict[int, int]:
    """`counts` and a Monday on which nothing comes between two of its hours."""
    return counts | {
        MONDAY + hour * HOUR: 0 if stops_at <= hour < resumes_at else NIGHT_AND_DAY[hour]
        for hour in range(24)
    }


def by_definition(
    rule: VolumeRule, counts: dict[int, int], end: float, complete_from: float
) -> VolumeVerdict | None:
    """The verdict at `end`, all of it looked at anew."""
    hours = replayed(end)
    begin = max(int(complete_from // HOUR), min(counts, default=int(end)) // HOUR)
    if begin >= hours[-1]:
        return None
    held = Hours.of(rule.zone, counts, begin, hours[-1], rule.weeks)
    return volume_verdict(rule, ((at, looks_at(held, at)) for at in hours))


def at(counts: dict[int, int], hour: float, rule: VolumeRule = RULE) -> VolumeVerdict:
    """The verdict so many hours into Monday, from the answers until then."""
    end = MONDAY + hour * HOUR
    known = {start: count for start, count in counts.items() if start < end}
    found = by_definition(rule, known, end, 0)
    assert found is not None
    return found


class TestFall:
    """Answers stay away."""

    def test_a_silent_tool_is_seen(self) -> None:
        """Nothing from 10 on is seen once the hour to 11 is complete, not at 10 and not at 11."""
        counts = day_after(steady(8), stops_at=10)
        directions = [at(counts, hour).direction for hour in (10, 10.9, 11)]
        assert [None, None, "fall"] == directions

    def test_a_quiet_night_is_none(self) -> None:
        """Where the week brings nothing, nothing is missing."""
        counts = day_after(steady(8), stops_at=20)
        assert [None] * 24 == [at(counts, hour).direction for hour in range(1, 25)]

    def test_night_does_not_clear(self) -> None:
        """No answers where none are expected don't say that the tool works again."""
        counts = day_after(steady(8), stops_at=10)
        night = at(counts, 23)
        assert ("fall", MONDAY + 11 * HOUR) == (night.direction, night.since)

    def test_answers_clear(self) -> None:
        """Once an ordinary hour of answers came, it is over."""
        counts = day_after(steady(8), stops_at=10, resumes_at=14)
        assert "fall" == at(counts, 14).direction
        assert None is at(counts, 15).direction
        assert MONDAY + 15 * HOUR == at(counts, 15).since

    def test_a_tenth_less_is_no_alarm(self) -> None:
        """However many answers make it sure, a shift of a tenth is not far."""
        ordinary = day_after(steady(8, dispersed=1e-4), stops_at=24)
        counts = {hour: 100 * count for hour, count in ordinary.items()}
        for hour in range(10, 20):
            counts[MONDAY + hour * HOUR] = 3_600
        assert None is at(counts, 20).direction

    def test_few_answers_take_longer(self) -> None:
        """Four an hour: an hour of none says little, so many hours must stay without."""
        counts = {hour: round(count / 10) for hour, count in steady(8).items()}
        monday = {MONDAY + hour * HOUR: NIGHT_AND_DAY[hour] // 10 for hour in range(10)}
        silent = counts | monday | {MONDAY + hour * HOUR: 0 for hour in range(10, 24)}
        seen = next(hour for hour in range(10, 25) if at(silent, hour).raised)
        assert 12 < seen <= 16
        assert 6 == at(silent, seen).hours


class TestRise:
    """Answers flood in."""

    def test_a_flood_is_seen(self) -> None:
        """Three times what the hour brings is far more than chance; when it ends, it clears."""
        counts = day_after(steady(8), stops_at=24)
        counts[MONDAY + 10 * HOUR] = 130
        assert ["rise", None] == [at(counts, hour).direction for hour in (11, 12)]

    def test_some_at_night_are_no_flood(self) -> None:
        """Three answers in an hour that never brought any are not worth a word."""
        counts = day_after(steady(8), stops_at=24)
        counts[MONDAY + 3 * HOUR] = 3
        assert None is at(counts, 4).direction


class TestHistory:
    """What is expected, and from when on."""

    def test_too_little_of_it(self) -> None:
        """Before three weeks of history there is no verdict, which is not a quiet one."""
        counts = steady(2.9)
        assert None is by_definition(RULE, counts, MONDAY, 0)
        assert None is by_definition(RULE, {}, MONDAY, 0)

    def test_lost_history_is_not_silence(self) -> None:
        """Hours before `complete_from` were not counted: they don't lower what is expected."""
        whole = day_after(steady(8), stops_at=10)
        lost = {hour: 0 if hour < MONDAY - 4 * WEEK else count for hour, count in whole.items()}
        known = {hour: count for hour, count in lost.items() if hour < MONDAY + 11 * HOUR}
        found = by_definition(RULE, known, MONDAY + 11 * HOUR, MONDAY - 4 * WEEK)
        assert found is not None
        assert 40 == pytest.approx(found.expected, rel=0.15)

    def test_today_is_not_its_own_measure(self) -> None:
        """Today's outage lowers nothing that today is measured by."""
        counts = day_after(steady(8), stops_at=10)
        assert at(counts, 11).expected == at(counts | {MONDAY + 10 * HOUR: 40}, 11).expected

    def test_hours_are_local(self) -> None:
        """When the clocks change, nine o'clock is still compared with nine o'clock."""
        berlin = ZoneInfo("Europe/Berlin")
        # The Monday after the clocks went forward, and eight weeks before it.
        monday = datetime(2026, 3, 30, tzinfo=berlin)
        end = int(monday.timestamp()) + 9 * HOUR
        counts = {}
        for start in range(end - 8 * WEEK, end, HOUR):
            hour = datetime.fromtimestamp(start, berlin).hour
            counts[start] = 40 if 8 <= hour < 20 else 0
        rule = VolumeRule(berlin, 1.0)
        here = by_definition(rule, counts, end, 0)
        in_utc = by_definition(RULE, counts, end, 0)
        assert 40 == pytest.approx(here.expected if here else 0, rel=0.02)
        assert 1 > (in_utc.expected if in_utc else 9)

    def test_is_a_function_of_the_counts(self) -> None:
        """Asked anew at each moment it says what it would have said, had it always been asked."""
        counts = day_after(steady(8), stops_at=10, resumes_at=14)
        once = [at(counts, hour) for hour in range(1, 25, 3)]
        again = [at(counts, hour) for hour in reversed(range(1, 25, 3))]
        assert once == again[::-1]


@pytest.mark.parametrize("dispersed", [0.001, 0.1])
def test_false_alarms_stay_within_the_budget(dispersed: float) -> None:
    """In four quarters without a change it raises four times at most, looking at every hour."""
    raises = 0
    for seed in range(4):
        counts = steady(21, seed, dispersed)
        first, last = min(counts) // HOUR, MONDAY // HOUR
        hours = Hours.of(UTC_ZONE, counts, first, last)
        verdict: VolumeVerdict | None = None
        for hour in range(last - 13 * 168, last + 1):
            before, verdict = verdict, _after(RULE, looks_at(hours, hour), hour, verdict)
            raises += bool(verdict and verdict.raised and not (before and before.raised))
    assert raises <= 4
