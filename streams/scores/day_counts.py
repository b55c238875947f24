"""Answers of a segment by day and kind of hour: what its baseline is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.scores.planning import Past
from streams.statistics.hours import KINDS, Moment, is_weekend

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from streams.statistics.hours import Calendar


class DayCounts:
    """Counts by column of `width` columns, for each day and kind of hour that has any.

    `excluded` days count for nothing: their owner has said that they are not usual.
    """

    def __init__(self, calendar: Calendar, width: int, excluded: Container[int] = ()) -> None:
        self._calendar = calendar
        self._width = width
        self._excluded = excluded
        self._counts: dict[Moment, list[int]] = {}

    def moved(self, start: int, counts: Mapping[int, int]) -> bool:
        """The bucket at `start` (Unix seconds) changed by `counts`, by column.

        Gives whether it is the first answer of its day, or was the last.
        """
        moment = self._calendar.at(start)
        held = self.any(moment.day, moment.day + 1)
        known = self._counts.get(moment)
        if known is None:
            known = self._counts[moment] = [0] * self._width
        for column, count in counts.items():
            known[column] += count
        if not any(known):
            del self._counts[moment]
        return held != self.any(moment.day, moment.day + 1)

    def any(self, first: int, end: int) -> bool:
        """Whether any day from `first` up to before `end` holds an answer."""
        return any(
            Moment(day, kind) in self._counts
            for day in reversed(range(first, end))
            for kind in range(len(KINDS))
        )

    def between(self, first: int, end: int) -> Past:
        """The days from `first` up to before `end`, from the first that holds an answer on."""
        held = [moment.day for moment in self._counts if first <= moment.day < end]
        days = [day for day in range(min(held, default=end), end) if day not in self._excluded]
        counts = np.zeros((len(days), len(KINDS), self._width))
        for place, day in enumerate(days):
            for kind in range(len(KINDS)):
                found = self._counts.get(Moment(day, kind))
                if found is not None:
                    counts[place, kind] = found
        return Past(counts, [is_weekend(day) for day in days])
