"""A CUSUM kept up to date as its buckets change: only what changed is replayed.

The states after each bucket are remembered. A bucket that changes, late or withdrawn answers
included, is replayed from there until a state is the one that was remembered; from then on
nothing can differ. The result is always that of `streams.statistics.cusum.replay` over all buckets.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from streams.statistics.cusum import START, State, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.statistics.cusum import CusumTest

_NEVER = math.inf


class Window(NamedTuple):
    """The buckets that are replayed, by the starts (Unix seconds) of the first and the last."""

    first: int
    last: int


class Answers:
    """The answers of one segment by bucket, and the trajectories that follow them.

    `trajectories` of them may test them in as many ways.
    """

    def __init__(self, tier_seconds: int, trajectories: int) -> None:
        self.tier_seconds = tier_seconds
        self.starts: list[int] = []
        self.numbers: list[int] = []
        self.totals: list[int] = []
        self.trajectories = tuple([Trajectory(self) for _ in range(trajectories)])

    @property
    def empty(self) -> bool:
        """Whether no bucket holds an answer."""
        return not self.starts

    def moved(self, start: int, answers: int, total: int) -> None:
        """The bucket at `start` has so many more answers, and their sum of x is so much more."""
        place = bisect_left(self.starts, start)
        if place == len(self.starts) or self.starts[place] != start:
            self.starts.insert(place, start)
            self.numbers.insert(place, answers)
            self.totals.insert(place, total)
            for trajectory in self.trajectories:
                trajectory.inserted(place)
            return
        self.numbers[place] += answers
        self.totals[place] += total
        if self.numbers[place]:
            for trajectory in self.trajectories:
                trajectory.changed(place)
            return
        del self.starts[place], self.numbers[place], self.totals[place]
        for trajectory in self.trajectories:
            trajectory.removed(place)


class Trajectory:
    """The state of one CUSUM after each bucket of some answers."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._timetable = Timetable()
        self._first: float = -math.inf
        # The states after the first buckets, as many as these are long. A `since` of NaN is none.
        self._sums = array("d")
        self._raised = bytearray()
        self._since = array("d")
        self._dirty: list[int] = []

    def inserted(self, place: int) -> None:
        """A bucket is new at `place`."""
        if place < len(self._sums):
            self._sums.insert(place, math.nan)  # equal to no state
            self._raised.insert(place, 0)
            self._since.insert(place, math.nan)
            self.changed(place)

    def changed(self, place: int) -> None:
        """The bucket at `place` holds other answers."""
        if place < len(self._sums):
            start = self._answers.starts[place]
            at = bisect_left(self._dirty, start)
            if at == len(self._dirty) or self._dirty[at] != start:
                self._dirty.insert(at, start)

    def removed(self, place: int) -> None:
        """The bucket that was at `place` holds nothing any more."""
        if place < len(self._sums):
            del self._sums[place], self._raised[place], self._since[place]
            self.changed(place)

    def state(self, timetable: Timetable, window: Window) -> State:
        """The state after the buckets of `window`, tested by `timetable`."""
        starts = self._answers.starts
        self._follow(timetable)
        first = bisect_left(starts, window.first)
        if window.first < self._first:  # what lies before was never kept right
            self._keep(0)
        elif window.first > self._first:
            self.changed(first)
        self._first = window.first
        stop = bisect_right(starts, window.last)
        self._repair(first)
        self._skip(first)
        if len(self._sums) < stop:
            self._replay(len(self._sums), stop, first)
        return self._state(stop - 1) if stop > first else START

    def raised_before(self, time: int) -> bool:
        """Whether it stood raised when the bucket at `time` began; only after `state`."""
        place = bisect_left(self._answers.starts, time) - 1
        first = bisect_left(self._answers.starts, self._first)
        return first <= place < len(self._sums) and bool(self._raised[place])

    def _follow(self, timetable: Timetable) -> None:
        """Forget the states that another timetable may change."""
        changes_at = timetable.differs_from(self._timetable)
        self._timetable = timetable
        if changes_at is not None:
            place = bisect_left(self._answers.starts, changes_at)
            self._keep(place)

    def _keep(self, states: int) -> None:
        """Forget all but so many of the first states."""
        del self._sums[states:], self._raised[states:], self._since[states:]

    def _repair(self, first: int) -> None:
        """Replay from each changed bucket until a state is as it was."""
        starts, dirty = self._answers.starts, self._dirty
        place = first
        for start in dirty:
            at = bisect_left(starts, start)
            if at >= max(place, first) and at < len(self._sums):
                place = self._replay(at, len(self._sums), first)
            elif at >= len(self._sums):
                break
        dirty.clear()

    def _skip(self, first: int) -> None:
        """States before the window, which nothing asks for."""
        missing = max(first - len(self._sums), 0)
        self._sums.extend([math.nan] * missing)
        self._raised.extend(bytes(missing))
        self._since.extend([math.nan] * missing)

    def _replay(self, place: int, stop: int, first: int) -> int:
        """Replay the buckets from `place` to `stop`; gives where it ended.

        Among known states it ends once a state is as it was and no bucket changed just after.
        """
        answers, sums, raised_at, since_at = self._answers, self._sums, self._raised, self._since
        known = len(sums)
        total, raised, since = self._state(place - 1) if place > first else START
        since = math.nan if since is None else since
        for test, until in self._tests(place, stop):
            for at in range(place, until):
                if test is not None and answers.numbers[at]:
                    line = test.recovery if raised else test.fall
                    weight = line.per_answer * answers.numbers[at] + line.per_x * answers.totals[at]
                    total = max(0.0, total + weight)
                    if total >= (test.clear if raised else test.limit):
                        total, raised = 0.0, not raised
                        since = float(answers.starts[at] + answers.tier_seconds)
                if at >= known:
                    sums.append(total)
                    raised_at.append(raised)
                    since_at.append(since)
                    continue
                same = total == sums[at] and raised == raised_at[at] and _same(since, since_at[at])
                if same:
                    return at + 1
                sums[at], raised_at[at], since_at[at] = total, raised, since
            place = until
        return stop

    def _tests(self, place: int, stop: int) -> Iterator[tuple[CusumTest | None, int]]:
        """The tests of the buckets from `place` on, each with the place where the next begins."""
        starts, changes = self._answers.starts, self._timetable.changes
        change = bisect_right(self._timetable.starts, starts[place]) - 1
        while place < stop:
            following = changes[change + 1][0] if change + 1 < len(changes) else _NEVER
            until = min(bisect_left(starts, following, place), stop)
            yield (changes[change][1] if change >= 0 else None), until
            place, change = until, change + 1

    def _state(self, place: int) -> State:
        since = self._since[place]
        return State(
            self._sums[place], bool(self._raised[place]), None if math.isnan(since) else since
        )


def _same(since: float, other: float) -> bool:
    return since == other or (math.isnan(since) and math.isnan(other))
