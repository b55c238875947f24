"""Evidence of one segment: its answers by bucket and by day, and the plans of its days.

Each day is judged by the plan made of the days before it, so plans depend on counts alone, and who
begins anew makes the same (of late answers to days long past it makes the most). A plan that is
overtaken, as when another number of segments shares the budget, judges on until the new one is
made: whatever is raised stays raised.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from streams.scores.judge import Judge
from streams.scores.planning import RULES, Task, planned, replayed
from streams.scores.weighing import added_up
from streams.statistics.baseline import BASELINE_DAYS
from streams.statistics.trajectory import Answers, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.counts.projection import Group, Segment
    from streams.ledger.layout import Tier
    from streams.scores.day_counts import DayCounts
    from streams.scores.judge import Verdict
    from streams.scores.planning import DayPlan, Past, Replayed, Terms
    from streams.statistics.baseline import Spread
    from streams.statistics.hours import Calendar

    Key = tuple[object, ...]
    Place = tuple[str, Group, Segment]


class Planner(Protocol):
    """Makes plans, now or in the background: gives None until one is made."""

    def __call__(self, key: Key, task: Callable[[], Task]) -> DayPlan | None:
        """The plan of `task`, which is asked for once; `key` stands for it."""


def plan_now(key: Key, task: Callable[[], Task]) -> DayPlan:  # noqa: ARG001
    """Make the plan at once: for commands, and for tests."""
    return planned(task())


class Shared(Protocol):
    """What a segment has in common with the others of its KPI (`evidence.KpiEvidence`)."""

    terms: Terms
    tiers: Sequence[Tier]
    calendar: Calendar
    planner: Planner

    @property
    def changes(self) -> int:
        """How often `sharing` may have changed."""

    def sharing(self, day: int) -> int:
        """How many segments share the budget on a day."""

    def alike(self, group: Group, day: int) -> Spread:
        """The spread between the days before `day` of all segments that are alike."""


class _Days(NamedTuple):
    """The plans of days by which buckets of `span` are judged, and what each is to be made of."""

    span: Replayed
    wanted: dict[int, Key]
    made: dict[int, tuple[Key, DayPlan]]

    @property
    def missing(self) -> list[int]:
        """The days whose plan is not what is wanted, the last first."""
        return [day for day in sorted(self.wanted, reverse=True) if not self._has(day)]

    def _has(self, day: int) -> bool:
        return day in self.made and self.made[day][0] == self.wanted[day]

    @property
    def plans(self) -> dict[int, DayPlan | None]:
        """By day; None where none is made yet."""
        return {day: self.made[day][1] if day in self.made else None for day in self.wanted}


class SegmentEvidence:
    """One segment, at a place among all segments of all KPIs."""

    def __init__(self, kpi: Shared, place: Place, days: DayCounts) -> None:
        self._kpi = kpi
        self._place = place
        self.days = days
        self._answers = {tier.seconds: Answers(tier.seconds, len(RULES)) for tier in kpi.tiers}
        self._coarsest = kpi.tiers[-1].seconds
        self._opened: tuple[int, int] | None = None
        self._current: _Days | None = None
        self._next: _Days | None = None
        self._judges = tuple([Judge(rule, kpi.calendar) for rule in kpi.terms.rules])

    @property
    def empty(self) -> bool:
        """Whether no bucket holds an answer."""
        return all(answers.empty for answers in self._answers.values())

    def moved(self, tier_seconds: int, start: int, counts: Mapping[int, int]) -> bool:
        """A bucket changed by `counts`, by column; gives whether other days hold answers now."""
        number, total = added_up(self._kpi.terms.weighing, counts)
        self._answers[tier_seconds].moved(start, number, total)
        return tier_seconds == self._coarsest and self.days.moved(start, counts)

    def past(self, day: int) -> Past:
        """The 28 days before the alert window that ends where `day` begins."""
        gap = math.ceil(self._kpi.terms.window_seconds / 86_400)
        return self.days.between(day - gap - BASELINE_DAYS, day - gap)

    def verdicts(self, end: float) -> list[Verdict]:
        """By rule, for a window that ends at `end` (Unix seconds); none before the first plan."""
        today = self._kpi.calendar.at(end).day
        if self._opened != (today, self._kpi.changes):
            self._open(today)
            self._opened = (today, self._kpi.changes)
        if self._next is not None:
            self._ask(self._next, today)
        days = self._current
        if days is None:
            return []
        tier = days.span.tier_seconds
        last = (math.floor(end / tier) - 1) * tier
        window = Window(last + tier - days.span.history_seconds, last)
        return [
            judge.verdict(trajectory, days.plans, window)
            for judge, trajectory in zip(
                self._judges, self._answers[tier].trajectories, strict=False
            )
        ]

    def _open(self, today: int) -> None:
        """A new day, or another number of segments: which plans are to be made now."""
        span = replayed(self._kpi.tiers, self._kpi.terms, self.past(today))
        days = range(today - math.ceil(span.history_seconds / 86_400), today + 1)
        wanted: dict[int, Key] = {
            day: (*self._place, day, self._kpi.sharing(day), span) for day in days
        }
        alike = [each.made for each in (self._next, self._current) if each and each.span == span]
        made = {day: each for day, each in (alike[0] if alike else {}).items() if day in wanted}
        self._next = _Days(span, wanted, made)

    def _ask(self, days: _Days, today: int) -> None:
        """Ask for the plans that are missing; for those of other days only once today's is made.

        Until the first is made, what judged before judges on.
        """
        for day in days.missing:
            key = days.wanted[day]
            plan = self._kpi.planner(key, partial(self._task, day, days.span))
            if plan is not None:
                days.made[day] = key, plan
            elif day == today:
                break
        if days.made:
            self._current = days
        if not days.missing:
            self._next = None

    def _task(self, day: int, span: Replayed) -> Task:
        past = self.past(day)._replace(alike=self._kpi.alike(self._place[1], day))
        return Task(self._kpi.terms, past, self._kpi.sharing(day), span)
