"""The verdict of an alert rule, replayed from buckets.

A rule is a fold over the alert windows of the past, so its verdict depends on nothing but the
buckets: a restart, or a second exporter, comes to the same one. Folding begins at the first window
that retention leaves whole. Verdicts on the way are kept, so that a refresh folds only the windows
that changed.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.events.admission import OTHER
from streams.scores.floor_rule import QUIET, Step, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.counts.projection import Group, Projection, Segment
    from streams.counts.windows import Span

Judge = Callable[[Step, Verdict], Verdict]
"""An alert rule: the verdict after one more window, given the verdict before it."""

# Verdicts are kept for the latest windows, where late answers arrive, and for every 32nd before:
# half a kilobyte a day and segment, and at most 31 windows to fold again.
_LATEST_KEPT: Final = 16
_KEPT_EVERY: Final = 32


class Period(NamedTuple):
    """Which windows are folded: by their ends, and without those that hold a loss of history.

    `incomplete_before`: answers before this time (Unix seconds) are missing up to some earlier
    time, so a window that begins before it and ends after it proves nothing.
    """

    first_end: int
    last_end: int
    incomplete_before: float


class AlertHistory:
    """Listens to the counts and knows the verdict of `judge` on each segment of `group`.

    Segments of the rest, `other`, have none: what is in it changes with the ranking.
    """

    def __init__(
        self,
        judge: Judge,
        group: Group,
        span: Span,
        retention_seconds: int,
        projection: Projection,
    ) -> None:
        self._judge = judge
        self._targets = projection.targets_in(group)
        self._span = span
        self._retention_seconds = retention_seconds
        self._segments: dict[Segment, _SegmentHistory] = {}

    def moved(self, start: int, increments: Mapping[int, int]) -> None:
        """The bucket at `start` changed by `increments` (cell number to difference)."""
        changes: dict[Segment, dict[str, int]] = {}
        for number, increment in increments.items():
            target = self._targets.get(number)
            if target is not None:
                values = changes.setdefault(target.segment, {})
                values[target.value] = values.get(target.value, 0) + increment
        for segment, values in changes.items():
            if OTHER not in segment:
                self._moved(segment, start, values)

    def verdict(self, segment: Segment, end: float, incomplete_before: float) -> Verdict:
        """The verdict for `segment` when windows end at `end` (Unix seconds)."""
        history = self._segments.get(segment)
        if history is None:
            return QUIET
        last_end = self._span.last_end(end)
        first_end = last_end - self._retention_seconds + self._span.seconds
        return history.verdict(Period(first_end, last_end, min(incomplete_before, last_end)))

    def _moved(self, segment: Segment, start: int, increments: Mapping[str, int]) -> None:
        history = self._segments.get(segment)
        if history is None:
            history = self._segments[segment] = _SegmentHistory(self._judge, self._span)
        history.moved(start, increments)
        if history.empty:
            del self._segments[segment]


class _SegmentHistory:
    """The tallies of one segment by bucket start, and the verdicts at some window ends."""

    def __init__(self, judge: Judge, span: Span) -> None:
        self._judge = judge
        self._span = span
        self._tallies: dict[int, dict[str, int]] = {}
        self._starts: list[int] = []
        self._changed: set[int] = set()
        self._kept: dict[int, Verdict] = {}
        self._kept_ends: list[int] = []
        self._period = Period(0, 0, 0.0)

    @property
    def empty(self) -> bool:
        """Whether no bucket holds an answer."""
        return not self._starts

    def moved(self, start: int, increments: Mapping[str, int]) -> None:
        """The tally of the bucket at `start` changed, by value."""
        tally = self._tallies.get(start)
        if tally is None:
            tally = self._tallies[start] = {}
            insort(self._starts, start)
        _add(tally, increments, 1)
        if not any(tally.values()):
            del self._tallies[start]
            self._starts.pop(bisect_left(self._starts, start))
        self._changed.add(start)

    def verdict(self, period: Period) -> Verdict:
        """The verdict of the last window.

        1. Forget the verdicts that no longer follow from the buckets.
        2. Another first window: fold from there until a verdict is as it was.
        3. Fold on from the last verdict.
        """
        self._forget(period)
        verdict, after = QUIET, period.first_end - self._span.tier_seconds
        if self._kept_ends and self._period.first_end == period.first_end:
            after = self._kept_ends[-1]
            verdict = self._kept[after]
        self._period = period
        steps = self._steps(after, period)
        while (step := next(steps, None)) is not None:
            verdict = self._step(step, verdict)
            end = int(step.end)
            if self._kept.get(end) == verdict:
                verdict = self._kept[self._kept_ends[-1]]
                steps = self._steps(self._kept_ends[-1], period)
            else:
                self._keep(end, verdict)
        return verdict

    def _step(self, step: Step, verdict: Verdict) -> Verdict:
        incomplete_before = self._period.incomplete_before
        if step.end - self._span.seconds < incomplete_before < step.end:
            return verdict
        return self._judge(step, verdict)

    def _forget(self, period: Period) -> None:
        """Drop verdicts outside `period` and those that changed buckets may have moved."""
        length, tier = self._span.seconds, self._span.tier_seconds
        if period.incomplete_before != self._period.incomplete_before:
            self._drop(0, len(self._kept_ends))
        valid = min(
            (start + tier for start in self._changed if start + length >= period.first_end),
            default=math.inf,
        )
        self._changed.clear()
        self._drop(bisect_left(self._kept_ends, min(valid, period.last_end + 1)), None)
        self._drop(0, bisect_left(self._kept_ends, period.first_end))

    def _drop(self, first: int, last: int | None) -> None:
        for end in self._kept_ends[first:last]:
            del self._kept[end]
        del self._kept_ends[first:last]

    def _keep(self, end: int, verdict: Verdict) -> None:
        """Keep a verdict, and thin out the older ones."""
        if end not in self._kept:
            insort(self._kept_ends, end)
        self._kept[end] = verdict
        if len(self._kept_ends) > _LATEST_KEPT:
            place = len(self._kept_ends) - _LATEST_KEPT - 1
            if self._kept_ends[place] // self._span.tier_seconds % _KEPT_EVERY:
                self._drop(place, place + 1)

    def _steps(self, after: int, period: Period) -> Iterator[Step]:
        """The windows of `period` that end after `after`: the first, and each that differs."""
        length, tier = self._span.seconds, self._span.tier_seconds
        starts, last = self._starts, period.last_end
        entering = bisect_right(starts, after - tier)
        leaving = bisect_right(starts, after - tier - length)
        tally: dict[str, int] | None = None
        end = after
        while True:
            enters = starts[entering] + tier if entering < len(starts) else math.inf
            leaves = starts[leaving] + tier + length if leaving < len(starts) else math.inf
            following = min(enters, leaves)
            if end < period.first_end < following:
                following = period.first_end
            if following > last:
                return
            if tally is None:
                tally = self._sum(starts[leaving:entering])
            end = int(following)
            if enters == end:
                _add(tally, self._tallies[starts[entering]], 1)
                entering += 1
            if leaves == end:
                _add(tally, self._tallies[starts[leaving]], -1)
                leaving += 1
            yield Step(end, tally.copy())

    def _sum(self, starts: list[int]) -> dict[str, int]:
        tally: dict[str, int] = {}
        for start in starts:
            _add(tally, self._tallies[start], 1)
        return tally


def _add(tally: dict[str, int], other: Mapping[str, int], sign: int) -> None:
    for value, count in other.items():
        tally[value] = tally.get(value, 0) + sign * count
