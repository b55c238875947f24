"""False alarms: how often chance alone raises a CUSUM on a week as it is, and how soon a drop does.

A week's hours differ in how many answers they bring, and in their scores (`Week`). Scores also move
from day to day without that being news, and the level they are measured from is itself an estimate
(`Wobble`): to ignore a spread of two points multiplies false alarms by 4 at 500 answers a day and
by 52 at 50,000. So the rate is averaged over both.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from streams.statistics.run_length import Steps, expected_steps, transitions
from streams.statistics.tilt import tilted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.statistics.run_length import Floats
    from streams.statistics.tilt import Line, Reference

QUARTER_DAYS: Final = 91

# Cells of the chain. 128 give .96 to 1.00 of the alarms of a very fine chain, 96 some .95.
CELLS: Final = 128

# Daily shifts of the score are tried at so many points, from 4 deviations down, where alarms come
# from, to 2.5 up.
_SHIFTS: Final = 17
_LOWEST, _HIGHEST = -4.0, 2.5
# Of two spreads, the smaller below this part of both together joins the larger: its own steps
# would lie too close for the points above.
_APART: Final = 0.25

# Shifted scores are held inside what answers can show, by this part of the range.
_MARGIN: Final = 0.02


class Hours(NamedTuple):
    """Hours of a day that are alike: how answers fall out, their mean number a bucket, buckets."""

    reference: Reference
    answers: float
    buckets: int


class Day(NamedTuple):
    """A kind of day: its hours in order, and how many such days a week has."""

    hours: tuple[Hours, ...]
    days: int


Week = tuple[Day, ...]
"""The kinds of days of a week; they come one kind after the other."""


class Wobble(NamedTuple):
    """What moves a score without being news, in its unit.

    `daily` is the standard deviation of the true score from day to day, `level` the standard error
    of the level that falls are measured from.
    """

    daily: float = 0.0
    level: float = 0.0


STEADY: Final = Wobble()


def answers_a_day(week: Week) -> float:
    """The mean number of answers."""
    weekly = sum(day.days * sum(h.answers * h.buckets for h in day.hours) for day in week)
    return weekly / sum(day.days for day in week)


def hours_of(week: Week) -> list[Hours]:
    """The kinds of hours, in the order of the lines that weigh their answers."""
    return [hours for day in week for hours in day.hours]


def raises_a_quarter(
    week: Week,
    falls: tuple[Line, ...],
    limit: float,
    wobble: Wobble = STEADY,
    cells: int = CELLS,
) -> float:
    """The expected false alarms in 91 days, each from S = 0, averaged over the wobble."""
    spread = _spread(wobble)
    lines = iter(falls)
    kinds = [(day.days, _whole_day(day, lines, limit, spread.shifts, cells)) for day in week]
    return sum(
        share * QUARTER_DAYS / _days_to_raise([(d, _mixed(whole, mix)) for d, whole in kinds])
        for share, mix in spread.levels
    )


def answers_to_raise(
    week: Week, falls: tuple[Line, ...], limit: float, drop: float, cells: int = CELLS
) -> float:
    """The mean answers from S = 0 to a raise once the score is `drop` lower, at any hour."""
    lines = iter(falls)
    buckets = sum(day.days * h.buckets for day in week for h in day.hours)
    chances = np.zeros((cells, cells))
    for day in week:
        for hours in day.hours:
            part = day.days * hours.buckets / buckets
            steps = _steps(hours, next(lines))
            chances += (
                part * transitions(steps, _lowered(hours.reference, (drop,)), limit, cells)[0]
            )
    per_bucket = sum(d.days * h.buckets * h.answers for d in week for h in d.hours) / buckets
    return float(expected_steps(chances)[0]) * per_bucket


class _Spread(NamedTuple):
    """By how much the score may lie lower, and how often each shift comes at each level.

    `levels` are the shares of the possible levels, each with the daily chances of the shifts.
    """

    shifts: tuple[float, ...]
    levels: tuple[tuple[float, Floats], ...]


@cache
def _spread(wobble: Wobble) -> _Spread:
    both = math.hypot(wobble.daily, wobble.level)
    if not both:
        return _Spread((0.0,), ((1.0, np.ones(1)),))
    places = np.linspace(_LOWEST, _HIGHEST, _SHIFTS)
    shifts = tuple((-places * both).tolist())
    everyday = _bell(places)
    if wobble.level < _APART * both:
        return _Spread(shifts, ((1.0, everyday),))
    if wobble.daily < _APART * both:
        alone = zip(everyday, np.eye(_SHIFTS), strict=True)
        return _Spread(shifts, tuple([(float(share), mix) for share, mix in alone]))
    levels = _bell(places * both / wobble.level)
    mixes = [_bell((places - at) * both / wobble.daily) for at in places]
    return _Spread(shifts, tuple([(float(s), m) for s, m in zip(levels, mixes, strict=True)]))


def _bell(deviations: Floats) -> Floats:
    density = np.exp(-(deviations**2) / 2)
    return np.asarray(density / density.sum())


def _whole_day(
    day: Day, lines: Iterator[Line], limit: float, shifts: tuple[float, ...], cells: int
) -> Floats:
    """The chances over one day at each shift of the score: [shift, from, to]."""
    whole = np.broadcast_to(np.eye(cells), (len(shifts), cells, cells))
    for hours in day.hours:
        steps = _steps(hours, next(lines))
        if steps.answers > 0:
            chances = transitions(steps, _lowered(hours.reference, shifts), limit, cells)
            whole = whole @ np.linalg.matrix_power(chances, hours.buckets)
    return whole


def _mixed(whole: Floats, mix: Floats) -> Floats:
    """A day whose shift is drawn with these chances."""
    return np.asarray(np.tensordot(mix, whole, 1))


def _days_to_raise(kinds: list[tuple[int, Floats]]) -> float:
    """The expected days from S = 0 at the start of a week to a raise."""
    if len(kinds) == 1:
        return float(expected_steps(kinds[0][1])[0])
    cells = kinds[0][1].shape[0]
    week, begun = np.eye(cells), np.zeros(cells)
    for days, chances in kinds:
        for _ in range(days):
            begun += week.sum(axis=1)
            week = week @ chances
    return float(expected_steps(week, begun)[0])


def _steps(hours: Hours, line: Line) -> Steps:
    return Steps.of(hours.answers, line, hours.reference.x)


@lru_cache(maxsize=256)
def _lowered(reference: Reference, shifts: tuple[float, ...]) -> Floats:
    """How answers fall out where the score lies so much lower, held inside their reach."""
    margin = _MARGIN * (max(reference.x) - min(reference.x))
    low, high = min(reference.x) + margin, max(reference.x) - margin
    return tilted(reference, np.clip(reference.score - np.array(shifts), low, high))
