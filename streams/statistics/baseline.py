"""The baseline: what a score usually is, hour by hour, and how much it moves without being news.

Taken from whole days of the past, as answers counted by day and kind of hour
(`streams.statistics.hours`). To pool a night of 77 % with a day of 87 % gives 2.3 times the false
alarms at 500 answers a day and 75 times at 5,000, so each kind of hour with about a hundred answers
has a level of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from streams.statistics.false_alarms import Day, Hours, Week, Wobble
from streams.statistics.hours import DAY_HOURS, KINDS, NIGHT_HOURS
from streams.statistics.tilt import moved

if TYPE_CHECKING:
    from streams.statistics.run_length import Floats
    from streams.statistics.tilt import Reference

BASELINE_DAYS: Final = 28
"""The whole days before the alert window that a baseline is taken from."""

# With fewer, the day-to-day spread is anybody's guess.
LEAST_DAYS: Final = 7
# A level is then known to 3.6 points (CSAT of 85 %); limits allow for that.
LEAST_ANSWERS: Final = 100
# Below, a kind of hour has no level of its own. Measured: 93 answers do as well as 3,733.
_ANSWERS_OF_A_KIND: Final = 100

# A spread estimated from D days is itself known to 1/√(2(D - 1)) of it, and false alarms grow
# faster than it. .73 of that, a tenth at 28 days, gives the budget on average.
_CAUTION: Final = 0.73

_HOURS_OF_KIND: Final = (NIGHT_HOURS, DAY_HOURS, NIGHT_HOURS, DAY_HOURS)
_POOLS: Final = ((0,), (1,), (2,), (3,)), ((0, 2), (1, 3)), ((0, 1, 2, 3),)
_MARGIN: Final = 0.02


class NoBaseline(ValueError):
    """The past does not say what is usual; the message says why, for a person."""


class Weighed(Protocol):
    """How counted columns become answers: how many they are, the sum of their x, their spread."""

    @property
    def answers(self) -> tuple[float, ...]:
        """By column, how many answers one count of it is."""

    @property
    def totals(self) -> tuple[float, ...]:
        """By column, the x of one count of it."""

    def reference(self, counts: Floats) -> Reference:
        """How answers fall out, of which these were counted by column."""


class Baseline(NamedTuple):
    """What is usual. By kind of hour (`hours.KINDS`) a reference, and the answers an hour.

    `score` is the mean x of all answers.
    """

    references: tuple[Reference, ...]
    answers_an_hour: tuple[float, ...]
    score: float
    wobble: Wobble
    answers: float
    days: int

    @property
    def answers_a_day(self) -> float:
        """The mean number, over a week."""
        weekday, weekend = self._of_a_day(0), self._of_a_day(2)
        return (5 * weekday + 2 * weekend) / 7

    def _of_a_day(self, night: int) -> float:
        rates = self.answers_an_hour
        return NIGHT_HOURS * rates[night] + DAY_HOURS * rates[night + 1]

    def week(self, tier_seconds: int) -> Week:
        """The week as a CUSUM over buckets of this tier goes through it."""
        hours = [
            Hours(reference, rate * tier_seconds / 3600, number * 3600 // tier_seconds)
            for reference, rate, number in zip(
                self.references, self.answers_an_hour, _HOURS_OF_KIND, strict=True
            )
        ]
        weekdays, weekend = tuple(hours[:2]), tuple(hours[2:])
        if weekdays == weekend:
            return (Day(weekdays, 7),)
        return Day(weekdays, 5), Day(weekend, 2)

    def standing_at(self, score: float) -> Baseline:
        """The same hours and spread where the whole stands at `score`, which is known."""
        distance = score - self.score
        references = tuple([_shifted(reference, distance) for reference in self.references])
        wobble = Wobble(self.wobble.daily, 0.0)
        return self._replace(references=references, score=score, wobble=wobble)


def baseline(
    counts: Floats, weekend: list[bool], weighed: Weighed, alike: Spread | None = None
) -> Baseline:
    """The baseline of whole days. Raises `NoBaseline` where they are too few.

    `counts` are [day, kind of hour, column]; `weekend` says of each day what it is. `alike` is the
    spread between days of all segments of the same breakdown together.
    """
    by_kind = counts @ np.array(weighed.answers)  # [day, kind]
    total = float(by_kind.sum())
    if len(counts) < LEAST_DAYS:
        raise NoBaseline(f"{len(counts)} days of history; a baseline needs {LEAST_DAYS}")
    if total < LEAST_ANSWERS:
        raise NoBaseline(
            f"{total:.0f} answers in {len(counts)} days; a baseline needs {LEAST_ANSWERS}"
        )
    pools = _pools(by_kind.sum(axis=0))
    references = _references(counts, pools, weighed)
    # A kind that brought no answer weighs nothing in the mean.
    levels = np.array([reference.score for reference in references])
    return Baseline(
        references=references,
        answers_an_hour=_rates(by_kind, weekend),
        score=float(levels @ by_kind.sum(axis=0)) / total,
        wobble=_wobble(counts, weighed, alike),
        answers=total,
        days=len(counts),
    )


def assumed(reference: Reference, answers_a_day: float) -> Baseline:
    """What is taken for usual before there is a past: no difference between hours and days."""
    return Baseline(
        references=(reference,) * len(KINDS),
        answers_an_hour=(answers_a_day / 24,) * len(KINDS),
        score=reference.score,
        wobble=Wobble(),
        answers=0.0,
        days=0,
    )


def _pools(answers: Floats) -> tuple[tuple[int, ...], ...]:
    """Which kinds of hours share a level, for each kind: alone, with the same hours, or all."""
    return tuple([
        next(
            (
                pool
                for pools in _POOLS
                for pool in pools
                if kind in pool and sum(answers[k] for k in pool) >= _ANSWERS_OF_A_KIND
            ),
            _POOLS[-1][0],
        )
        for kind in range(len(KINDS))
    ])  # fmt: skip


def _references(
    counts: Floats, pools: tuple[tuple[int, ...], ...], weighed: Weighed
) -> tuple[Reference, ...]:
    by_kind = counts.sum(axis=0)
    return tuple([weighed.reference(by_kind[list(pool)].sum(axis=0)) for pool in pools])


def _rates(by_kind: Floats, weekend: list[bool]) -> tuple[float, ...]:
    """Answers an hour by kind; a kind of day that the past does not hold is like the other."""
    at_weekend = np.array(weekend)
    means = [
        by_kind[chosen].mean(axis=0) if chosen.any() else np.zeros(len(KINDS))
        for chosen in (~at_weekend, at_weekend)
    ]
    weekdays, weekends = means[0][:2], means[1][2:]
    if not at_weekend.any():
        weekends = weekdays
    if at_weekend.all():
        weekdays = weekends
    hourly = np.concatenate([weekdays, weekends]) / np.array(_HOURS_OF_KIND)
    return tuple(map(float, hourly))


class Spread(NamedTuple):
    """What days say of the spread between them; spreads of segments that are alike add up.

    `excess` is the spread beyond chance times `effective`, `noise` the variance of the former.
    """

    excess: float = 0.0
    effective: float = 0.0
    noise: float = 0.0

    def plus(self, other: Spread) -> Spread:
        """Both together."""
        return Spread(*(one + another for one, another in zip(self, other, strict=True)))

    @property
    def variance(self) -> float:
        """Of the true score from day to day; never negative."""
        return max(0.0, self.excess / self.effective) if self.effective > 0 else 0.0

    @property
    def surely(self) -> float:
        """One standard error less."""
        if self.effective <= 0:
            return 0.0
        return max(0.0, self.excess - float(self.noise**0.5)) / self.effective


def spread(counts: Floats, weighed: Weighed) -> Spread:
    """The spread between days of `counts` [day, kind of hour, column] beyond chance.

    One-way random effects by moments (Searle, Casella & McCulloch 1992, section 3.6), on what each
    day's answers are above the level of their hours.
    """
    numbers, totals = counts @ np.array(weighed.answers), counts @ np.array(weighed.totals)
    daily = numbers.sum(axis=1)
    answered = daily > 0
    freedom = int(answered.sum()) - 1
    if freedom < 1:
        return Spread()
    pools = _pools(numbers.sum(axis=0))
    levels = np.array([_mean(numbers, totals, pool) for pool in pools])
    above = (totals - numbers * levels).sum(axis=1)
    chance, number = _chance(counts, weighed), float(daily.sum())
    between = float((above[answered] ** 2 / daily[answered]).sum())
    effective = number - float((daily**2).sum()) / number
    return Spread(between - freedom * chance, effective, 2 * between**2 / freedom)


def _chance(counts: Floats, weighed: Weighed) -> float:
    """The variance of an answer about the level of its hours."""
    numbers = (counts @ np.array(weighed.answers)).sum(axis=0)
    references = _references(counts, _pools(numbers), weighed)
    variances = np.array([reference.variance for reference in references])
    return float(numbers @ variances) / float(numbers.sum())


def _wobble(counts: Floats, weighed: Weighed, alike: Spread | None) -> Wobble:
    """The spread between days, with caution, and the standard error of the level.

    A segment's own spread counts where it surely is larger than that of all that are alike: of few
    answers a day it is mostly chance, and half of the time nothing at all.
    """
    own = spread(counts, weighed)
    variance = own.variance if alike is None else max(alike.variance, own.surely)
    number = float((counts @ np.array(weighed.answers)).sum())
    level = _chance(counts, weighed) / number + variance / len(counts)
    caution = 1 + _CAUTION / (2 * max(len(counts) - 1, 1)) ** 0.5
    return Wobble(caution * variance**0.5, level**0.5)


def _mean(numbers: Floats, totals: Floats, pool: tuple[int, ...]) -> float:
    number = float(numbers[:, list(pool)].sum())
    return float(totals[:, list(pool)].sum()) / number if number else 0.0


def _shifted(reference: Reference, distance: float) -> Reference:
    """The tilt whose score lies `distance` higher, as far as the answers can show it."""
    low, high = min(reference.x), max(reference.x)
    margin = _MARGIN * (high - low)
    score = min(max(reference.score + distance, low + margin), high - margin)
    return moved(reference, score)
