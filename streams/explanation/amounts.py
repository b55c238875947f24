"""Amounts: a mean, a sum, or the ratio of two sums, and their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streams.explanation.steps import Line, Step, calculation
from streams.statistics.amounts import PADDING, relative_error, student_from_normal
from streams.statistics.intervals import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.explanation.shares import Certainty
    from streams.scores.amounts import Amounts, SumRatio
    from streams.scores.scores import Score

_NOTHING_YET = (
    "Without an amount above 0 the interval is that of no success (Wilson), times the most."
)
_PADDED = "A quarter of an answer as far from the mean as the mean is from 0 is added."


def amount_mean_steps(given: Amounts, found: Score, sure: Certainty) -> Iterator[Step]:
    """The mean, and an interval whose standard error grows with the mean that is tried."""
    mean = given.total / given.answers
    score = calculation("score", "{s} ÷ {n}", mean, s=given.total, n=given.answers)
    yield Step("Score", (score,))
    if mean <= 0:
        yield Step("Interval", (_NOTHING_YET,))
        return
    deviations = given.squares - given.total * mean
    lines: list[Line] = [
        _PADDED,
        calculation(
            "deviations", "{q} − {s} × {m}", deviations, q=given.squares, s=given.total, m=mean
        ),
        *_error(given.answers, deviations, mean, sure),
    ]
    step = _step(given.answers, deviations, mean, sure)
    lines.append(calculation("lower", "{m} ÷ (1 + {s})", mean / (1 + step), m=mean, s=step))
    if step < 1:
        lines.append(calculation("upper", "{m} ÷ (1 − {s})", mean / (1 - step), m=mean, s=step))
    if found.upper == given.most:
        lines.append(f"upper is at most {given.most:g}, the greatest amount that is declared")
    yield Step("Interval", tuple(lines))


def amount_sum_steps(given: Amounts, sure: Certainty) -> Iterator[Step]:
    """The sum, and what a window like this one brings on average."""
    yield Step("Score", (f"score = {given.total:.12g}, the sum of {given.answers:g} amounts",))
    if given.total <= 0:
        yield Step("Interval", (_NOTHING_YET,))
        return
    squares = given.squares * sure.design_effect
    size = squares / given.total
    number, freedom = given.total / size, given.answers / sure.design_effect
    t = student_from_normal(normal_quantile(sure.confidence), freedom)
    half, centre = t * math.sqrt(number + t * t / 4), number + t * t / 2
    ends = {"s": size, "c": centre, "h": half}
    yield Step(
        "Interval",
        (
            "How many amounts come is chance too; it is as if all were equally large.",
            *sure.lines(given.answers),
            f"t = {t:.6g}, Student's t that stands for z with {freedom:.6g} degrees of freedom",
            calculation("size", "{q} ÷ {s}", size, q=squares, s=given.total),
            calculation("number", "{s} ÷ {z}", number, s=given.total, z=size),
            calculation("half", "{t} × √({n} + {t}² ÷ 4)", half, t=t, n=number),
            calculation("centre", "{n} + {t}² ÷ 2", centre, t=t, n=number),
            calculation(
                "lower", "{s} × {n}² ÷ ({c} + {h})", size * (centre - half), n=number, **ends
            ),
            calculation("upper", "{s} × ({c} + {h})", size * (centre + half), **ends),
        ),
    )


def ratio_steps(given: SumRatio, sure: Certainty) -> Iterator[Step]:
    """The ratio of two sums, and the delta method on its logarithm."""
    above, line, unit = given.above.total, given.line.total, given.unit
    answers = given.line.answers
    score = calculation("score", "{u} × {a} ÷ {b}", unit * above / line, u=unit, a=above, b=line)
    yield Step("Score", (score,))
    if not above:
        yield Step("Interval", (_NOTHING_YET,))
        return
    ratio, mean = above / line, above / answers
    residuals = given.above.squares - 2 * ratio * given.products + ratio**2 * given.line.squares
    step = _step(answers, residuals, mean, sure)
    ends = {"u": unit, "r": ratio, "s": step}
    yield Step(
        "Interval",
        (
            "Cochran (1977): how far the amounts above lie from ratio × those below.",
            _PADDED,
            calculation("ratio", "{a} ÷ {b}", ratio, a=above, b=line),
            calculation(
                "deviations", "{q} − 2 × {r} × {p} + {r}² × {b}", residuals,
                q=given.above.squares, r=ratio, p=given.products, b=given.line.squares,
            ),
            calculation("mean", "{a} ÷ {n}", mean, a=above, n=answers),
            *_error(answers, residuals, mean, sure),
            calculation("lower", "{u} × {r} × e^(−{s})", unit * ratio * math.exp(-step), **ends),
            calculation("upper", "{u} × {r} × e^{s}", unit * ratio * math.exp(step), **ends),
        ),
    )  # fmt: skip


def _error(counted: float, deviations: float, mean: float, sure: Certainty) -> Iterator[Line]:
    """The relative standard error, and Student's t times it."""
    answers, deviations = (each / sure.design_effect for each in (counted, deviations))
    freedom = answers - 1 + PADDING
    t = student_from_normal(normal_quantile(sure.confidence), freedom)
    error = relative_error(answers, deviations, mean)
    yield from sure.lines(counted)
    if sure.design_effect != 1:
        yield f"deviations are divided by {sure.design_effect:g} too: {deviations:.6g}"
    yield calculation("freedom", "{n} − 1 + 0.25", freedom, n=answers)
    yield f"t = {t:.6g}, Student's t that stands for z with this freedom"
    yield calculation(
        "error", "√(({d} ÷ {m}² + 0.25) ÷ ({f} × {n}))", error,
        d=max(deviations, 0.0), m=mean, f=freedom, n=answers,
    )  # fmt: skip
    yield calculation("step", "{t} × {e}", t * error, t=t, e=error)


def _step(counted: float, deviations: float, mean: float, sure: Certainty) -> float:
    answers = counted / sure.design_effect
    t = student_from_normal(normal_quantile(sure.confidence), answers - 1 + PADDING)
    return t * relative_error(answers, deviations / sure.design_effect, mean)
