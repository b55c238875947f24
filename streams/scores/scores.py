"""Scores: what a tally of answers says about a KPI, and how sure that is.

Nothing is rounded here. The interval shown and the evidence against a floor come from the same
test, so a score whose upper bound lies below the floor always has evidence above 1.96, and the
other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.scores.samples import TEN_THOUSAND, Tally, sample
from streams.statistics.intervals import probability

if TYPE_CHECKING:
    from streams.kpis.combined import Resolved
    from streams.ledger.layout import Measure

__all__ = [
    "NOBODY",
    "TEN_THOUSAND",
    "Score",
    "Tally",
    "answers",
    "below",
    "probability_below",
    "score",
]


class Score(msgspec.Struct, frozen=True):
    """A score with its interval, in the formula's unit; all None where nobody answered.

    They are None also where there are answers, but not those that the score needs: a part of a
    composite is missing, or the sum below a ratio's line is 0.

    The interval lies on the formula's scale and holds the score.
    """

    answers: int
    value: float | None
    lower: float | None
    upper: float | None


NOBODY = Score(answers=0, value=None, lower=None, upper=None)


def score(
    formula: Resolved,
    measure: Measure,
    tally: Tally,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> Score:
    """The score of `tally` by `formula`; `measure` must be the one that the formula names.

    Units: `top_box` and `share` in percent, `net` in points from -100 to 100, `mean` on the
    measure's scale or in percent of its range, sentiment's `mean` from -1 to 1, a `composite` in
    percent, `sum` and `mean` of amounts in their unit.
    With a `design_effect` of 2 the interval is as wide as that of half as many answers.
    """
    found = sample(formula, measure, tally)
    if not found.answers:
        return NOBODY
    value = found.value
    if value is None:
        return Score(int(found.answers), None, None, None)
    lower, upper = found.thinned(design_effect).interval(confidence)
    # One promoter scores 100, and the interval of Rocks (2016) ends at 98.5.
    return Score(int(found.answers), value, min(lower, value), max(upper, value))


def below(
    formula: Resolved, measure: Measure, tally: Tally, floor: float, design_effect: float = 1.0
) -> float:
    """Evidence that the true score lies below `floor`, as a one-sided z; `floor` in score's unit.

    Negative where the score lies above. 0 without answers; infinite only where `floor` is an end
    of the scale, which a single answer can disprove.
    """
    return sample(formula, measure, tally).thinned(design_effect).below(floor)


def answers(formula: Resolved, measure: Measure, tally: Tally) -> int:
    """How many answers stand behind the score."""
    return int(sample(formula, measure, tally).answers)


def probability_below(evidence: float) -> float:
    """P(true score below floor) for the evidence of `below`: .5 where there is none."""
    return probability(evidence)
