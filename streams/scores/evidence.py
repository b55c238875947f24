"""Evidence: what the alert rules of one KPI say of each of its alerting segments.

The verdict is a pure function of the buckets, the KPI file and now: each day is judged by the plan
made of the days before it (`streams.scores.planning`), and the buckets of the last 7 or 28 days are
replayed through the plans of their days. While a rule is raised its plan stays what it was, so
that a lasting drop does not become its own baseline. Only closed buckets are judged, as the limit
assumes: within a bucket, S may come to the limit and leave it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.events.admission import OTHER
from streams.scores.day_counts import DayCounts
from streams.scores.segment_evidence import SegmentEvidence
from streams.statistics.baseline import BASELINE_DAYS, Spread, spread

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from streams.counts.projection import Group, Projection, Segment, Target
    from streams.ledger.layout import Tier
    from streams.scores.judge import Verdict
    from streams.scores.planning import Terms
    from streams.scores.segment_evidence import Planner
    from streams.statistics.hours import Calendar


class Clockwork(NamedTuple):
    """What all KPIs of a file have in common: days, and who makes plans.

    `excluded` are days (`date.toordinal`) that are in no baseline.
    """

    calendar: Calendar
    planner: Planner
    excluded: Container[int] = ()


class KpiEvidence:
    """The alerting segments of one KPI. It listens to the counts and knows every verdict."""

    def __init__(
        self,
        name: str,
        terms: Terms,
        groups: Sequence[Group],
        tiers: Sequence[Tier],
        clockwork: Clockwork,
    ) -> None:
        self.terms = terms
        self.tiers = tiers
        self.calendar = clockwork.calendar
        self.planner = clockwork.planner
        self.changes = 0
        self._name = name
        self._excluded = clockwork.excluded
        self._segments: dict[Group, dict[Segment, SegmentEvidence]] = {g: {} for g in groups}
        self._sharing: dict[int, int] = {}
        self._alike: dict[tuple[Group, int], Spread] = {}

    def listeners(self, projection: Projection) -> Iterator[tuple[int, Listener]]:
        """What must be told of every change of the buckets of a tier, by the tier's seconds."""
        for group in self._segments:
            for tier in self.tiers:
                yield tier.seconds, Listener(self, group, tier.seconds, projection)

    def verdicts(self, group: Group, segment: Segment, end: float) -> list[Verdict]:
        """By rule, for a window that ends at `end`; none for the rest, nor while plans are made."""
        known = self._segments[group].get(segment)
        return [] if known is None else known.verdicts(end)

    def sharing(self, day: int) -> int:
        """How many segments share the budget on a day: those with answers in 28 days up to it."""
        found = self._sharing.get(day)
        if found is None:
            first = day + 1 - BASELINE_DAYS
            seen = [s.days.any(first, day + 1) for g in self._segments.values() for s in g.values()]
            found = self._sharing[day] = max(1, sum(seen))
        return found

    def alike(self, group: Group, day: int) -> Spread:
        """The spread between the days before `day`, of all segments of a breakdown together."""
        found = self._alike.get((group, day))
        if found is None:
            found = Spread()
            for segment in self._segments[group].values():
                counts = segment.past(day).counts / self.terms.design_effect
                found = found.plus(spread(counts, self.terms.weighing))
            self._alike[group, day] = found
        return found

    def moved(
        self, group: Group, segment: Segment, tier_seconds: int, start: int, counts: dict[int, int]
    ) -> None:
        """A bucket of a segment changed by `counts`, by column."""
        segments = self._segments[group]
        known = segments.get(segment)
        if known is None:
            days = DayCounts(self.calendar, self.terms.weighing.width, self._excluded)
            place = (self._name, group, segment)
            known = segments[segment] = SegmentEvidence(self, place, days)
        if known.moved(tier_seconds, start, counts):
            self.changes += 1
            self._sharing.clear()
            self._alike.clear()
        if known.empty:
            del segments[segment]


class Listener:
    """Turns changes of the cells of one tier into those of segments (`streams.counts.counts`)."""

    def __init__(
        self, evidence: KpiEvidence, group: Group, tier_seconds: int, projection: Projection
    ) -> None:
        self._evidence = evidence
        self._group = group
        self._tier_seconds = tier_seconds
        self._targets: Mapping[int, Target] = projection.targets_in(group)
        self._columns = evidence.terms.weighing.columns

    def moved(self, start: int, increments: Mapping[int, int]) -> None:
        """The bucket at `start` changed by `increments` (cell number to difference)."""
        changes: dict[Segment, dict[int, int]] = {}
        for number, increment in increments.items():
            target = self._targets.get(number)
            if target is None or OTHER in target.segment:
                continue
            column = self._columns.get(target.value)
            if column is not None:
                counts = changes.setdefault(target.segment, {})
                counts[column] = counts.get(column, 0) + increment
        for segment, counts in changes.items():
            self._evidence.moved(self._group, segment, self._tier_seconds, start, counts)
