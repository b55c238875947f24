"""Answers hour by hour: what so many hours brought, and what earlier weeks let one expect.

Hours are hours of the week in the KPI file's time zone. What an earlier week brought is judged
from the start of the day (UTC), so that an outage of today doesn't become what is expected.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from streams.statistics.volume import Estimate, Expected, Scatter, dispersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

HOUR: Final = 3600
WEEK_HOURS: Final = 168

SPANS: Final = (1, 6, 24)
"""How many hours are looked at together."""

MOST_WEEKS: Final = 8
LEAST_WEEKS: Final = 3


class Hours:
    """Answers hour by hour, and what earlier weeks brought. Times are hours since 1970."""

    def __init__(self, zone: ZoneInfo, sums: list[int], begin: int) -> None:
        self._zone = zone
        self._sums = sums
        self._begin = begin
        self._weeks: dict[tuple[int, int], _Weeks] = {}

    @classmethod
    def of(cls, zone: ZoneInfo, counts: Mapping[int, int], begin: int, last: int) -> Hours:
        """From answers by the start of their hour, those from `begin` up to before `last`."""
        answers = [counts.get(hour * HOUR, 0) for hour in range(begin, last)]
        return cls(zone, list(accumulate(answers, initial=0)), begin)

    def spans(self, at: int) -> Iterator[tuple[int, int, Expected]]:
        """Of each span that ends at `at`: its hours, its answers, and what was expected.

        Only of those with enough earlier weeks.
        """
        day = at - 1 - (at - 1) % 24  # the day that the hour before `at` lies in
        for span in SPANS:
            ends = self._earlier(at, span, day)
            if len(ends) >= LEAST_WEEKS:
                dispersed = self._before(day, len(ends)).dispersion(at, span)
                earlier = sum([self.answers(end, span) for end in ends])
                expected = Expected(earlier, len(ends), dispersed)
                yield span, self.answers(at, span), expected

    def answers(self, end: int, span: int) -> int:
        """How many came in the `span` hours up to `end`."""
        stop = end - self._begin
        return self._sums[stop] - self._sums[stop - span]

    def _earlier(self, at: int, span: int, day: int) -> list[int]:
        """The ends of the same local hours in earlier weeks, all of them before `day`."""
        offset = _offset_hours(self._zone, at)
        ends = []
        for week in range(1, MOST_WEEKS + 1):
            before = at - week * WEEK_HOURS
            before += offset - _offset_hours(self._zone, before)
            if before - span < self._begin:
                break
            if before <= day:
                ends.append(before)
        return ends

    def _before(self, day: int, weeks: int) -> _Weeks:
        if (day, weeks) not in self._weeks:
            self._weeks[day, weeks] = _Weeks(self, day, weeks, self._begin)
        return self._weeks[day, weeks]


class _Weeks:
    """So many weeks up to the start of a day: how much their hours scatter."""

    def __init__(self, hours: Hours, day: int, weeks: int, begin: int) -> None:
        self._hours = hours
        self._starts = [day - week * WEEK_HOURS for week in range(1, weeks + 1)]
        self._begin = begin
        self._day = day
        table = self._table(1)
        means = [sum(column) / len(table) for column in zip(*table, strict=True)]
        self._sums = list(accumulate(means * 2, initial=0.0))
        self._squares = list(accumulate([mean * mean for mean in means * 2], initial=0.0))
        self._own = _estimate(table, 1)
        self._scatters: dict[int, Scatter] = {}

    def dispersion(self, at: int, span: int) -> float:
        """That of the `span` hours up to `at`."""
        if span not in self._scatters:
            self._scatters[span] = self._scatter(span)
        return self._scatters[span].dispersion(self._concentration(at, span))

    def _scatter(self, span: int) -> Scatter:
        ends = range(WEEK_HOURS)
        sums = [self._over(self._sums, end, span) for end in ends]
        squares = [self._over(self._squares, end, span) for end in ends]
        total = sum([each * each for each in sums])
        concentration = sum(squares) / total if total else 1.0
        return Scatter.of(self._own, _estimate(self._table(span), span), concentration)

    def _concentration(self, at: int, span: int) -> float:
        total = self._over(self._sums, at - self._day, span)
        return self._over(self._squares, at - self._day, span) / total**2 if total else 1.0

    def _over(self, sums: list[float], end: int, span: int) -> float:
        """The sum over the `span` hours of the week up to `end`, which is counted from the day."""
        stop = (end - 1) % WEEK_HOURS + 1 + WEEK_HOURS
        return sums[stop] - sums[stop - span]

    def _table(self, span: int) -> list[list[int]]:
        """A row a week, a column each end of a span, the first an hour after the week's start."""
        return [
            [self._hours.answers(start + hour, span) for hour in range(1, WEEK_HOURS + 1)]
            for start in self._starts
            if start + 1 - span >= self._begin
        ]


def _estimate(table: list[list[int]], span: int) -> Estimate:
    """The longer a span, the fewer of a week's are independent of each other."""
    if len(table) < 2:
        return Estimate(1.0, WEEK_HOURS / span)
    return Estimate(dispersion(table), WEEK_HOURS / span * (len(table) - 1))


@cache
def _offset_hours(zone: ZoneInfo, hour: int) -> int:
    """How far the zone is ahead of UTC, in whole hours."""
    moment = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(zone)
    offset = moment.utcoffset()
    return round(offset.total_seconds() / HOUR) if offset else 0
