"""A rule over the days of one segment: which plan judges which day, and what follows from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from streams.scores.planning import Plan, Unjudged
from streams.statistics.cusum import Timetable
from streams.statistics.trajectory import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.scores.planning import DayPlan, Rule
    from streams.statistics.cusum import CusumTest
    from streams.statistics.hours import Calendar
    from streams.statistics.trajectory import Trajectory

    Chosen = tuple[tuple[int, Plan | Unjudged], ...]


class Verdict(msgspec.Struct, frozen=True):
    """What a rule says of one segment now.

    Raised once `evidence` reaches `limit`; while it is raised, evidence falls as that of a recovery
    grows, and at 0 it clears. `since` (Unix seconds) is when `raised` last changed, None if never
    within what is replayed. `plan` is what judges today. Where `unjudged` says why the rule judges
    nothing, the rest is as before the first answer.
    """

    rule: Rule
    raised: bool = False
    evidence: float = 0.0
    limit: float = math.inf
    since: float | None = None
    plan: Plan | None = None
    unjudged: Unjudged | None = None


class Judge:
    """One rule. While it is raised where a day begins, the plan of the day before holds on."""

    def __init__(self, rule: Rule, calendar: Calendar) -> None:
        self.rule = rule
        self._calendar = calendar
        self._given: Chosen = ()
        self._used: Chosen = ()
        self._raised_at: dict[int, bool] = {}
        self._timetable = Timetable()

    def verdict(
        self, trajectory: Trajectory, plans: Mapping[int, DayPlan | None], window: Window
    ) -> Verdict:
        """The verdict by `plans` (a day's own, by day) over the buckets of `window`."""
        given = _filled(self.rule, plans)
        if given != self._given:
            self._given = given
            self._choose(trajectory, window)
        state = trajectory.state(self._timetable, window)
        if any(trajectory.raised_before(at) != was for at, was in self._raised_at.items()):
            self._choose(trajectory, window)
            state = trajectory.state(self._timetable, window)
        test, plan = self._timetable.at(window.last), self._used[-1][1]
        if test is None or isinstance(plan, Unjudged):
            unjudged = plan if isinstance(plan, Unjudged) else None
            return Verdict(self.rule, raised=state.raised, since=state.since, unjudged=unjudged)
        return Verdict(self.rule, state.raised, state.evidence(test), test.limit, state.since, plan)

    def _choose(self, trajectory: Trajectory, window: Window) -> None:
        """Choose the plan of each day, day by day, each by what the days before it came to."""
        changes: list[tuple[int, CusumTest | None]] = []
        used: list[tuple[int, Plan | Unjudged]] = []
        self._raised_at = {}
        for day, own in self._given:
            begin, plan = self._calendar.begin(day), own
            if used and begin > window.first:
                trajectory.state(Timetable(changes), window)
                raised = trajectory.raised_before(begin)
                self._raised_at[begin] = raised
                if raised and isinstance(used[-1][1], Plan):
                    plan = used[-1][1]
            used.append((day, plan))
            changes.extend(_hours(self._calendar.hours(day), plan))
        self._used, self._timetable = tuple(used), Timetable(changes)


def _filled(rule: Rule, plans: Mapping[int, DayPlan | None]) -> Chosen:
    """Each day's plan of `rule`; while one is not made yet, that of the nearest later day.

    Where there is none, that of the nearest earlier.
    """
    known = {day: plan[rule] for day, plan in plans.items() if plan is not None}
    days = sorted(plans)
    found: dict[int, Plan | Unjudged] = {}
    for ordered in (reversed(days), days):
        nearest: Plan | Unjudged | None = None
        for day in ordered:
            nearest = known.get(day, nearest)
            if nearest is not None:
                found.setdefault(day, nearest)
    return tuple(sorted(found.items(), key=lambda item: item[0]))


def _hours(
    hours: Iterable[tuple[int, int]], plan: Plan | Unjudged
) -> Iterable[tuple[int, CusumTest | None]]:
    for start, kind in hours:
        yield start, plan.tests[kind] if isinstance(plan, Plan) else None
