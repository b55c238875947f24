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
    NET,
    PERCENT,
    Composite,
    Consistency,
    Formula,
    Gap,
    Product,
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


class ConsistencyOf(NamedTuple):
    """The spread of `of` between the values of the dimension `by` with at least `min_answers`."""

    of: Part
    by: str
    min_answers: int = 1

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What it counts."""
        return self.of.measures


class GapOf(NamedTuple):
    """A KPI of what was delivered against one of how it is perceived: made of their rows."""

    delivered: str
    perceived: str
    measures: tuple[Measure, ...] = ()


class ProductOf(NamedTuple):
    """Lifetime value: made of the rows of revenue and retention."""

    revenue: str
    active_customers: int
    lifespan_years: float | None
    retention: str | None
    measures: tuple[Measure, ...] = ()


Derived = GapOf | ProductOf
"""Formulas over the rows of other KPIs, which count nothing themselves."""

Combined = RatioOf | CompositeOf | ConsistencyOf | GapOf | ProductOf

Resolved = Formula | Combined
"""Any formula, ready to be computed."""


def measures_of(formula: Resolved, measure: Measure) -> tuple[Measure, ...]:
    """The measures that a formula counts; `measure` is the one that a formula over one names."""
    return formula.measures if isinstance(formula, Combined) else (measure,)


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
        case GapOf():
            return NET
        case RatioOf() | ProductOf():
            return ANY_AMOUNT
        case ConsistencyOf(of=of):
            low, high = range_of(of.formula, measure)
            return Range(0, high - low)
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

    def other(kpi: str) -> tuple[Resolved, Measure] | None:
        return _resolve(kpi, written, measures, (*within, name))

    match formula:
        case Ratio(of=above, to=line):
            of, to = measures.get(above), measures.get(line)
            return (RatioOf(of, to, formula.as_percent), of) if of and to else None
        case Gap() | Product():
            found = other(formula.delivered if isinstance(formula, Gap) else formula.revenue)
            return (_derived(formula), found[1]) if found else None
        case Consistency():
            compared = _part(formula.of, 1.0, other(formula.of))
            if compared is None or compared.measure is None:
                return None
            return ConsistencyOf(compared, formula.by), compared.measure
        case Composite():
            parts = [_part(kpi, weight, other(kpi)) for kpi, weight in formula.parts.items()]
            known = tuple(part for part in parts if part is not None)
            if len(known) < len(parts):
                return None
            composite = CompositeOf(known, formula.missing == "renormalise")
            return composite, composite.measures[0]
        case Sentiment():
            return formula, SENTIMENT_MEASURE
    measure = measures.get(formula.measure)
    return (formula, measure) if measure else None


def _part(name: str, weight: float, found: tuple[Resolved, Measure] | None) -> Part | None:
    """What a composite or a comparison can take; None for what it can't."""
    if found is None:
        return None
    formula, measure = found
    if isinstance(formula, RatioOf | ConsistencyOf | GapOf | ProductOf):
        return None
    return Part(name, weight, formula, measure)


def _derived(formula: Gap | Product) -> Derived:
    if isinstance(formula, Gap):
        return GapOf(formula.delivered, formula.perceived)
    return ProductOf(
        formula.revenue, formula.active_customers, formula.lifespan_years, formula.retention
    )
