"""Evidence: what the alert rules of one KPI say of each of its alerting segments.

The verdict is a pure function of the buckets, the KPI file and now: each day is judged by the plan
made of the days before it (`streams.scores.planning`), and the buckets of the last 7 or 28 days are
replayed through the plans of their days. While a rule is raised its plan stays what it was, so
that a lasting drop does not become its own baseline. Only closed buckets are judged, as the limit
assumes: within a bucket, S may come to the limit and leave it again.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from streams.events.admission import OTHER
from streams.scores.day_counts import DayCounts
from streams.scores.judge import Judge
from streams.scores.planning import RULES, planned, replayed
from streams.scores.weighing import added_up
from streams.statistics.baseline import BASELINE_DAYS
from streams.statistics.trajectory import Answers, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from streams.counts.projection import Group, Projection, Segment, Target
    from streams.ledger.layout import Tier
    from streams.scores.judge import Verdict
    from streams.scores.planning import DayPlan, Past, Replayed, Rule, Terms
    from streams.statistics.hours import Calendar


class Planner(Protocol):
    """Makes plans, now or in the background: gives None until one is made."""

    def __call__(self, key: tuple[object, ...], make: Callable[[], DayPlan]) -> DayPlan | None:
        """What `make` gives; `key` says what it is made of."""


def plan_now(key: tuple[object, ...], make: Callable[[], DayPlan]) -> DayPlan:  # noqa: ARG001
    """Make the plan at once: for commands, and for tests."""
    return make()


class Moment(NamedTuple):
    """When verdicts are asked for. `end` (Unix seconds): up to where answers are counted."""

    end: float
    segments: int


class KpiEvidence:
    """The alerting segments of one KPI. It listens to the counts and knows every verdict."""

    def __init__(
        self,
        name: str,
        terms: Terms,
        groups: Sequence[Group],
        tiers: Sequence[Tier],
        calendar: Calendar,
        planner: Planner,
        excluded: Container[int] = (),
    ) -> None:
        self.terms = terms
        self.tiers = tiers
        self.calendar = calendar
        self.planner = planner
        self.excluded = excluded
        self.name = name
        self._segments: dict[Group, dict[Segment, SegmentEvidence]] = {g: {} for g in groups}

    def listeners(self, projection: Projection) -> Iterator[tuple[int, Listener]]:
        """What must be told of every change of the buckets of a tier, by the tier's seconds."""
        for group in self._segments:
            for tier in self.tiers:
                yield tier.seconds, Listener(self, group, tier.seconds, projection)

    def verdicts(self, group: Group, segment: Segment, end: float) -> list[Verdict]:
        """By rule, for a window that ends at `end`; none for the rest, nor while plans are made."""
        known = self._segments[group].get(segment)
        if known is None:
            return []
        return known.verdicts(Moment(end, self.alerting))

    @property
    def alerting(self) -> int:
        """How many segments share the budget."""
        return max(1, sum(len(segments) for segments in self._segments.values()))

    def moved(
        self, group: Group, segment: Segment, tier_seconds: int, start: int, counts: dict[int, int]
    ) -> None:
        """A bucket of a segment changed by `counts`, by column."""
        segments = self._segments[group]
        known = segments.get(segment)
        if known is None:
            key = (self.name, group, segment)
            known = segments[segment] = SegmentEvidence(self, key)
        known.moved(tier_seconds, start, counts)
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


class SegmentEvidence:
    """One segment: its answers by bucket and by day, and the plans of its days."""

    def __init__(self, kpi: KpiEvidence, key: tuple[object, ...]) -> None:
        self._kpi = kpi
        self._key = key
        self._answers = {tier.seconds: Answers(tier.seconds, len(RULES)) for tier in kpi.tiers}
        self._days = DayCounts(kpi.calendar, kpi.terms.weighing.width, kpi.excluded)
        self._coarsest = kpi.tiers[-1].seconds
        self._asked: tuple[int, int] | None = None
        self._plans: dict[int, DayPlan | None] = {}
        self._replayed: Replayed | None = None
        self._judges = tuple([Judge(rule, kpi.calendar) for rule in RULES])

    @property
    def empty(self) -> bool:
        """Whether no bucket holds an answer."""
        return all(answers.empty for answers in self._answers.values())

    def moved(self, tier_seconds: int, start: int, counts: dict[int, int]) -> None:
        """A bucket changed by `counts`, by column."""
        number, total = added_up(self._kpi.terms.weighing, counts)
        self._answers[tier_seconds].moved(start, number, total)
        if tier_seconds == self._coarsest:
            self._days.moved(start, counts)

    def verdicts(self, moment: Moment) -> list[Verdict]:
        """By rule."""
        today = self._kpi.calendar.at(moment.end).day
        if self._asked != (today, moment.segments):
            self._open(today, moment.segments)
        span = self._replayed
        if span is None:
            return []
        if any(plan is None for plan in self._plans.values()):
            self._ask(today, span, moment.segments)
        if all(plan is None for plan in self._plans.values()):
            return []
        last = math.floor(moment.end / span.tier_seconds) * span.tier_seconds - span.tier_seconds
        window = Window(last + span.tier_seconds - span.history_seconds, last)
        answers = self._answers[span.tier_seconds]
        return [
            judge.verdict(trajectory, self._plans, window)
            for judge, trajectory in zip(self._judges, answers.trajectories, strict=True)
            if self._declared(judge.rule)
        ]

    def _declared(self, rule: Rule) -> bool:
        return rule == "drop" or self._kpi.terms.floor is not None

    def _open(self, today: int, segments: int) -> None:
        """A new day, or another number of segments: today's plan is to be made anew."""
        span = replayed(self._kpi.tiers, self._kpi.terms, self._past(today))
        if span != self._replayed:
            self._plans, self._replayed = {}, span
        first = today - math.ceil(span.history_seconds / 86_400)
        self._plans = {
            day: self._plans.get(day) if day != today else None for day in range(first, today + 1)
        }
        self._asked = (today, segments)

    def _ask(self, today: int, span: Replayed, segments: int) -> None:
        """Ask for the plans that are missing; for others only once today's is made."""
        for day in sorted(self._plans, reverse=True):
            if self._plans[day] is None:
                make = partial(planned, self._kpi.terms, self._past(day), segments, span)
                key = (*self._key, day, segments, span)
                self._plans[day] = self._kpi.planner(key, make)
                if self._plans[day] is None and day == today:
                    return

    def _past(self, day: int) -> Past:
        """The 28 days before the alert window that ends where `day` begins."""
        gap = math.ceil(self._kpi.terms.window_seconds / 86_400)
        return self._days.between(day - gap - BASELINE_DAYS, day - gap)
