"""The `floor` alert rule: the score stands below the floor by more than chance explains.

Interim: a fixed test, looked at again with every bucket. Its limit is high, but it has no stated
budget of false alarms; a sequential test (CUSUM) takes its place behind the same `replay`.

The rule reads the alert window at the end of each bucket, where it has at least `min_answers`:

- raised when the evidence that the true score is below the floor reaches z = 3.3;
- cleared when the score is at or above the floor with an evidence of z = 1 for that, which is an
  evidence below of -1 or less;
- between the two, and where answers are too few or none, the verdict stays as it was.

A window that is stale is no step at all: its end waits for the partition that is behind. So no
data never clears, and never raises. There is no other state: the same steps always give the same
verdict, and a step whose tally equals the one before it may be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.scores.scores import answers, below, score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kpis.combined import Resolved
    from streams.kpis.kpi import Kpi
    from streams.ledger.layout import Measure
    from streams.scores.scores import Tally

RAISE_AT: Final = 3.3  # one look in 2,000 at a score that stands exactly on its floor
CLEAR_AT: Final = -1.0


class Step(NamedTuple):
    """The tally of the alert window that ends at `end` (Unix seconds), the end of a bucket."""

    end: float
    tally: Tally


class Verdict(msgspec.Struct, frozen=True):
    """What an alert rule says of one segment.

    `evidence` is what the last step with enough answers showed; `limit` is where it raises.
    `since` is the end of the step at which `raised` last changed, None if it never did.
    """

    raised: bool
    evidence: float
    limit: float
    since: float | None


QUIET: Final = Verdict(raised=False, evidence=0.0, limit=RAISE_AT, since=None)


class FloorRule(NamedTuple):
    """What the rule needs to know of a KPI. `floor` is in the formula's unit.

    Where lower is better, everything is said of scores above the floor.
    """

    formula: Resolved
    measure: Measure
    floor: float
    min_answers: int
    lower_is_better: bool = False
    design_effect: float = 1.0

    @classmethod
    def of(cls, kpi: Kpi, measure: Measure) -> FloorRule | None:
        """The rule of a KPI; None where it has no floor."""
        if kpi.floor is None:
            return None
        return cls(
            kpi.formula,
            measure,
            kpi.floor,
            kpi.min_answers,
            kpi.lower_is_better,
            kpi.design_effect,
        )

    def evidence(self, tally: Tally) -> float:
        """That the true score lies on the wrong side of the floor, as a z."""
        found = below(self.formula, self.measure, tally, self.floor, self.design_effect)
        return -found if self.lower_is_better else found


def replay(rule: FloorRule, steps: Iterable[Step], start: Verdict = QUIET) -> Verdict:
    """The verdict after `steps`, in order of their ends; `start` continues an earlier replay."""
    verdict = start
    for step in steps:
        verdict = _after(rule, step, verdict)
    return verdict


def _after(rule: FloorRule, step: Step, verdict: Verdict) -> Verdict:
    if not _enough(rule, step.tally):
        return verdict
    evidence = rule.evidence(step.tally)
    raised = not _cleared(rule, step, evidence) if verdict.raised else evidence >= RAISE_AT
    since = verdict.since if raised == verdict.raised else step.end
    return Verdict(raised=raised, evidence=evidence, limit=RAISE_AT, since=since)


def _cleared(rule: FloorRule, step: Step, evidence: float) -> bool:
    if evidence > CLEAR_AT:
        return False
    # Evidence on a net includes three added answers, which can outweigh the few there are.
    value = score(rule.formula, rule.measure, step.tally).value
    if value is None:
        return False
    return value <= rule.floor if rule.lower_is_better else value >= rule.floor


def _enough(rule: FloorRule, tally: Tally) -> bool:
    """At least `min_answers`, and at least one whatever the KPI file says."""
    return answers(rule.formula, rule.measure, tally) >= max(rule.min_answers, 1)
