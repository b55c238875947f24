"""Composites: the weighted mean of their parts, and an interval that knows who answered several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.explanation.shares import wilson_lines
from streams.explanation.steps import Line, Step, calculation, operand, sum_of
from streams.scores.composites import composite_mean, ingredients

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.explanation.shares import Certainty
    from streams.kpis.combined import CompositeOf
    from streams.scores.composites import Counts
    from streams.scores.scores import Score


def composite_steps(
    formula: CompositeOf, counts: Mapping[str, Counts], found: Score, sure: Certainty
) -> Iterator[Step]:
    """The parts that were used, what they add up to, and Wilson's interval."""
    parts = ingredients(formula, counts)
    sample = composite_mean(formula, counts)
    position = sample.position
    if position is None:
        yield Step("Score", ("A part has no answers, and then the KPI file withholds the score.",))
        return
    score: list[Line] = [
        f"{part.measure}: {part.mean:.6g} of its range, {part.answers} answers, "
        f"weight {part.weight:.6g}"
        for part in parts
    ]
    terms = sum_of([f"{operand(part.weight)} × {operand(part.mean)}" for part in parts])
    score.append(calculation("score", f"100 × ({terms})", 100 * position, "%"))
    yield Step("Score", tuple(score))
    thinned = sample.thinned(sure.design_effect)
    alone = sum([part.weight**2 * part.variance for part in parts])
    squares = sum_of([f"{operand(part.weight)}² × {operand(part.variance)}" for part in parts])
    yield Step(
        "Interval",
        (
            "Who answers several parts counts in each, so their means vary together.",
            calculation("parts", squares, alone),
            f"together = {sample.variance - alone:.6g}, of those who answered two parts",
            calculation(
                "variance", "{a} + {t}", sample.variance, a=alone, t=sample.variance - alone
            ),
            *_worth(sample.padded, thinned.variance, thinned.worth, sure),
            *wilson_lines(position, thinned.worth, found, sure.confidence),
        ),
    )


def _worth(padded: float, variance: float, worth: float, sure: Certainty) -> Iterator[Line]:
    """How many answers a share of this variance would have: what the interval is computed with."""
    if sure.design_effect != 1:
        yield f"The same customers answer again: {sure.design_effect:g} times that, {variance:.6g}"
    yield f"p is the score between 0 and 1; with half an answer added at each end, {padded:.6g}"
    yield calculation("n", "{p} × (1 − {p}) ÷ {v}", worth, p=padded, v=variance)
    yield from sure.quantile
