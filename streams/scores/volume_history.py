"""The volume of every segment of one breakdown: its answers by hour, and the verdicts on them.

It listens to the counts. What it remembers only saves looking again at hours that did not change:
a verdict depends on nothing but the buckets.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from streams.events.admission import OTHER
from streams.scores.ranking import counts_answers
from streams.scores.volume_hours import HOUR, LEAST_WEEKS, MOST_WEEKS, WEEK_HOURS, Hours
from streams.scores.volume_rule import REPLAYED_HOURS, looks_at, replayed, volume_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.counts.projection import Group, Projection, Segment
    from streams.ledger.layout import Layout, Tier
    from streams.scores.volume_rule import Looks, VolumeRule, VolumeVerdict

# Beside whole weeks: the longest span, the rest of a day, and an hour of summer time.
_BESIDE_WEEKS: Final = 24 + 24 + 1

# How far before its end the hours lie that a look may depend on.
_FARTHEST: Final = MOST_WEEKS * WEEK_HOURS + _BESIDE_WEEKS


def volume_tier(layout: Layout) -> Tier | None:
    """The tier whose buckets fill hours, and are kept for long enough; None if there is none."""
    fitting = [tier for tier in layout.tiers if HOUR % tier.seconds == 0]
    longest = max(fitting, key=lambda tier: tier.retention_seconds, default=None)
    return longest if longest and weeks_kept(longest) >= LEAST_WEEKS else None


def weeks_kept(tier: Tier) -> int:
    """How many earlier weeks every replayed hour has, however late it is looked at."""
    hours = tier.retention_seconds // HOUR - REPLAYED_HOURS - _BESIDE_WEEKS
    return min(hours // WEEK_HOURS, MOST_WEEKS)


class VolumeHistory:
    """Listens to the counts of one tier. `other` has no verdict: the ranking changes it."""

    def __init__(self, group: Group, projection: Projection) -> None:
        self._targets = projection.targets_in(group)
        self._segments: dict[Segment, SegmentVolume] = {}

    def moved(self, start: int, increments: Mapping[int, int]) -> None:
        """The bucket at `start` changed by `increments` (cell number to difference)."""
        changes: dict[Segment, int] = {}
        for number, increment in increments.items():
            target = self._targets.get(number)
            if target is not None and counts_answers(target.value):
                changes[target.segment] = changes.get(target.segment, 0) + increment
        for segment, increment in changes.items():
            if increment and OTHER not in segment:
                self._segments.setdefault(segment, SegmentVolume()).moved(start, increment)

    @property
    def segments(self) -> int:
        """How many segments share the budget: those with answers, of whatever age."""
        return sum(not segment.empty for segment in self._segments.values())

    def verdict(
        self, rule: VolumeRule, segment: Segment, end: float, complete_from: float
    ) -> VolumeVerdict | None:
        """The verdict on `segment` when windows end at `end` (Unix seconds); None: not known.

        Hours before `complete_from` are no history.
        """
        found = self._segments.get(segment)
        return found.verdict(rule, end, complete_from) if found else None


class SegmentVolume:
    """One segment: its answers by hour, and what was seen at the end of each."""

    def __init__(self) -> None:
        self._answers: dict[int, int] = {}
        self._looks: dict[int, Looks] = {}
        self._begin = 0
        self._seen: tuple[VolumeRule, int, int] | None = None
        self._verdict: VolumeVerdict | None = None

    @property
    def empty(self) -> bool:
        """Whether no hour holds an answer."""
        return not self._answers

    def moved(self, start: int, increment: int) -> None:
        """So many more answers, or fewer, in the bucket at `start` (Unix seconds)."""
        hour = start // HOUR
        answers = self._answers.get(hour, 0) + increment
        if answers:
            self._answers[hour] = answers
        else:
            self._answers.pop(hour, None)
        changed = [at for at in self._looks if at - _FARTHEST <= hour < at]
        if changed:
            self._seen = None
            for at in changed:
                del self._looks[at]

    def verdict(self, rule: VolumeRule, end: float, complete_from: float) -> VolumeVerdict | None:
        """The verdict on the last complete hour before `end`; None: too little history."""
        hours = replayed(end)
        first = min(self._answers, default=math.inf)
        begin = max(complete_from / HOUR, first)
        if begin >= hours[-1]:
            return None
        seen = (rule, hours[-1], math.ceil(begin))
        if self._seen != seen:
            self._look(rule, hours, math.ceil(begin))
            looks = ((at, self._looks[at]) for at in hours)
            self._verdict, self._seen = volume_verdict(rule, looks), seen
        return self._verdict

    def _look(self, rule: VolumeRule, hours: range, begin: int) -> None:
        """Look at the hours that were not looked at, or from another begin that matters."""
        later = max(begin, self._begin) if begin != self._begin else -math.inf
        self._begin = begin
        for at in [at for at in self._looks if at < hours[0] or at - _FARTHEST < later]:
            del self._looks[at]
        if missing := [at for at in hours if at not in self._looks]:
            held = Hours.of(
                rule.zone,
                {hour * HOUR: count for hour, count in self._answers.items()},
                begin,
                hours[-1],
                rule.weeks,
            )
            for at in missing:
                self._looks[at] = looks_at(held, at)
