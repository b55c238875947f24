"""The perception gap: a promise kept by the clock while customers see red ("watermelon").

An SLA is green outside; the score that the same customers give is red inside. `watermelon` is said
only where the delivered score is green, as its board shows it, and the perceived one is red by
more than chance. The page for it comes with the perceived score's own alert rule, which has a
budget of false alarms: looking again and again at an interval has none.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from streams.scores.scores import Score

GapState = Literal["watermelon", "seen", "aligned", "unknown"]
"""The first that holds, from the last on:

- `unknown`: one side has too few answers;
- `watermelon`: delivered is green, and perceived red by more than chance;
- `seen`: perceived is red by more than chance, and delivered is not green: both say so;
- `aligned`: perceived is not red by more than chance.
"""


GAP_STATES: Final[tuple[GapState, ...]] = ("unknown", "watermelon", "seen", "aligned")


class Line(NamedTuple):
    """Where a score turns green, or red, and which side is better."""

    score: float
    lower_is_better: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` is on the good side of the line, or on it."""
        return value <= self.score if self.lower_is_better else value >= self.score

    def missed(self, score: Score) -> bool:
        """Whether all of a score's interval lies on the bad side of the line."""
        nearest = score.lower if self.lower_is_better else score.upper
        return nearest is not None and not self.holds(nearest)


def gap_state(
    delivered: Score, green: Line, perceived: Score, red: Line, min_answers: int
) -> GapState:
    """What the two scores of one segment and window say of each other.

    `green` is the line of the delivered score's target, `red` that of the perceived one's floor.
    """
    if min(delivered.answers, perceived.answers) < max(min_answers, 1):
        return "unknown"
    if not red.missed(perceived):
        return "aligned"
    assert delivered.value is not None  # noqa: S101 - it has answers
    return "watermelon" if green.holds(delivered.value) else "seen"


def gap_points(delivered: Score, perceived: Score, correlation: float = 0.0) -> Score | None:
    """Delivered minus perceived, both in percent, with its interval; None while one has no answers.

    By the square-and-add rule with the correlation of the two (Newcombe 1998, Statistics in
    Medicine 17:2635-2650). Where the same customers stand behind both, and those whom the promise
    was kept are happier, the correlation is positive: 0 then gives an interval that is too wide,
    never too narrow. `answers` are those of the side that has fewer.
    """
    here, there = _Side.of(delivered), _Side.of(perceived)
    if here is None or there is None:
        return None
    difference = here.value - there.value
    lower = difference - _length(here.down, there.up, correlation)
    upper = difference + _length(here.up, there.down, correlation)
    return Score(min(delivered.answers, perceived.answers), difference, lower, upper)


class _Side(NamedTuple):
    """A score, and how far its interval reaches to either side."""

    value: float
    down: float
    up: float

    @classmethod
    def of(cls, score: Score) -> _Side | None:
        if score.value is None or score.lower is None or score.upper is None:
            return None
        return cls(score.value, score.value - score.lower, score.upper - score.value)


def _length(one: float, other: float, correlation: float) -> float:
    # Above 0 but for rounding.
    return math.sqrt(max(one * one - 2 * correlation * one * other + other * other, 0.0))
