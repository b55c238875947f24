"""Shares and nets: the score, and its interval, of answers that are worth 0 or 1, or -1, 0 or 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streams.explanation.steps import Line, Step, calculation
from streams.statistics.intervals import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.scores.scores import Score


class Certainty(NamedTuple):
    """The confidence of an interval, and how many answers count as one independent answer."""

    confidence: float
    design_effect: float

    @property
    def quantile(self) -> Iterator[Line]:
        """The normal quantile."""
        z = normal_quantile(self.confidence)
        yield f"z = {z:.6g}, from a table of the normal distribution ({self.confidence:.4g})"

    def lines(self, answers: float) -> Iterator[Line]:
        """The normal quantile, and the independent answers."""
        yield from self.quantile
        if self.design_effect != 1:
            effect = self.design_effect
            yield "The same customers answer again, so answers count as fewer:"
            yield calculation("n", "{a} ÷ {e}", answers / effect, a=answers, e=effect)


def share_steps(successes: int, answers: int, found: Score, sure: Certainty) -> Iterator[Step]:
    """A share in percent, and Wilson's interval."""
    yield Step(
        "Score",
        (calculation("score", "100 × {k} ÷ {n}", _value(found), "%", k=successes, n=answers),),
    )
    share = successes / answers
    lines = [
        "Wilson (1927): the shares that the answers do not speak against.",
        *sure.lines(answers),
        calculation("p", "{k} ÷ {n}", share, k=successes, n=answers),
        *wilson_lines(share, answers / sure.design_effect, found, sure.confidence),
    ]
    yield Step("Interval", tuple(lines))


def wilson_lines(share: float, answers: float, found: Score, confidence: float) -> Iterator[Line]:
    """The bounds of a share of `answers`, in percent."""
    z = normal_quantile(confidence)
    centre = share + z * z / (2 * answers)
    half = z * math.sqrt(share * (1 - share) / answers + z * z / (4 * answers**2))
    shrink = 1 + z * z / answers
    given = {"p": share, "z": z, "n": answers}
    yield calculation("centre", "{p} + {z}² ÷ (2 × {n})", centre, **given)
    yield calculation("half", "{z} × √({p} × (1 − {p}) ÷ {n} + {z}² ÷ (4 × {n}²))", half, **given)
    yield calculation("shrink", "1 + {z}² ÷ {n}", shrink, **given)
    ends = {"c": centre, "h": half, "s": shrink}
    if found.lower is not None and found.upper is not None:
        yield calculation("lower", "100 × ({c} − {h}) ÷ {s}", found.lower, "%", **ends)
        yield calculation("upper", "100 × ({c} + {h}) ÷ {s}", found.upper, "%", **ends)


class Worth(NamedTuple):
    """Answers from -1 to 1: how many, their sum and sum of squares, and what 1 is shown as."""

    answers: int
    total: float
    squares: float
    unit: int


def net_steps(worth: Worth, found: Score, sure: Certainty) -> Iterator[Step]:
    """A net or a mean of sentiment, and its adjusted Wald interval."""
    given = {"u": worth.unit, "t": worth.total, "n": worth.answers}
    score: list[Line] = [calculation("score", "{u} × {t} ÷ {n}", _value(found), **given)]
    if worth.unit != 1:
        good, bad = (worth.squares + worth.total) / 2, (worth.squares - worth.total) / 2
        score.insert(0, calculation("good − bad", "{g} − {b}", worth.total, g=good, b=bad))
    yield Step("Score", tuple(score))
    effect = sure.design_effect
    answers, total, squares = (each / effect for each in worth[:3])
    padded = answers + 3
    centre = total / padded
    variance = ((squares + 1.5) / padded - centre * centre) / padded
    z = normal_quantile(sure.confidence)
    half = z * math.sqrt(variance)
    lines = [
        "Adjusted Wald (Rocks 2016): three answers are added, ¾ at −1, 1½ at 0 and ¾ at 1.",
        *sure.lines(worth.answers),
        calculation("m", "{n} + 3", padded, n=answers),
        calculation("centre", "{t} ÷ {m}", centre, t=total, m=padded),
        calculation(
            "variance", "(({q} + 1.5) ÷ {m} − {c}²) ÷ {m}", variance,
            q=squares, m=padded, c=centre,
        ),
        calculation("half", "{z} × √({v})", half, z=z, v=variance),
        *_net_bounds(worth.unit, centre, half, found),
    ]  # fmt: skip
    yield Step("Interval", tuple(lines))


def _net_bounds(unit: int, centre: float, half: float, found: Score) -> Iterator[Line]:
    for name, sign, shown, kept in (
        ("lower", "−", found.lower, -unit),
        ("upper", "+", found.upper, unit),
    ):
        exact = unit * (centre + half if sign == "+" else centre - half)
        yield calculation(name, f"{{u}} × ({{c}} {sign} {{h}})", exact, u=unit, c=centre, h=half)
        if shown is not None and not math.isclose(shown, exact, rel_tol=1e-9, abs_tol=1e-12):
            why = f"the scale ends at {kept}" if shown == kept else "the interval holds the score"
            yield f"shown as {shown:.6g}: {why}"


def _value(found: Score) -> float:
    """The score; there is one wherever there are answers to explain it by."""
    if found.value is None:
        raise ValueError("there is no score to explain")
    return found.value
