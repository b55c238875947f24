"""Consistency: how far the best segment lies above the worst."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from streams.explanation.steps import Line, Step, calculation, plain
from streams.scores.consistency import segment_spread
from streams.scores.samples import sample
from streams.statistics.heterogeneity import SegmentScore, difference, simultaneous_confidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.explanation.shares import Certainty
    from streams.kpis.combined import ConsistencyOf
    from streams.ledger.layout import Measure
    from streams.scores.scores import Score, Tally


def spread_steps(
    formula: ConsistencyOf, measure: Measure, tally: Tally, found: Score, sure: Certainty
) -> Iterator[Step]:
    """The segments that are compared, the distance, and the pairs that give its bounds."""
    spread = segment_spread(formula, measure, tally, sample)
    thinned = spread.thinned(sure.design_effect)
    each = simultaneous_confidence(sure.confidence, len(spread.segments))
    segments = [
        SegmentScore(name, value, *one.interval(each))
        for name, one in thinned.segments
        if (value := one.value) is not None
    ]
    if found.value is None or found.lower is None or found.upper is None:
        yield Step("Score", ("Fewer than two segments have enough answers to be compared.",))
        return
    values = [one.value for one in segments]
    lines: list[Line] = [f"{one.name}: {plain(one.value)}" for one in segments]
    lines.append(calculation("score", "{h} − {l}", found.value, h=max(values), l=min(values)))
    yield Step(f"Score, of {formula.of.name} by {formula.by}", tuple(lines))
    chance = plain(thinned.test.p_value)
    yield Step(
        "Interval",
        (
            f"Any two of {len(segments)} segments may be furthest apart, so all intervals hold",
            f"together: for a confidence of {sure.confidence:.4g} each has {each:.6g}.",
            *[f"{one.name}: {plain(one.lower)} to {plain(one.upper)}" for one in segments],
            *_bounds(segments, found.lower, found.upper),
            f"Chance alone gives differences as great with a probability of {chance} (G-test).",
        ),
    )


def _bounds(segments: list[SegmentScore], lower: float, upper: float) -> Iterator[Line]:
    """The bounds, of the pairs that lie furthest apart."""
    pairs = list(permutations(segments, 2))
    above, below = max(pairs, key=lambda pair: difference(*pair).lower)
    if lower > 0:
        yield f"Surely, {above.name} lies above {below.name} by at least:"
        yield calculation(
            "lower", "({a} − {b}) − √(({a} − {al})² + ({bu} − {b})²)", lower,
            a=above.value, b=below.value, al=above.lower, bu=below.upper,
        )  # fmt: skip
    else:
        yield "lower = 0: no segment surely lies above another"
    above, below = max(pairs, key=lambda pair: difference(*pair).upper)
    yield f"{above.name} lies above {below.name} by at most:"
    yield calculation(
        "upper", "({a} − {b}) + √(({au} − {a})² + ({b} − {bl})²)", upper,
        a=above.value, b=below.value, au=above.upper, bl=below.lower,
    )  # fmt: skip
