"""The `volume` alert rule: answers fall far below, or rise far above, what the week brings.

A survey tool that fell silent must not look like a quiet night. So each complete hour, and the 6
and 24 hours up to its end, is compared with the same hours of up to 8 earlier weeks:

- raised when so few (or so many) would come by chance less often than the budget allows, and they
  are less than half (more than twice) of what is expected: a shift of a tenth is no alarm, however
  sure it is;
- cleared when the span that raised is ordinary again (a tail of 5 %). Of a fall this must be told
  by answers: where none would be ordinary too, as at night, the verdict stays as it was;
- without three earlier weeks there is no verdict.

All is replayed from the hourly counts: no hidden state.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from streams.scores.volume_hours import HOUR, SPANS, WEEK_HOURS, Hours
from streams.statistics.volume import look_level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from streams.statistics.volume import Expected

_REPLAYED_HOURS: Final = WEEK_HOURS

ORDINARY: Final = 0.05
FAR: Final = 2
"""Less than expected by more than this factor, or more than expected by it."""

# A rise from next to nothing, as of three answers in a night, is no news. (A fall from there can't
# raise: none would be ordinary.)
_RISE_FROM: Final = 5


class VolumeVerdict(msgspec.Struct, frozen=True):
    """What the rule says of the latest complete hour.

    `direction` is None while not raised. `answers` and `expected` are those of the `hours` up to
    `end` that are furthest from ordinary, or of the span that raised. `evidence` raises at
    `limit`: both are powers of ten of a probability. `since` is when `direction` last changed.
    """

    direction: Literal["fall", "rise"] | None
    end: int
    hours: int
    answers: int
    expected: float
    evidence: float
    limit: float
    since: int | None

    @property
    def raised(self) -> bool:
        """Whether answers are far from what is expected."""
        return self.direction is not None


class VolumeRule(NamedTuple):
    """Whose hours, and how many false alarms a quarter are acceptable."""

    zone: ZoneInfo
    false_alarms_per_quarter: float


def volume_verdict(
    rule: VolumeRule, counts: Mapping[int, int], end: float, complete_from: float
) -> VolumeVerdict | None:
    """The verdict at `end` (Unix seconds), from answers by the start of their hour.

    Hours before the first answer, or before `complete_from`, are not history. None: too little.
    """
    last = math.floor(end / HOUR)
    begin = math.ceil(complete_from / HOUR)
    if counts:
        begin = max(begin, min(counts) // HOUR)
    hours = Hours.of(rule.zone, counts, begin, last) if counts and begin < last else None
    verdict = None
    if hours is not None:
        for at in range(last - _REPLAYED_HOURS + 1, last + 1):
            verdict = _after(rule, hours, at, verdict)
    return verdict


class _Look(NamedTuple):
    """One span up to one hour's end. `tail` is 1 where it is not far from what is expected."""

    hours: int
    answers: int
    expected: Expected

    @property
    def falls(self) -> bool:
        return self.answers < self.expected.mean

    @property
    def tail(self) -> float:
        mean = self.expected.mean
        if self.falls:
            far = self.answers * FAR < mean
        else:
            far = mean >= _RISE_FROM and self.answers > mean * FAR
        return self.expected.tail(self.answers) if far else 1.0

    @property
    def ordinary(self) -> bool:
        """Neither few nor many, where few could have been told from none."""
        return self.expected.tail(self.answers) >= ORDINARY

    @property
    def tells_silence(self) -> bool:
        return self.expected.tail(0) < ORDINARY


def _after(
    rule: VolumeRule, hours: Hours, at: int, verdict: VolumeVerdict | None
) -> VolumeVerdict | None:
    """The verdict once the hour that ends at `at` is complete."""
    looks = [_Look(*span) for span in hours.spans(at)]
    if not looks:
        return verdict
    level = look_level(rule.false_alarms_per_quarter, len(SPANS))
    direction = verdict.direction if verdict else None
    since = verdict.since if verdict else None
    look = min(looks, key=lambda each: each.tail)
    if verdict is not None and direction is not None:
        look = next((each for each in looks if each.hours == verdict.hours), look)
        if look.ordinary and (direction == "rise" or look.tells_silence):
            direction, since = None, at * HOUR
    elif look.tail < level:
        look = next(each for each in looks if each.tail < level)
        direction, since = "fall" if look.falls else "rise", at * HOUR
    return VolumeVerdict(
        direction=direction,
        end=at * HOUR,
        hours=look.hours,
        answers=look.answers,
        expected=look.expected.mean,
        evidence=_power(look.tail),
        limit=_power(level),
        since=since,
    )


def _power(probability: float) -> float:
    return -math.log10(max(probability, 1e-300)) or 0.0
