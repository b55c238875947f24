"""Gaps and lifetime values are made of the rows of other KPIs: those rows must be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from streams.kpis.formulas import Consistency, Gap, Product
from streams.kpis.problems import Problem

if TYPE_CHECKING:
    from streams.kpis.kpi import Kpi


def derived_problems(kpis: Mapping[str, Kpi]) -> Iterator[Problem]:
    """Segments, alerts and floors that the KPIs which a formula names do not have."""
    for name, kpi in kpis.items():
        formula = kpi.choice.chosen
        if isinstance(formula, Gap):
            yield from _splits(name, kpi, kpis, formula.delivered, formula.perceived)
            if formula.perceived in kpis:
                yield from _gap(name, kpi, formula.perceived, kpis[formula.perceived])
        elif isinstance(formula, Product):
            yield from _splits(name, kpi, kpis, formula.revenue)
        elif isinstance(formula, Consistency):
            for place, split in enumerate(kpi.breakdowns):
                if formula.by in split:
                    sentence = f"{formula.by} is what is compared; a split by it leaves nothing"
                    yield Problem(sentence, (name, "breakdowns", place))


def _splits(name: str, kpi: Kpi, kpis: Mapping[str, Kpi], *others: str) -> Iterator[Problem]:
    for place, split in enumerate(kpi.breakdowns):
        for other in others:
            known = kpis[other].breakdowns if other in kpis else (split,)
            if not any(set(split) == set(each) for each in known):
                named = f"[{', '.join(split)}]"
                sentence = f"{other} is not split by {named}; add it to the breakdowns of {other}"
                yield Problem(sentence, (name, "breakdowns", place))


def _gap(name: str, kpi: Kpi, perceived: str, other: Kpi) -> Iterator[Problem]:
    if other.floor is None:
        sentence = f"{perceived} has no floor, below which it is red; give it one"
        yield Problem(sentence, (name, "formula", "gap", "perceived"))
    if kpi.alert is None:
        return
    if other.alert is None or other.alert.window != kpi.alert.window:
        yield Problem(
            f"is raised with the alert of {perceived}, which has none in this window; "
            "give it one, or name its window",
            (name, "alert", "window"),
        )
        return
    known = [set(split) for split in other.alert.segments]
    for place, split in enumerate(kpi.alert.segments):
        if set(split) not in known:
            named = f"[{', '.join(split)}]"
            sentence = f"{perceived} does not alert on {named}; add it to the segments of its alert"
            yield Problem(sentence, (name, "alert", "segments", place))
