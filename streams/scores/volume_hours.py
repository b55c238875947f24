"""Answers hour by hour: what so many hours brought, and what earlier weeks let one expect.

Hours are hours of the week in the KPI file's time zone. What an earlier week brought is judged
from the start of the day (UTC), so that an outage of today doesn't become what is expected.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from streams.statistics.volume import Estimate, Expected, Scatter, dispersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

HOUR: Final = 3600
WEEK_HOURS: Final = 168

SPANS: Final = (1, 6, 24)
"""How many hours are looked at together."""

MOST_WEEKS: Final = 7
"""With a week of replay, and its longest span, they lie within the 62 days that hours are kept."""
LEAST_WEEKS: Final = 3


class Hours:
    """Answers hour by hour, and what earlier weeks brought. Times are hours since 1970."""

    def __init__(self, zone: ZoneInfo, answers: Sequence[int], begin: int, weeks: int) -> None:
        self._zone = zone
        self._sums = [0, *accumulate(answers)]
        self._begin = begin
        self._most_weeks = weeks
        self._weeks: dict[tuple[int, int], _Weeks] = {}

    @classmethod
    def of(
        cls,
        zone: ZoneInfo,
        counts: Mapping[int, int],
        begin: int,
        last: int,
        weeks: int = MOST_WEEKS,
    ) -> Hours:
        """From answers by the start of their hour, those from `begin` up to before `last`.

        `weeks` earlier ones are looked at, at most.
        """
        return cls(zone, [counts.get(hour * HOUR, 0) for hour in range(begin, last)], begin, weeks)

    def spans(self, at: int) -> Iterator[tuple[int, int, Expected]]:
        """Of each span that ends at `at`: its hours, its answers, and what was expected.

        Only of those with enough earlier weeks.
        """
        day = at - 1 - (at - 1) % 24  # the day that the hour before `at` lies in
        for span in SPANS:
            ends = self._earlier(at, span, day)
            if len(ends) >= LEAST_WEEKS:
                dispersed = self._before(day, len(ends)).dispersion(at - day, span)
                earlier = sum([self.answers(end, span) for end in ends])
                yield span, self.answers(at, span), Expected(earlier, len(ends), dispersed)

    def answers(self, end: int, span: int) -> int:
        """How many came in the `span` hours up to `end`."""
        stop = end - self._begin
        return self._sums[stop] - self._sums[stop - span]

    def _earlier(self, at: int, span: int, day: int) -> list[int]:
        """The ends of the same local hours in earlier weeks, all of them before `day`."""
        offset = _offset_hours(self._zone, at)
        ends = []
        for week in range(1, self._most_weeks + 1):
            before = at - week * WEEK_HOURS
            before += offset - _offset_hours(self._zone, before)
            if before - span < self._begin:
                break
            if before <= day:
                ends.append(before)
        return ends

    def _before(self, day: int, weeks: int) -> _Weeks:
        if (day, weeks) not in self._weeks:
            sums = np.array(self._sums[: day - self._begin + 1], float)
            self._weeks[day, weeks] = _Weeks(sums, weeks)
        return self._weeks[day, weeks]


class _Weeks:
    """So many weeks up to the start of a day: how much their hours scatter.

    `sums` are those of all hours before the day, the last of all of them.
    """

    def __init__(self, sums: NDArray[np.float64], weeks: int) -> None:
        self._known = sums
        self._weeks = weeks
        table = self._table(1)
        means = np.tile(table.mean(axis=0) if len(table) else np.zeros(WEEK_HOURS), 2)
        self._sums = np.concatenate([[0.0], np.cumsum(means)])
        self._squares = np.concatenate([[0.0], np.cumsum(means * means)])
        self._own = _estimate(table, 1)
        self._scatters: dict[int, Scatter] = {}

    def dispersion(self, since_day: int, span: int) -> float:
        """That of the `span` hours that end so many hours after the day's start."""
        if span not in self._scatters:
            self._scatters[span] = self._scatter(span)
        total, squares = self._over(since_day % WEEK_HOURS, span)
        return self._scatters[span].dispersion(float(squares / total**2) if total else 1.0)

    def _scatter(self, span: int) -> Scatter:
        totals, squares = self._over(np.arange(WEEK_HOURS), span)
        total = float(np.sum(totals * totals))
        concentration = float(np.sum(squares)) / total if total else 1.0
        return Scatter.of(self._own, _estimate(self._table(span), span), concentration)

    def _over(self, ends: Any, span: int) -> tuple[Any, Any]:
        """Sum, and sum of squares, of the means of the `span` hours of the week up to `ends`."""
        stop = (ends - 1) % WEEK_HOURS + 1 + WEEK_HOURS
        return (
            self._sums[stop] - self._sums[stop - span],
            self._squares[stop] - self._squares[stop - span],
        )

    def _table(self, span: int) -> NDArray[np.float64]:
        """A row a week, a column each end of a span, the first an hour after the week's start."""
        last = len(self._known) - 1
        starts = [last - week * WEEK_HOURS for week in range(1, self._weeks + 1)]
        ends = np.array([start for start in starts if start + 1 >= span])[:, None]
        if not len(ends):
            return np.zeros((0, WEEK_HOURS))
        stops = ends + np.arange(1, WEEK_HOURS + 1)
        found: NDArray[np.float64] = self._known[stops] - self._known[stops - span]
        return found


def _estimate(table: NDArray[np.float64], span: int) -> Estimate:
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
