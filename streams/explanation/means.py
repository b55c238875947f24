"""Means of ratings: the score, and the interval by empirical likelihood.

Its bounds are found by trying, which no person does by hand; but whether a bound is right can be
checked: the tilt that it was found with is told, and must give the bound and z.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streams.explanation.steps import Line, Step, calculation, operand, sum_of
from streams.statistics.intervals import normal_quantile
from streams.statistics.rating_mean import mean_tilts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.explanation.shares import Certainty
    from streams.kpis.formulas import Mean
    from streams.ledger.layout import Measure
    from streams.scores.scores import Score
    from streams.statistics.rating_mean import Tilted


def rating_mean_steps(
    formula: Mean, measure: Measure, counts: Mapping[int, int], found: Score, sure: Certainty
) -> Iterator[Step]:
    """The mean on the measure's scale or in percent of it, and both bounds."""
    low, high = measure.low, measure.high
    answers = sum(counts.values())
    mean = sum([rating * count for rating, count in counts.items()]) / answers
    total = sum_of([f"{rating} × {count}" for rating, count in counts.items() if count])
    score: list[Line] = [calculation("mean", f"({total}) ÷ {{n}}", mean, n=answers)]
    if formula.as_percent:
        value = 100 * (mean - low) / (high - low)
        score.append(_percent("score", "m", value, low, high, m=mean))
    yield Step("Score", tuple(score))
    effective = {rating: count / sure.design_effect for rating, count in counts.items()}
    lower, upper = mean_tilts(effective, low, high, sure.confidence)
    yield Step(
        "Interval",
        (
            "Empirical likelihood (Owen 2001): a bound lies z standard errors from the mean, by",
            "the likeliest distribution with that mean. It weighs answers by 1 ÷ (1 − t × place).",
            *sure.lines(answers),
            *_bound(lower, "lower", sure.confidence),
            _on_scale("lower", formula, lower.bound, measure, found),
            *_bound(upper, "upper", sure.confidence),
            _on_scale("upper", formula, upper.bound, measure, found),
        ),
    )


def _bound(found: Tilted, name: str, confidence: float) -> Iterator[Line]:
    """A bound on places from 0 to 1, which count from the far end of the scale."""
    answers = sum([count for count, _ in found.counts])
    z = normal_quantile(confidence)
    observed = sum_of([f"{operand(c)} × {operand(at)}" for c, at in found.counts if at])
    end = "top" if name == "upper" else "bottom"
    far = "bottom" if name == "upper" else "top"
    yield f"For the {name} bound places run from 0 at the {far} of the scale to 1 at the {end}."
    yield calculation("p", f"({observed}) ÷ {{n}}", found.observed, n=answers)
    if found.tilt is None:
        yield f"It needs answers at the {end} that nobody gave; its variance is (1 − b) × (b − p)."
        yield calculation(
            "b", "1 − (1 − {p}) ÷ (1 + {z}² ÷ {n})", found.bound, p=found.observed, z=z, n=answers
        )
        return
    yield from _check(found, answers)


def _check(found: Tilted, answers: float) -> Iterator[Line]:
    """That the tilt gives a mean b whose standard error is a z-th of its distance to p."""
    tilt = found.tilt or 0.0
    weights = [(count / (1 - tilt * at), at) for count, at in found.counts]
    each = [
        f"{operand(count)} ÷ (1 − {operand(tilt)} × {operand(at)})" if at else operand(count)
        for count, at in found.counts
    ]
    total = math.fsum([weight for weight, _ in weights])
    yield f"t = {operand(tilt)}, found by trying; it is right if the last line gives z:"
    yield calculation("weights", sum_of(each), total)
    firsts = sum_of([f"{operand(w)} × {operand(at)}" for w, at in weights if at])
    yield calculation("b", f"({firsts}) ÷ {{w}}", found.bound, w=total)
    seconds = sum_of([f"{operand(w)} × {operand(at)}²" for w, at in weights if at])
    variance = math.fsum([w * at * at for w, at in weights]) / total - found.bound**2
    yield calculation("variance", f"({seconds}) ÷ {{w}} − {{b}}²", variance, w=total, b=found.bound)
    z = (found.bound - found.observed) / math.sqrt(variance / answers)
    yield calculation(
        "z", "({b} − {p}) ÷ √({v} ÷ {n})", z,
        b=found.bound, p=found.observed, v=variance, n=answers,
    )  # fmt: skip


def _on_scale(name: str, formula: Mean, bound: float, measure: Measure, found: Score) -> Line:
    shown = found.lower if name == "lower" else found.upper
    if shown is None:
        raise ValueError("there is no interval to explain")
    given = {"b": bound, "l": measure.low, "h": measure.high}
    if formula.as_percent:
        template = "100 × {b}" if name == "upper" else "100 × (1 − {b})"
        return calculation(name, template, shown, "%", **given)
    template = "{l} + {b} × ({h} − {l})" if name == "upper" else "{h} − {b} × ({h} − {l})"
    return calculation(name, template, shown, **given)


def _percent(name: str, key: str, value: float, low: int, high: int, **given: float) -> Line:
    template = f"100 × ({{{key}}} − {{l}}) ÷ ({{h}} − {{l}})"
    return calculation(name, template, value, "%", l=low, h=high, **given)
