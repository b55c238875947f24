"""Hours of the week that are alike: day and night, on weekdays and at weekends.

Night is from 22:00 to 08:00 of the clock of a time zone; a day of the week begins at midnight. At
night fewer customers answer, and others than by day.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NIGHT_HOURS: Final = 10
DAY_HOURS: Final = 14
_DAY_BEGINS, _NIGHT_BEGINS = 8, 22
_SATURDAY: Final = 5

KINDS: Final = ("weekday night", "weekday day", "weekend night", "weekend day")
"""The kinds of hours, in the order in which `Moment.kind` counts them."""


class Moment(NamedTuple):
    """A day, as `date.toordinal` counts them, and which of `KINDS` its hour is of."""

    day: int
    kind: int


def kind_of(moment: dt.datetime) -> int:
    """Which of `KINDS` a local time is of."""
    weekend = moment.weekday() >= _SATURDAY
    by_day = _DAY_BEGINS <= moment.hour < _NIGHT_BEGINS
    return 2 * weekend + by_day


def is_weekend(day: int) -> bool:
    """Whether a day, as `date.toordinal` counts them, is a Saturday or Sunday."""
    return dt.date.fromordinal(day).weekday() >= _SATURDAY


class Calendar:
    """Days and hours of a time zone."""

    def __init__(self, zone: dt.tzinfo) -> None:
        self._zone = zone
        self._at_hour = lru_cache(maxsize=4096)(self._hour)

    def at(self, time: float) -> Moment:
        """The day and hour of a Unix time."""
        # All zones of our time lie whole quarters of an hour apart.
        return self._at_hour(int(time) // 900 * 900)

    def begin(self, day: int) -> int:
        """The Unix time at which a day begins."""
        midnight = dt.datetime.combine(dt.date.fromordinal(day), dt.time(), self._zone)
        return int(midnight.timestamp())

    def hours(self, day: int) -> Iterator[tuple[int, int]]:
        """The Unix times of a day from which its hours are of another kind, and that kind."""
        date = dt.date.fromordinal(day)
        for hour in (0, _DAY_BEGINS, _NIGHT_BEGINS):
            local = dt.datetime.combine(date, dt.time(hour), self._zone)
            yield int(local.timestamp()), kind_of(local)

    def _hour(self, time: int) -> Moment:
        local = dt.datetime.fromtimestamp(time, self._zone)
        return Moment(local.toordinal(), kind_of(local))
