"""promtool's unit tests of the score alerts: firing, quiet, no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.rule_cases import Case, Expected, case, write_cases
from streams.render.score_cases import B, numbers, score_alert, verdict, whole_labels
from streams.render.score_rules import SCORE_ALERTS, SEVERITIES

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue

TESTS_PATH = "prometheus/tests/scores.yml"

# A customer's word: what must not break the queries in the annotations.
AWKWARD = 'Wi-Fi "6" \\ {{ . }}'


def render_score_tests(catalogue: Catalogue) -> str:
    """The tests of what both severities say of verdicts as they come."""
    return write_cases(
        [
            *(_fires(catalogue, severity) for severity in SEVERITIES),
            *(_is_quiet(catalogue, severity) for severity in SEVERITIES),
            *(_has_no_data(severity) for severity in SEVERITIES),
            *_segment_fires(catalogue),
            _quotes_one_exporter(catalogue),
            _raised_twice(catalogue),
            _recovers(catalogue),
        ]
    )


def _fires(catalogue: Catalogue, severity: str) -> Case:
    whole = whole_labels(catalogue)
    given = [
        *numbers(whole),
        *numbers(whole, at=B),
        verdict(whole, "0x3 1x30", severity=severity),
        verdict(whole, "0x3 1x30", severity=severity, at=B),
    ]
    alert = score_alert(whole, ", all answers", severity=severity)
    name = SCORE_ALERTS[severity]
    return case(
        f"a {severity} fires once, whatever number of exporters raised it",
        given,
        Expected("45s", name),
        Expected("1m", name, (alert,)),
    )


def _is_quiet(catalogue: Catalogue, severity: str) -> Case:
    whole = whole_labels(catalogue)
    other = SEVERITIES[1 - SEVERITIES.index(severity)]
    return case(
        f"no {severity} fires for a verdict of 0, nor for one of another severity",
        [
            *numbers(whole),
            verdict(whole, "0x40", severity=severity),
            verdict(whole, "1x40", severity=other, rule="drop"),
        ],
        Expected("5m", SCORE_ALERTS[severity]),
    )


def _has_no_data(severity: str) -> Case:
    return case(f"no {severity} fires without data", [], Expected("5m", SCORE_ALERTS[severity]))


def _segment_fires(catalogue: Catalogue) -> list[Case]:
    if not catalogue.dimensions:
        return []
    name = catalogue.dimensions[0]
    segment = {**whole_labels(catalogue), "breakdown": name, name: AWKWARD}
    return [
        case(
            "a segment is named as it is, quotes and all",
            [*numbers(segment), verdict(segment, "1x40")],
            Expected("1m", SCORE_ALERTS["page"], (score_alert(segment, f", {name} {AWKWARD}"),)),
        )
    ]


def _quotes_one_exporter(catalogue: Catalogue) -> Case:
    """The second has seen fewer answers, and the higher score and bounds that they gave."""
    whole = whole_labels(catalogue)
    earlier = {"score": "80", "score_lower": "77", "score_upper": "83", "answers": "700"}
    return case(
        "the numbers of two exporters are not mixed",
        [*numbers(whole), *numbers(whole, at=B, shown=earlier), verdict(whole, "1x40")],
        Expected("1m", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
    )


def _raised_twice(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    alert = score_alert(whole, ", all answers", reason="drop, floor")
    return case(
        "two rules of a KPI are one alert with both reasons",
        [*numbers(whole), verdict(whole, "1x40"), verdict(whole, "1x40", rule="drop")],
        Expected("1m", "FeedbackScorePage", (alert,)),
    )


def _recovers(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    return case(
        "a verdict of 0 ends the alert at once",
        [*numbers(whole), verdict(whole, "1x8 0x8")],
        Expected("2m", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
        Expected("2m15s", "FeedbackScorePage"),
    )
