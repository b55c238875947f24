"""Plans: by which tests and limits a segment is judged on one day, or why by none.

A KPI's alert declares a budget of false alarms for all its segments and rules together. Each
alerting segment has an equal part of it; of that three quarters go to the `drop` rule, one to the
`floor` rule, since raises add up whatever depends on what.

- `floor`: from the floor to floor - drop. It is known, so it can be tested before there is a past.
- `drop`: from the baseline to baseline - drop. It needs a baseline.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from streams.statistics.baseline import LEAST_DAYS, Baseline, NoBaseline, assumed, baseline
from streams.statistics.cusum import CusumTest
from streams.statistics.false_alarms import answers_a_day
from streams.statistics.hours import KINDS
from streams.statistics.limit import NoLimit, design
from streams.statistics.tilt import Line, Unreachable, moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.ledger.layout import Tier
    from streams.scores.weighing import Weighing
    from streams.statistics.baseline import Spread
    from streams.statistics.false_alarms import Week, Wobble
    from streams.statistics.limit import Design
    from streams.statistics.run_length import Floats

Rule = Literal["floor", "drop"]
RULES: Final[tuple[Rule, ...]] = ("floor", "drop")

DROP_PART: Final = 0.75
"""What the drop rule has of a segment's budget; the floor rule has the rest."""

DAY_SECONDS: Final = 86_400
HISTORY_SECONDS: Final = 7 * DAY_SECONDS
# A segment with few answers needs longer to show anything; 7 days would forget 7 % of its alerts.
LONG_HISTORY_SECONDS: Final = 28 * DAY_SECONDS
FEW_ANSWERS_A_DAY: Final = 100

_FIVE_MINUTES: Final = 300
_HOUR: Final = 3600
# Before there is a past, as many as make limits highest: about 50 a bucket.
_ASSUMED_ANSWERS_A_BUCKET: Final = 50
# A CUSUM needs about 2 · 10 · variance / drop² answers; a replay should hold four times as many.
_DELAY_FACTOR: Final = 20
_OF_HISTORY: Final = 4

Reason = Literal["no_baseline", "no_limit", "too_slow"]


class Unjudged(NamedTuple):
    """Why a rule judges nothing: a stable code, and a sentence for a person."""

    reason: Reason
    sentence: str


class Terms(NamedTuple):
    """What an alert is held to. `floor` and `drop` are in x (`weighing`), `raises` a quarter."""

    weighing: Weighing
    floor: float | None
    drop: float
    raises: float
    window_seconds: int
    detect_within_seconds: int | None = None
    design_effect: float = 1.0

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is declared: there is no floor rule without a floor."""
        return RULES if self.floor is not None else ("drop",)


class Replayed(NamedTuple):
    """Which buckets are replayed, and how far back."""

    tier_seconds: int
    history_seconds: int


class Plan(NamedTuple):
    """By what a rule judges. `tests` are by kind of hour, `reference` is in x.

    `delay_days` is how long the declared drop takes to be seen, on average; `wobble`, `answers` and
    `raises` are what the limit was solved for.
    """

    tests: tuple[CusumTest, ...]
    limit: float
    reference: float
    dead_band: float
    wobble: Wobble
    answers_a_day: float
    raises: float
    delay_answers: float

    @property
    def delay_days(self) -> float:
        """How long the declared drop takes to be seen, on average."""
        return self.delay_answers / self.answers_a_day


DayPlan = dict[Rule, Plan | Unjudged]
"""What judges on one day, by rule; a rule that is not declared is absent."""


class Past(NamedTuple):
    """A segment's answers before a day: counts [day, kind of hour, column] of whole days.

    `alike` is the spread between days of all segments of the same breakdown together.
    """

    counts: Floats
    weekend: list[bool]
    alike: Spread | None = None


def replayed(tiers: Sequence[Tier], terms: Terms, past: Past) -> Replayed:
    """The buckets that fit the window and how many answers there are.

    Fine ones are kept for a short while only: they serve windows of up to an hour where even so
    the declared drop is seen several times over.
    """
    hourly = [tier for tier in tiers if tier.seconds <= _HOUR] or tiers[:1]
    middle = ([tier for tier in hourly if tier.seconds <= _FIVE_MINUTES] or hourly[:1])[-1]
    daily = _answers_a_day(terms, past) if len(past.counts) >= LEAST_DAYS else None
    if daily is not None and daily < FEW_ANSWERS_A_DAY:
        return _reaching(hourly[-1], LONG_HISTORY_SECONDS)
    finest = hourly[0]
    if daily and terms.window_seconds <= _HOUR:
        counts = past.counts.sum(axis=(0, 1))
        variance = terms.weighing.reference(counts).variance
        needed = _DELAY_FACTOR * variance / terms.drop**2 * terms.design_effect
        if needed / daily * DAY_SECONDS * _OF_HISTORY <= finest.retention_seconds:
            return _reaching(finest, HISTORY_SECONDS)
    return _reaching(middle, HISTORY_SECONDS)


class Task(NamedTuple):
    """What the plans of a segment are made of: its past, and how many `segments` alert."""

    terms: Terms
    past: Past
    segments: int
    span: Replayed


def planned(task: Task) -> DayPlan:
    """The plans of a segment on the day after its past.

    Takes from 10 ms to some seconds: never on the way of a refresh.
    """
    terms, past, segments, span = task
    found: DayPlan = {}
    usual = None
    try:
        usual = baseline(
            past.counts / terms.design_effect, past.weekend, terms.weighing, past.alike
        )
        found["drop"] = _plan(terms, usual, "drop", segments, span)
    except NoBaseline as reason:
        found["drop"] = Unjudged("no_baseline", str(reason))
    if terms.floor is not None:
        standing = _at_floor(terms, terms.floor, usual, span.tier_seconds)
        found["floor"] = _plan(terms, standing, "floor", segments, span)
    return found


def raises_of(terms: Terms, rule: Rule, segments: int) -> float:
    """The false alarms a quarter that one segment's rule may make."""
    if terms.floor is None:
        return terms.raises / segments
    return terms.raises / segments * (DROP_PART if rule == "drop" else 1 - DROP_PART)


def _at_floor(terms: Terms, floor: float, usual: Baseline | None, tier_seconds: int) -> Baseline:
    if usual is not None:
        return usual.standing_at(floor)
    per_day = _ASSUMED_ANSWERS_A_BUCKET * DAY_SECONDS / tier_seconds
    return assumed(moved(terms.weighing.widest(), floor), per_day)


def _plan(
    terms: Terms, usual: Baseline, rule: Rule, segments: int, span: Replayed
) -> Plan | Unjudged:
    week, raises = usual.week(span.tier_seconds), raises_of(terms, rule, segments)
    try:
        found = designed(week, terms.drop, raises, usual.wobble)
    except (NoLimit, Unreachable) as reason:
        return Unjudged("no_limit", str(reason))
    plan = Plan(
        tests=_tests(found, terms.design_effect),
        limit=found.limit,
        reference=usual.score,
        dead_band=found.dead_band,
        wobble=usual.wobble,
        answers_a_day=answers_a_day(week) * terms.design_effect,
        raises=raises,
        delay_answers=found.delay * terms.design_effect,
    )
    within = min(terms.detect_within_seconds or span.history_seconds, span.history_seconds)
    if usual.days and plan.delay_days * DAY_SECONDS > within:
        return Unjudged(
            "too_slow",
            f"the declared drop would take {plan.delay_days:.1f} days to be seen, "
            f"of {plan.answers_a_day:.0f} answers each",
        )
    return plan


@lru_cache(maxsize=4096)
def designed(week: Week, drop: float, raises: float, wobble: Wobble) -> Design:
    """`limit.design`, remembered: many segments and days ask the same. Raises `NoLimit`."""
    return design(week, drop, raises, wobble)


def _tests(found: Design, design_effect: float) -> tuple[CusumTest, ...]:
    """By kind of hour; a week of one kind of day has two kinds of hours."""
    each = [
        CusumTest(
            _thinned(fall, design_effect),
            _thinned(recovery, design_effect),
            found.limit,
            found.clear,
        )
        for fall, recovery in zip(found.falls, found.recoveries, strict=True)
    ]
    return tuple([each[kind % len(each)] for kind in range(len(KINDS))])


def _thinned(line: Line, design_effect: float) -> Line:
    return Line(line.per_answer / design_effect, line.per_x / design_effect)


def _reaching(tier: Tier, history_seconds: int) -> Replayed:
    return Replayed(tier.seconds, min(history_seconds, tier.retention_seconds))


def _answers_a_day(terms: Terms, past: Past) -> float:
    if not len(past.counts):
        return 0.0
    by_column = past.counts.sum(axis=(0, 1))
    return float(by_column @ np.array(terms.weighing.answers)) / len(past.counts)
