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
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from streams.scores.volume_hours import HOUR, MOST_WEEKS, SPANS, WEEK_HOURS
from streams.statistics.volume import look_level

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from streams.scores.volume_hours import Hours
    from streams.statistics.volume import Expected

REPLAYED_HOURS: Final = WEEK_HOURS

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
    """Whose hours, how many false alarms a quarter are acceptable, and how many weeks are kept."""

    zone: ZoneInfo
    false_alarms_per_quarter: float
    weeks: int = MOST_WEEKS


class Look(NamedTuple):
    """One span up to one hour's end. `tail` is 1 where it is not far from what is expected."""

    hours: int
    answers: int
    expected: Expected
    tail: float
    ordinary: bool
    tells_silence: bool

    @classmethod
    def of(cls, hours: int, answers: int, expected: Expected) -> Look:
        """What so many answers say; `ordinary`: neither few nor many."""
        tail, mean = expected.tail(answers), expected.mean
        few = answers * FAR < mean
        many = mean >= _RISE_FROM and answers > mean * FAR
        return cls(
            hours,
            answers,
            expected,
            tail if few or many else 1.0,
            ordinary=tail >= ORDINARY,
            tells_silence=expected.tail(0) < ORDINARY,
        )


Looks = Sequence[Look]


def looks_at(hours: Hours, at: int) -> Looks:
    """The spans that end at `at` (hours since 1970), of those with enough earlier weeks."""
    return tuple([Look.of(*span) for span in hours.spans(at)])


def replayed(end: float) -> range:
    """The ends of the hours that are replayed for a window that ends at `end` (Unix seconds)."""
    last = math.floor(end / HOUR)
    return range(last - REPLAYED_HOURS + 1, last + 1)


def volume_verdict(rule: VolumeRule, looks: Iterable[tuple[int, Looks]]) -> VolumeVerdict | None:
    """The verdict after all `looks`, each with the end of its hour. None: too little history."""
    verdict = None
    for at, found in looks:
        verdict = _after(rule, found, at, verdict)
    return verdict


def _after(
    rule: VolumeRule, looks: Looks, at: int, verdict: VolumeVerdict | None
) -> VolumeVerdict | None:
    """The verdict once the hour that ends at `at` is complete."""
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
        falls = look.answers < look.expected.mean
        direction, since = "fall" if falls else "rise", at * HOUR
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
