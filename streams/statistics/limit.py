"""The limit of a CUSUM that keeps a budget of false alarms, and sees the declared drop soonest.

Chance alone raises any CUSUM in the end; the higher the limit, the later. Against scores that move
from day to day a higher limit alone is slow, so `design` also tries a dead band, a part of the drop
that speaks neither for nor against it, and takes the one with the shortest delay. Where no limit
keeps the budget it says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.statistics.false_alarms import (
    CELLS,
    QUARTER_DAYS,
    STEADY,
    answers_a_day,
    answers_to_raise,
    hours_of,
    raises_a_quarter,
)
from streams.statistics.tilt import ratio, recovery_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.statistics.false_alarms import Week, Wobble
    from streams.statistics.tilt import Line

DEAD_BANDS: Final = (0.0, 0.2, 0.4, 0.6)
"""The parts of the drop that are tried as a dead band."""

# As many as `false_alarms.CELLS` would take a second or two; 64 give .93 to .98 of the alarms.
_CELLS_WITH_WOBBLE: Final = 64

# A limit beyond this stands for evidence that no real drop ever needs.
_HIGHEST_LIMIT: Final = 200.0
_LOWEST_LIMIT: Final = 0.3
# Half a percent of the false alarms: far below what the estimates of their causes can tell.
_TOLERANCE: Final = 0.005
_MOST_TRIES: Final = 40


class NoLimit(ValueError):
    """No limit keeps the budget; the message says why, for a person."""


class Design(NamedTuple):
    """A CUSUM ready to run. `drop` and `dead_band` are in the score's unit.

    `falls` and `recoveries` are the lines of each kind of hours, in the order of the week's days
    and hours. `delay` is the mean number of answers from the drop to the alarm.
    """

    drop: float
    dead_band: float
    limit: float
    clear: float
    delay: float
    falls: tuple[Line, ...]
    recoveries: tuple[Line, ...]


def design(
    week: Week, drop: float, raises: float, wobble: Wobble = STEADY, cells: int | None = None
) -> Design:
    """The CUSUM that sees `drop` soonest at so many false `raises` a quarter. Raises `NoLimit`."""
    fallen = min(h.reference.score for h in hours_of(week)) - drop
    if not all(h.reference.within_reach(h.reference.score - drop) for h in hours_of(week)):
        raise NoLimit(f"a score of {fallen:g} lies beyond the lowest answer")
    if cells is None:
        cells = CELLS if wobble == STEADY else _CELLS_WITH_WOBBLE
    found = [
        tried
        for part in (DEAD_BANDS if wobble != STEADY else (0.0,))
        if (tried := _designed(week, drop, part * drop, raises, wobble, cells)) is not None
    ]
    if not found:
        raise NoLimit("the declared drop lies within what the score moves from day to day anyway")
    return min(found, key=lambda each: each.delay)


def _designed(
    week: Week, drop: float, dead_band: float, raises: float, wobble: Wobble, cells: int
) -> Design | None:
    falls = tuple([ratio(h.reference, dead_band, drop) for h in hours_of(week)])
    limit = solve_limit(week, falls, raises, wobble, cells)
    if limit is None:
        return None
    return Design(
        drop=drop,
        dead_band=dead_band,
        limit=limit,
        clear=limit / 2,
        delay=answers_to_raise(week, falls, limit, drop, cells),
        falls=falls,
        recoveries=tuple([recovery_ratio(h.reference, drop) for h in hours_of(week)]),
    )


def solve_limit(
    week: Week,
    falls: tuple[Line, ...],
    raises: float,
    wobble: Wobble = STEADY,
    cells: int = CELLS,
) -> float | None:
    """The limit that keeps `raises` a quarter; None where none does."""

    def excess(limit: float) -> float:
        rate = raises_a_quarter(week, falls, limit, wobble, cells)
        return math.log(max(rate, 1e-12) / raises)

    return _root_of_falling(excess, _first_guess(week, falls, raises))


def _root_of_falling(excess: Callable[[float], float], guess: float) -> float | None:
    """Where `excess` of the limit is 0: nearly straight, and falling by about 1 for each 1.

    From `guess` steps of that slope, doubled each time, until both sides are known; then regula
    falsi with Illinois' halving (Dowell & Jarratt 1971).
    """
    at = guess
    low = high = at_low = at_high = math.nan
    stretch = 1.0
    for _ in range(_MOST_TRIES):
        found = excess(at)
        if abs(found) < _TOLERANCE or (found < 0 and at <= _LOWEST_LIMIT):
            return at
        if found > 0:
            if at >= _HIGHEST_LIMIT:
                return None
            at_high *= 0.5 if low < at else 1.0
            low, at_low = at, found
        else:
            at_low *= 0.5 if high > at else 1.0
            high, at_high = at, found
        if math.isnan(low) or math.isnan(high):
            step = found * stretch + math.copysign(0.1, found)
            at = min(max(at + step, _LOWEST_LIMIT), _HIGHEST_LIMIT)
            stretch *= 2
        elif high - low < 1e-4:
            return high
        else:
            at = (low * at_high - high * at_low) / (at_high - at_low)
    return high if not math.isnan(high) else None


def _first_guess(week: Week, falls: tuple[Line, ...], raises: float) -> float:
    """Wald's: a CUSUM for single answers runs about e^h / (evidence of an answer) answers."""
    answers = answers_a_day(week) * QUARTER_DAYS / raises
    lines = iter(falls)
    drifts = []
    for hours in hours_of(week):
        line = next(lines)
        drifts.append(-line.weight(1, hours.reference.score))
    return min(max(math.log(max(answers * max(*drifts, 1e-6), 1.0)) - 0.7, 1.0), 12.0)
