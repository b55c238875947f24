"""Movements: how far a score stands from its baseline, and which segments moved it.

The alert window of a KPI is compared with the time before it (`streams.scores.baseline_span`). The
baseline moves on while an alert is raised: a fall that lasts for days becomes part of it, little by
little.

Nothing is said of a window that is stale or has too few answers, nor beside a baseline that has too
few, or of which more than three quarters may be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.events.admission import OTHER
from streams.kpis.combined import range_of
from streams.scores.drivers import attribute
from streams.scores.moments import moments
from streams.scores.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.counts.projection import Segment
    from streams.kpis.kpi import Kpi
    from streams.scores.baseline_span import Compared
    from streams.scores.drivers import Attribution
    from streams.scores.moments import Moments
    from streams.scores.samples import Tally

# How much of a baseline must surely have been counted.
_COMPLETE: Final = 0.25

Breakdown = tuple[str, ...]

WHOLE: Final[tuple[Breakdown, Segment]] = ((), ())
"""Breakdown and segment of all answers."""


class Movement(NamedTuple):
    """What is known of one KPI: scores of its baseline by segment, and what moved it since.

    `score` is that of all answers in the alert window, None with too few of them.
    """

    kpi: str
    window: str
    score: float | None
    baselines: dict[tuple[Breakdown, Segment], float]
    attributions: dict[Breakdown, Attribution]

    @property
    def baseline(self) -> float | None:
        """The score of all answers of the baseline."""
        return self.baselines.get(WHOLE)


class Periods(NamedTuple):
    """The tallies of one breakdown's segments: of the baseline, and of the alert window."""

    before: Mapping[Segment, Tally]
    now: Mapping[Segment, Tally]


def is_known(each: Compared, end: float, complete_from: float) -> bool:
    """Whether enough of the baseline is counted when windows end at `end` (Unix seconds)."""
    return complete_from <= each.span.last_end(end) - _COMPLETE * each.span.seconds


class Movements:
    """Finds what moved scores. What it remembers only saves attributing again what did not move."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[str, Breakdown], _Remembered] = {}

    def of(self, each: Compared, periods: Callable[[Breakdown], Periods]) -> Movement:
        """The movement of one KPI; `periods` gives the tallies of each of its breakdowns."""
        kpi = each.kpi
        baselines = {
            (breakdown, segment): value
            for breakdown in each.alerting
            for segment, tally in periods(breakdown).before.items()
            if OTHER not in segment and (value := _score(kpi, tally)) is not None
        }
        attributions = {}
        score = _score(kpi, periods(()).now[()])
        if WHOLE in baselines and score is not None:
            for breakdown in each.attributed:
                found = self._attribution(kpi, breakdown, periods(breakdown))
                if found is not None:
                    attributions[breakdown] = found
        return Movement(kpi.name, each.window, score, baselines, attributions)

    def _attribution(self, kpi: Kpi, breakdown: Breakdown, periods: Periods) -> Attribution | None:
        before, now = _moments(kpi, periods.before), _moments(kpi, periods.now)
        known = self._remembered.get((kpi.name, breakdown))
        if known is None or (known.before, known.now) != (before, now):
            found = attribute(
                before,
                now,
                scale=range_of(kpi.formula, kpi.measure),
                min_answers=kpi.min_answers,
                design_effect=kpi.design_effect,
            )
            known = _Remembered(before, now, found)
            self._remembered[kpi.name, breakdown] = known
        return known.attribution


class _Remembered(NamedTuple):
    before: dict[Segment, Moments]
    now: dict[Segment, Moments]
    attribution: Attribution | None


def _score(kpi: Kpi, tally: Tally) -> float | None:
    """The score of a tally with at least `min_answers`."""
    found = sample(kpi.formula, kpi.measure, tally)
    return found.value if found.answers >= max(kpi.min_answers, 1) else None


def _moments(kpi: Kpi, tallies: Mapping[Segment, Tally]) -> dict[Segment, Moments]:
    found = {}
    for segment, tally in tallies.items():
        one = moments(kpi.formula, kpi.measure, tally)
        if one is not None:
            found[segment] = one
    return found
