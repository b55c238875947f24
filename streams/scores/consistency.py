"""The sample of a consistency: how far the best segment lies above the worst.

Segments with few answers are left out, and so are `other` and `unknown`, which are none. That the
largest of several scores lies above the smallest is no news; so the interval holds for all pairs
at once, and where a G-test finds no more than chance nothing speaks for a spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from streams.counts.outcomes import outcomes
from streams.events.admission import OTHER, UNKNOWN
from streams.ledger.cells import SEPARATOR
from streams.statistics.heterogeneity import (
    GTest,
    SegmentScore,
    Spread,
    g_test,
    simultaneous_confidence,
    spread,
)
from streams.statistics.intervals import Interval, probability

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.kpis.combined import ConsistencyOf
    from streams.kpis.formulas import Formula
    from streams.ledger.layout import Measure
    from streams.scores.samples import Sample

    Sampler = Callable[[Formula, Measure, Mapping[str, int]], Sample]

# Evidence beyond this is beyond all doubt, and the search for it ends here.
_MOST_EVIDENCE = 8.0
# Halvings of the search: evidence to three digits.
_HALVINGS = 14


class SegmentSpread(NamedTuple):
    """The segments that are compared, and whether they differ by more than chance."""

    answers: float
    segments: tuple[tuple[str, Sample], ...]
    test: GTest

    @property
    def value(self) -> float | None:
        """The distance from the best segment to the worst; None for fewer than two."""
        found = self._spread(0.5)
        return found.value if found else None

    def interval(self, confidence: float) -> Interval:
        """Of the true distance."""
        found = self._spread(confidence)
        return Interval(found.lower, found.upper) if found else Interval(0.0, 0.0)

    def below(self, floor: float) -> float:
        """Evidence, as a one-sided z, that the true distance lies below `floor`."""
        value = self.value
        if value is None:
            return 0.0
        if value > floor:
            if not self.test.more_than_chance:
                return 0.0
            return -self._evidence(lambda found: found.lower > floor)
        return self._evidence(lambda found: found.upper < floor)

    def thinned(self, design_effect: float) -> Self:
        """The segments thinned, each on its own, and the test with them."""
        return self._replace(
            answers=self.answers / design_effect,
            segments=tuple((name, each.thinned(design_effect)) for name, each in self.segments),
            test=self.test.divided(design_effect),
        )

    def _spread(self, confidence: float) -> Spread | None:
        each = simultaneous_confidence(confidence, len(self.segments))
        found = []
        for name, sample in self.segments:
            value = sample.value
            if value is not None:
                lower, upper = sample.interval(each)
                found.append(SegmentScore(name, value, min(lower, value), max(upper, value)))
        return spread(found)

    def _evidence(self, holds: Callable[[Spread], bool]) -> float:
        """The z up to whose confidence an interval says so."""
        low, high = 0.0, _MOST_EVIDENCE
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            found = self._spread(2 * probability(middle) - 1)
            if found and holds(found):
                low = middle
            else:
                high = middle
        return low


def by_segment(tally: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """A tally with a segment before each value as one of each segment."""
    found: dict[str, dict[str, int]] = {}
    for key, count in tally.items():
        segment, _, value = key.partition(SEPARATOR)
        found.setdefault(segment, {})[value] = count
    return found


def segment_spread(
    formula: ConsistencyOf, measure: Measure, tally: Mapping[str, int], sampler: Sampler
) -> SegmentSpread:
    """What `tally`, with a segment before each value, says of a consistency.

    `sampler` makes the sample of one segment.
    """
    inner = formula.of.formula
    tallies = dict(sorted(by_segment(tally).items()))
    samples = {name: sampler(inner, measure, found) for name, found in tallies.items()}  # type: ignore[arg-type]
    named = [name for name in samples if name not in {OTHER, UNKNOWN}]
    kept = [name for name in named if samples[name].answers >= max(formula.min_answers, 1)]
    table = [[*outcomes(inner, measure, tallies[name]).values()] for name in kept]
    counted = kept if len(kept) > 1 else samples
    return SegmentSpread(
        sum(samples[name].answers for name in counted),
        tuple((name, samples[name]) for name in kept),
        g_test(table),
    )
