"""A row of the scoreboard: one KPI, window and segment, with all that is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.counts.outcomes import outcomes
from streams.counts.projection import Group
from streams.kpis.combined import CompositeOf, ConsistencyOf, RatioOf, cells_of
from streams.scores.composites import weights_used
from streams.scores.consistency import segment_spread
from streams.scores.samples import by_measure, sample
from streams.scores.scores import Score, below, probability_below, score
from streams.scores.states import State, state

if TYPE_CHECKING:
    from streams.counts.projection import Segment
    from streams.kpis.combined import Resolved
    from streams.kpis.kpi import Kpi
    from streams.kpis.target import Direction
    from streams.ledger.layout import Measure
    from streams.scores.floor_rule import Verdict
    from streams.scores.gap import GapState
    from streams.scores.scores import Tally

ALL = "all"
"""The breakdown of the total."""

FLOOR_RULE = "floor"


class AlertView(msgspec.Struct, frozen=True):
    """What the alert rule says of a row. `evidence` raises at `limit`; `since` is Unix seconds."""

    rule: str
    severity: str
    raised: bool
    evidence: float
    limit: float
    since: float | None


class Row(msgspec.Struct, frozen=True):
    """One score. `segment` has the breakdown's dimensions in order, each with its value.

    `score`, `lower` and `upper` are in the formula's unit, None without answers. `reason` says why
    the state is stale, in words that change all the time. `target` is what the path to it asks for
    today. `alert` is None where no rule judges. `direction` says which way is better. `parts` has
    the weight that each part of a composite has in the score, 0 for a missing one. `chance` is how
    probable differences between segments as great as these are by chance alone. `gap` says of a
    perception gap what the two scores say of each other.
    """

    kpi: str
    window: str
    breakdown: str
    segment: tuple[tuple[str, str], ...]
    answers: int
    score: float | None
    lower: float | None
    upper: float | None
    state: State
    reason: str | None
    target: float
    floor: float | None
    benchmarks: dict[str, float]
    outcomes: dict[str, int]
    alert: AlertView | None
    direction: Direction = "higher"
    parts: dict[str, float] = {}
    chance: float | None = None
    gap: GapState | None = None


class Place(NamedTuple):
    """Where rows stand: a KPI with its measure, a window and a breakdown (`()`: the total)."""

    kpi: Kpi
    measure: Measure
    window: str
    breakdown: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str, str]:
        """The KPI, the window and the breakdown, as its rows have them."""
        return self.kpi.name, self.window, breakdown_label(self.breakdown)

    @property
    def span_name(self) -> str:
        """Its window as counts know it: those of what matures end earlier."""
        matures = self.kpi.matures
        return f"{self.window} before {matures.name}" if matures else self.window

    @property
    def group(self) -> Group:
        """The tallies its rows are computed from."""
        formula = self.kpi.formula
        cells = cells_of(formula, self.measure)
        by = formula.by if isinstance(formula, ConsistencyOf) else ""
        # A composite of two views of one measure counts one, and is still told by measure.
        joined = cells if isinstance(formula, CompositeOf | RatioOf) else ()
        return Group(cells[0], self.breakdown, joined, by)


class Scored(NamedTuple):
    """All that a tally alone says of a KPI; `probability_below` is None without a floor.

    Where lower is better it is the probability of a true score above the floor.
    """

    score: Score
    probability_below: float | None
    outcomes: dict[str, int]
    parts: dict[str, float]
    chance: float | None = None


def scored(kpi: Kpi, measure: Measure, tally: Tally) -> Scored:
    """What `tally` says of `kpi`; `measure` is the one that its formula names."""
    formula, floor, effect = kpi.formula, kpi.floor, kpi.design_effect
    evidence = None
    if floor is not None:
        evidence = below(formula, measure, tally, floor, effect)
        evidence = -evidence if kpi.lower_is_better else evidence
    return Scored(
        score(formula, measure, tally, kpi.confidence, effect),
        None if evidence is None else probability_below(evidence),
        outcomes(formula, measure, tally),
        weights_used(formula, by_measure(tally)) if isinstance(formula, CompositeOf) else {},
        _chance(formula, measure, tally, effect),
    )


def _chance(
    formula: Resolved, measure: Measure, tally: Tally, design_effect: float
) -> float | None:
    if not isinstance(formula, ConsistencyOf):
        return None
    found = segment_spread(formula, measure, tally, sample).thinned(design_effect)
    return found.test.p_value if found.test.degrees_of_freedom else None


def make_row(
    place: Place,
    segment: Segment,
    found: Scored,
    *,
    reason: str | None = None,
    verdict: Verdict | None = None,
    target: float | None = None,
) -> Row:
    """The row of one segment; `reason` says why it is stale, `verdict` is None without a rule.

    `target` is today's; by default the one that the path ends in.
    """
    kpi = place.kpi
    return Row(
        kpi=kpi.name,
        window=place.window,
        breakdown=breakdown_label(place.breakdown),
        segment=tuple(zip(place.breakdown, segment, strict=True)),
        answers=found.score.answers,
        score=found.score.value,
        lower=found.score.lower,
        upper=found.score.upper,
        state=state(
            found.score.answers,
            # Answers that are not those which the score needs are too few, however many.
            kpi.min_answers if found.score.value is not None else found.score.answers + 1,
            probability_below=found.probability_below,
            raised=verdict is not None and verdict.raised,
            stale=reason is not None,
        ),
        reason=reason,
        target=kpi.target.score if target is None else target,
        floor=kpi.floor,
        benchmarks={name: benchmark.score for name, benchmark in kpi.benchmarks.items()},
        outcomes=found.outcomes,
        alert=_alert_view(kpi, verdict),
        direction=kpi.target.direction,
        parts=found.parts,
        chance=found.chance,
    )


def breakdown_label(breakdown: tuple[str, ...]) -> str:
    """`all`, `product`, `product,channel`."""
    return ",".join(breakdown) or ALL


def _alert_view(kpi: Kpi, verdict: Verdict | None) -> AlertView | None:
    if kpi.alert is None or verdict is None:
        return None
    return AlertView(
        rule=FLOOR_RULE,
        severity=kpi.alert.severity,
        raised=verdict.raised,
        evidence=verdict.evidence,
        limit=verdict.limit,
        since=verdict.since,
    )
