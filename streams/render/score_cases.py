"""The building blocks of the tests of score alerts: what an exporter says, and what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.catalogue import runbook
from streams.render.rule_cases import Alert, Labels, Series, firing, series
from streams.render.score_rules import SCORE_ALERTS
from streams.render.why import NOT_KNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.render.catalogue import Catalogue

TITLE = "A score's title"
OWNER = "a-team"
A, B = "exporter-a:9108", "exporter-b:9108"

VALUES = {"score": "71.25", "score_lower": "68.5", "score_upper": "74", "answers": "812"}
SHOWN = {"score": "71.25", "lower": "68.5", "upper": "74", "answers": "812"}


def whole_labels(catalogue: Catalogue) -> Labels:
    """The labels of the first KPI's score that is not split."""
    return {
        "kpi": catalogue.kpis[0],
        "window": catalogue.longest_window.name,
        "breakdown": "all",
        **dict.fromkeys(catalogue.dimensions, ""),
    }


def verdict(
    labels: Labels, values: str, *, severity: str = "page", rule: str = "floor", at: str = A
) -> Series:
    """What the exporter at `at` says over time: 1 raised, 0 not."""
    full = {"job": "feedback-exporter", "instance": at, **labels}
    return series("feedback_kpi_alert", {**full, "rule": rule, "severity": severity}, values)


def numbers(
    labels: Labels,
    *,
    at: str = A,
    owner: str = OWNER,
    shown: Mapping[str, str] = VALUES,
    floor: str = "75",
    values: str = "x40",
) -> list[Series]:
    """The score beside a verdict; `values` is how often each number is repeated."""
    scraped = {"job": "feedback-exporter", "instance": at}
    info = {**scraped, "kpi": labels["kpi"], "title": TITLE, "owner": owner, "hash": "0"}
    return [
        *(
            series(f"feedback_kpi_{metric}", {**scraped, **labels}, f"{number}{values}")
            for metric, number in shown.items()
        ),
        series("feedback_kpi_floor", {**scraped, "kpi": labels["kpi"]}, f"{floor}{values}"),
        series("feedback_kpi_info", info, f"1{values}"),
    ]


def score_alert(
    labels: Labels,
    place: str,
    *,
    severity: str = "page",
    reason: str = "floor",
    owner: str | None = OWNER,
    title: str = TITLE,
    shown: Labels = SHOWN,
    floor: str = "75",
    why: str = NOT_KNOWN,
) -> Alert:
    """The alert that fires; `place` is the segment as its summary says it, with a comma before."""
    kept = {name: value for name, value in labels.items() if value}
    window = labels["window"]
    interval = f"interval {shown['lower']} to {shown['upper']}, n = {shown['answers']}"
    return firing(
        {**kept, "severity": severity, **({"owner": owner} if owner else {})},
        {
            "summary": f"{title}, over {window}{place}: {shown['score']} ({interval})",
            "description": (
                f"Over {window} the evidence says that the score is not what must hold "
                f"(floor {floor}). Raised by: {reason}."
            ),
            "title": title,
            **shown,
            "reason": reason,
            "why": why,
            "runbook": runbook(SCORE_ALERTS[severity]),
        },
    )
