"""Formulas over several measures, with all that they need to be computed from a tally.

The KPI file writes a composite of other KPIs by their names, and a ratio of two measures by theirs.
Here the names are replaced by what they stand for. The cells of such a formula are those of its
measures, and those of each pair of them that the same customer may have answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from streams.kpis.formulas import (
    ANY_AMOUNT,
    PERCENT,
    Composite,
    Formula,
    Range,
    Ratio,
    Sentiment,
    Written,
    score_range,
)
from streams.ledger.joints import joint_id, ordered_pair
from streams.ledger.layout import SENTIMENT, Measure

SENTIMENT_MEASURE = Measure(SENTIMENT, "sentiment")


class RatioOf(NamedTuple):
    """The sum of `of` over the sum of `to`."""

    of: Measure
    to: Measure
    as_percent: bool

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What it counts."""
        return (self.of, self.to)


class Part(NamedTuple):
    """A KPI within a composite; `measure` is the one that its formula names, if it names one."""

    name: str
    weight: float
    formula: Formula | CompositeOf
    measure: Measure | None

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What it counts."""
        if isinstance(self.formula, CompositeOf):
            return self.formula.measures
        return (self.measure,) if self.measure else ()


class CompositeOf(NamedTuple):
    """The weighted mean of `parts`, each in percent of its range."""

    parts: tuple[Part, ...]
    renormalise: bool

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What it counts, each measure once."""
        return tuple(dict.fromkeys(m for part in self.parts for m in part.measures))


Resolved = Formula | RatioOf | CompositeOf
"""Any formula, ready to be computed."""


def measures_of(formula: Resolved, measure: Measure) -> tuple[Measure, ...]:
    """The measures that a formula counts; `measure` is the one that a formula over one names."""
    return formula.measures if isinstance(formula, RatioOf | CompositeOf) else (measure,)


def joined_pairs(formula: Resolved) -> Iterator[tuple[Measure, Measure]]:
    """The pairs of measures of which it must be known how they were answered together."""
    if isinstance(formula, RatioOf | CompositeOf):
        for one, other in combinations(formula.measures, 2):
            yield ordered_pair(one, other)


def cells_of(formula: Resolved, measure: Measure) -> tuple[str, ...]:
    """The names of all that it counts, as cells have them."""
    pairs = (joint_id(*pair) for pair in joined_pairs(formula))
    return (*(each.cell_id for each in measures_of(formula, measure)), *pairs)


def range_of(formula: Resolved, measure: Measure) -> Range:
    """The scores that a formula can give."""
    match formula:
        case CompositeOf():
            return PERCENT
        case RatioOf():
            return ANY_AMOUNT
    return score_range(formula, measure)


def resolve(
    name: str, written: Mapping[str, Written], measures: Mapping[str, Measure]
) -> tuple[Resolved, Measure] | None:
    """The formula of the KPI `name` and its measure, the first of several.

    None where it names what is not there, or itself: `streams.kpis.references` says so.
    """
    return _resolve(name, written, measures, ())


def _resolve(
    name: str,
    written: Mapping[str, Written],
    measures: Mapping[str, Measure],
    within: tuple[str, ...],
) -> tuple[Resolved, Measure] | None:
    formula = written.get(name)
    if formula is None or name in within:
        return None
    if isinstance(formula, Ratio):
        of, to = measures.get(formula.of), measures.get(formula.to)
        return (RatioOf(of, to, formula.as_percent), of) if of and to else None
    if not isinstance(formula, Composite):
        known = SENTIMENT_MEASURE if isinstance(formula, Sentiment) else None
        measure = known or measures.get(formula.measure)
        return (formula, measure) if measure else None
    parts = []
    for part, weight in formula.parts.items():
        found = _resolve(part, written, measures, (*within, name))
        if found is None:
            return None
        inner, measure = found
        if isinstance(inner, RatioOf):
            return None
        parts.append(Part(part, weight, inner, measure))
    composite = CompositeOf(tuple(parts), formula.missing == "renormalise")
    return composite, composite.measures[0]
