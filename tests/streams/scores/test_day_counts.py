from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np

from streams.scores.day_counts import DayCounts
from streams.statistics.hours import Calendar

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
FRIDAY = dt.date(2026, 11, 20)


def at(day: dt.date, hour: int) -> int:
    return int(dt.datetime.combine(day, dt.time(hour), BERLIN).timestamp())


def test_answers_stand_by_day_and_kind_of_hour() -> None:
    """Days begin at midnight of the file's time zone; the first that is given holds answers."""
    counts = DayCounts(Calendar(BERLIN), 2)
    saturday = FRIDAY + dt.timedelta(days=1)
    counts.moved(at(FRIDAY, 3), {1: 5})
    counts.moved(at(FRIDAY, 12), {0: 1, 1: 2})
    counts.moved(at(saturday, 0), {0: 4})
    past = counts.between(FRIDAY.toordinal() - 10, FRIDAY.toordinal() + 2)
    expected = [[[0, 5], [1, 2], [0, 0], [0, 0]], [[0, 0], [0, 0], [4, 0], [0, 0]]]
    np.testing.assert_array_equal(expected, past.counts)
    assert [False, True] == past.weekend


def test_excluded_days_are_left_out() -> None:
    """Neither their answers nor the days themselves."""
    day = FRIDAY.toordinal()
    counts = DayCounts(Calendar(BERLIN), 1, excluded={day})
    for offset in (0, 1):
        counts.moved(at(FRIDAY + dt.timedelta(days=offset), 12), {0: 1})
    assert (1, 4, 1) == counts.between(day, day + 2).counts.shape


def test_the_first_answer_of_a_day_and_the_last_withdrawn_are_told() -> None:
    """Then other segments may share a budget."""
    counts = DayCounts(Calendar(BERLIN), 1)
    day = FRIDAY.toordinal()
    changes = [(3, 1), (4, 1), (12, 1), (3, -2), (12, -1)]
    told = [counts.moved(at(FRIDAY, hour), {0: change}) for hour, change in changes]
    assert [True, False, False, False, True] == told
    counts.moved(at(FRIDAY, 12), {0: 1})
    assert counts.any(day, day + 1)
    assert not counts.any(day - 3, day)
