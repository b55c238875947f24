"""CUSUM over buckets of counts: evidence that a score fell, raised at a limit, cleared by recovery.

Page (1954), Biometrika 41:100-115. Each bucket weighs what its answers say (`tilt.Line`):

- not raised: S = max(0, S + weight of the fall), from 0; raised where S reaches the limit;
- raised: R = max(0, R + weight of the recovery), from 0; cleared where R reaches its own limit,
  and S begins again at 0.

A bucket without answers weighs nothing, so it changes nothing: no data never means recovered. The
state is a pure function of the buckets and of the `Timetable` that says what is tested when.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.statistics.tilt import Line


class CusumTest(NamedTuple):
    """What a bucket's answers are tested for, and the limits of both sums."""

    fall: Line
    recovery: Line
    limit: float
    clear: float


class State(NamedTuple):
    """Where a CUSUM stands: `sum` is S, or R while raised.

    `since` is the end of the bucket (Unix seconds) at which `raised` last changed, None if never.
    """

    sum: float = 0.0
    raised: bool = False
    since: float | None = None

    def evidence(self, test: CusumTest) -> float:
        """S; while raised, what is left of the limit as the evidence of a recovery grows."""
        if not self.raised:
            return self.sum
        return test.limit * (1 - min(self.sum / test.clear, 1.0))


START = State()


class Bucket(NamedTuple):
    """The answers of one bucket: how many, and the sum of their x. `end` is Unix seconds."""

    end: int
    answers: int
    total: int


def after(test: CusumTest, bucket: Bucket, state: State) -> State:
    """The state after one more bucket."""
    line = test.recovery if state.raised else test.fall
    total = max(0.0, state.sum + line.weight(bucket.answers, bucket.total))
    if total < (test.clear if state.raised else test.limit):
        return State(total, state.raised, state.since)
    return State(0.0, not state.raised, bucket.end)


class Timetable:
    """What is tested when: from each change (Unix seconds) on, a test, or None for a pause.

    A pause changes nothing, like a bucket without answers: while no limit is known, or over a time
    that its owner excluded. It is also what lies before the first change.
    """

    def __init__(self, changes: Iterable[tuple[int, CusumTest | None]] = ()) -> None:
        self.changes = tuple(changes)
        self.starts = [start for start, _ in self.changes]

    def at(self, start: int) -> CusumTest | None:
        """What the bucket that begins at `start` is tested for."""
        place = bisect_right(self.starts, start) - 1
        return self.changes[place][1] if place >= 0 else None

    def differs_from(self, other: Timetable) -> int | None:
        """The first bucket start at which the two may differ; None where they are equal."""
        if self.changes is other.changes or self.changes == other.changes:
            return None
        for ours, theirs in zip(self.changes, other.changes, strict=False):
            if ours != theirs:
                return min(ours[0], theirs[0])
        shorter = min(len(self.changes), len(other.changes))
        return max(self.changes, other.changes, key=len)[shorter][0]


def replay(
    timetable: Timetable, tier_seconds: int, buckets: Iterable[Bucket], state: State = START
) -> State:
    """The state after `buckets`, in order of their ends."""
    for bucket in buckets:
        test = timetable.at(bucket.end - tier_seconds)
        if test is not None and bucket.answers:
            state = after(test, bucket, state)
    return state
