from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streams.counts.projection import Group
from streams.kpis.formulas import Share
from streams.ledger.layout import Measure, Tier
from streams.scores import planning
from streams.scores.evidence import Clockwork, KpiEvidence
from streams.scores.planning import Plan, Terms, Unjudged, planned
from streams.scores.segment_evidence import plan_now
from streams.scores.weighing import weighing
from streams.statistics.hours import Calendar
from streams.statistics.limit import design

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from streams.scores.judge import Verdict
    from streams.scores.planning import DayPlan, Task
    from streams.scores.segment_evidence import Planner

FLAG = weighing(Share(measure="ok"), Measure("ok", "flag"), lower_is_better=False)
assert FLAG is not None
TERMS = Terms(FLAG, floor=0.75, drop=0.1, raises=1.0, window_seconds=86_400)
DAY, HOUR = 86_400, 3600
TIERS = (Tier(300, 3 * DAY), Tier(HOUR, 62 * DAY))
ALL, PRODUCTS = Group("ok@flag", ()), Group("ok@flag", ("product",))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=BERLIN).timestamp()


@pytest.fixture(autouse=True)
def _quick_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limits a little too low, in a tenth of the time."""
    planning.designed.cache_clear()
    monkeypatch.setattr(planning, "design", partial(design, cells=20))
    yield
    planning.designed.cache_clear()


def evidence(
    planner: Planner = plan_now, excluded: Container[int] = (), terms: Terms = TERMS
) -> KpiEvidence:
    clockwork = Clockwork(Calendar(BERLIN), planner, excluded)
    return KpiEvidence("ok", terms, [ALL, PRODUCTS], TIERS, clockwork)


def answered(
    found: KpiEvidence, first: float, last: float, score: Callable[[float], float], seed: int = 1
) -> None:
    """Twenty answers an hour from `first` to `last`, by day and night."""
    source = np.random.default_rng(seed)
    for start in range(int(first) // 300 * 300, int(last), 300):
        number = int(source.poisson(20 / 12))
        yes = int(source.binomial(number, score(start)))
        counts = {column: count for column, count in ((0, number - yes), (1, yes)) if count}
        if counts:
            for tier in TIERS:
                if start >= last - tier.retention_seconds:
                    begin = start // tier.seconds * tier.seconds
                    found.moved(ALL, (), tier.seconds, begin, counts)


def verdicts(found: KpiEvidence, now: float = NOW) -> dict[str, Verdict]:
    return {verdict.rule: verdict for verdict in found.verdicts(ALL, (), now)}


def steady(_: float) -> float:
    return 0.85


def fallen(days: float) -> Callable[[float], float]:
    """A fall of 15 so many days ago."""
    return lambda time: 0.70 if time >= NOW - days * DAY else 0.85


def test_usual_answers_raise_nothing() -> None:
    """Both rules judge, by plans that say from where, and neither has raised."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, steady)
    both = verdicts(found)
    assert ["floor", "drop"] == list(both)
    assert not any(verdict.raised for verdict in both.values())
    assert isinstance(both["drop"].plan, Plan)
    assert 0.85 == pytest.approx(both["drop"].plan.reference, abs=0.015)
    assert 0 <= both["drop"].evidence < both["drop"].limit < 10


def test_a_fall_raises_the_drop_and_what_is_below_the_floor_both() -> None:
    """From .85 to .70, floor .75: each with the time at which it raised."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, fallen(2))
    both = verdicts(found)
    assert both["drop"].raised
    assert both["drop"].since is not None
    assert NOW - 2 * DAY < both["drop"].since < NOW - DAY


def test_an_open_bucket_is_not_judged() -> None:
    """Only once it is closed do its answers count."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, steady)
    before = verdicts(found)
    found.moved(ALL, (), 300, int(NOW), {0: 500})
    assert before == verdicts(found, NOW + 299)
    assert verdicts(found, NOW + 300)["drop"].raised


def test_answers_one_by_one_or_all_at_once_are_the_same() -> None:
    """A restart that reads everything says what one that was always there says."""
    always = evidence()
    answered(always, NOW - 45 * DAY, NOW - 3 * DAY, fallen(2.5), seed=1)
    for hour in range(72):
        end = NOW - (72 - hour - 1) * HOUR
        answered(always, end - HOUR, end, fallen(2.5), seed=100 + hour)
        verdicts(always, end)
    anew = evidence()
    answered(anew, NOW - 45 * DAY, NOW - 3 * DAY, fallen(2.5), seed=1)
    for hour in range(72):
        end = NOW - (72 - hour - 1) * HOUR
        answered(anew, end - HOUR, end, fallen(2.5), seed=100 + hour)
    assert verdicts(anew) == verdicts(always)
    assert verdicts(anew)["drop"].raised


def test_while_raised_the_baseline_is_frozen() -> None:
    """Two days into a fall, none of its days is in a plan that judges."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, fallen(2.5))
    verdict = verdicts(found)["drop"]
    assert verdict.raised
    assert verdict.plan is not None
    assert 0.85 == pytest.approx(verdict.plan.reference, abs=0.01)


def test_no_data_never_means_recovered() -> None:
    """A silent day after a fall it is raised as before."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, fallen(1.5))
    raised = verdicts(found)["drop"]
    silent = verdicts(found, NOW + DAY)["drop"]
    assert raised.raised
    assert (raised.raised, raised.since) == (silent.raised, silent.since)


def test_a_recovery_clears() -> None:
    """Back at the baseline for two days."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW - 2 * DAY, fallen(3))
    assert verdicts(found, NOW - 2 * DAY)["drop"].raised
    answered(found, NOW - 2 * DAY, NOW, steady, seed=2)
    assert not verdicts(found)["drop"].raised


def test_without_a_past_the_floor_judges_and_the_drop_says_why_not() -> None:
    """Three days of history, all of them bad."""
    found = evidence()
    answered(found, NOW - 3 * DAY, NOW, lambda _: 0.6)
    both = verdicts(found)
    assert both["floor"].raised
    reason = Unjudged("no_baseline", "2 days of history; a baseline needs 7")
    assert reason == both["drop"].unjudged
    assert not both["drop"].raised


def test_excluded_days_are_in_no_baseline() -> None:
    """A week of a known outage, three weeks ago, does not lower what is usual."""
    bad = range(*(dt.date(2026, 11, day).toordinal() for day in (1, 8)))
    calendar = Calendar(BERLIN)
    found = evidence(excluded=bad)
    answered(found, NOW - 50 * DAY, NOW, lambda t: 0.5 if calendar.at(t).day in bad else 0.85)
    verdict = verdicts(found)["drop"]
    assert verdict.plan is not None
    assert 0.85 == pytest.approx(verdict.plan.reference, abs=0.015)


class SlowPlanner:
    """Has a plan only when it is asked for it again."""

    def __init__(self) -> None:
        self.made: dict[tuple[object, ...], DayPlan] = {}
        self.asked: list[Task] = []

    def __call__(self, key: tuple[object, ...], task: Callable[[], Task]) -> DayPlan | None:
        """None the first time."""
        if key in self.made:
            return self.made[key]
        self.asked.append(task())
        self.made[key] = planned(self.asked[-1])
        return None


def settled(found: KpiEvidence, now: float = NOW) -> dict[str, Verdict]:
    """What it says once all plans are made."""
    for _ in range(3):
        both = verdicts(found, now)
    return both


def test_plans_may_come_later() -> None:
    """Until today's is made there is no verdict; until the others are, today's stands for them."""
    planner = SlowPlanner()
    found = evidence(planner)
    answered(found, NOW - 50 * DAY, NOW, fallen(2))
    assert {} == verdicts(found)
    assert 1 == len(planner.asked)
    assert verdicts(found)["drop"].raised
    assert 4 == len(planner.asked)
    assert verdicts(found) == verdicts(found)
    at_once = evidence()
    answered(at_once, NOW - 50 * DAY, NOW, fallen(2))
    assert verdicts(at_once) == verdicts(found)


def raises(found: KpiEvidence, now: float = NOW) -> float:
    plan = verdicts(found, now)["drop"].plan
    assert plan is not None
    return plan.raises


def test_the_budget_is_shared_by_those_that_answered_lately() -> None:
    """Four segments have a quarter each; who is gone no longer takes part."""
    found = evidence()
    answered(found, NOW - 50 * DAY, NOW, steady)
    assert 0.75 == raises(found)
    for name in ("a", "b", "c"):
        found.moved(PRODUCTS, (name,), HOUR, int(NOW) - HOUR, {1: 1})
    assert 0.75 / 4 == raises(found)
    yesterday = dt.datetime.fromtimestamp(NOW, BERLIN).toordinal() - 1
    assert (1, 4) == (found.sharing(yesterday), found.sharing(yesterday + 28))
    for name in ("a", "b"):
        found.moved(PRODUCTS, (name,), HOUR, int(NOW) - HOUR, {1: -1})
    assert 0.75 / 2 == raises(found)


@pytest.mark.parametrize("score", [steady, fallen(2)])
def test_until_a_plan_is_made_the_one_before_judges(score: Callable[[float], float]) -> None:
    """A new segment, or a night, does not take an alert away while limits are solved."""
    planner = SlowPlanner()
    found = evidence(planner)
    answered(found, NOW - 50 * DAY, NOW, score)
    before = settled(found)["drop"]
    found.moved(PRODUCTS, ("a",), HOUR, int(NOW) - HOUR, {1: 1})
    assert before == verdicts(found)["drop"]
    after = settled(found)["drop"]
    assert (before.raised, before.since) == (after.raised, after.since)
    assert (before.plan == after.plan) == before.raised
    asked = len(planner.asked)
    tomorrow = verdicts(found, NOW + DAY)["drop"]
    assert asked + 1 == len(planner.asked)
    assert before.raised == tomorrow.raised


def test_other_buckets_wait_for_their_first_plan() -> None:
    """Where a segment has fewer answers than before, hours are judged once that is planned."""
    planner = SlowPlanner()
    found = evidence(planner)
    answered(found, NOW - 50 * DAY, NOW, steady)
    settled(found)
    later = NOW + 26 * DAY  # three of the 28 days have answers
    assert "drop" in verdicts(found, later)
    assert [300, 3600] == [task.span.tier_seconds for task in planner.asked[-2:]]
    assert "drop" in verdicts(found, later)


def test_segments_that_are_alike_tell_of_the_spread_between_days() -> None:
    """What one of few answers can't show, all of them together do."""
    source = np.random.default_rng(6)
    found = evidence()
    today = dt.datetime.fromtimestamp(NOW, BERLIN).toordinal()
    for day in range(40):
        shift = float(source.normal(0, 0.06))
        for name in "abcdefgh":
            yes = int(source.binomial(40, 0.85 + shift))
            start = int(NOW) - day * DAY
            found.moved(PRODUCTS, (name,), HOUR, start, {1: yes, 0: 40 - yes})
    together = found.alike(PRODUCTS, today)
    assert 0.06 == pytest.approx(together.variance**0.5, abs=0.015)
    plan = {v.rule: v for v in found.verdicts(PRODUCTS, ("a",), NOW)}["floor"].plan
    assert plan is not None
    assert plan.wobble.daily > 0.045
