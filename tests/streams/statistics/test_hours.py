from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from streams.statistics.hours import KINDS, Calendar

BERLIN = Calendar(zoneinfo.ZoneInfo("Europe/Berlin"))


def unix(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T07:59:59+01:00", "weekday night"),
        ("2026-11-23T08:00:00+01:00", "weekday day"),
        ("2026-11-27T21:59:00+01:00", "weekday day"),
        ("2026-11-27T22:00:00+01:00", "weekday night"),
        ("2026-11-28T00:00:00+01:00", "weekend night"),
        ("2026-11-29T12:00:00+01:00", "weekend day"),
        ("2026-07-01T06:30:00+00:00", "weekday day"),
    ],
)
def test_hours_are_those_of_the_clock(text: str, expected: str) -> None:
    """Night is 22 to 8, a weekend begins on Saturday at midnight, summer time included."""
    assert expected == KINDS[BERLIN.at(unix(text)).kind]


def test_days_begin_at_midnight_of_the_time_zone() -> None:
    """Also on the two days a year that are not 24 hours long."""
    for date in (dt.date(2026, 11, 23), dt.date(2026, 10, 25), dt.date(2026, 3, 29)):
        begin = BERLIN.begin(date.toordinal())
        assert date.toordinal() == BERLIN.at(begin).day
        assert date.toordinal() - 1 == BERLIN.at(begin - 1).day


def test_a_day_is_night_day_and_night() -> None:
    """Each with the time from which it holds."""
    day = dt.date(2026, 11, 28).toordinal()
    begin = BERLIN.begin(day)
    expected = [(begin, 2), (begin + 8 * 3600, 3), (begin + 22 * 3600, 2)]
    assert expected == list(BERLIN.hours(day))


def test_zones_may_lie_a_quarter_of_an_hour_apart() -> None:
    """Nepal is 5:45 ahead."""
    nepal = Calendar(zoneinfo.ZoneInfo("Asia/Kathmandu"))
    assert 1 == nepal.at(unix("2026-11-23T08:00:00+05:45")).kind
    assert 0 == nepal.at(unix("2026-11-23T07:59:59+05:45")).kind
