"""promtool's unit tests of held verdicts: nothing but a recovery resolves a score alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.rule_cases import (
    Case,
    Counted,
    Expected,
    Labels,
    Series,
    case,
    series,
    write_cases,
)
from streams.render.score_cases import (
    SHOWN,
    VALUES,
    A,
    B,
    numbers,
    score_alert,
    verdict,
    whole_labels,
)

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue

TESTS_PATH = "prometheus/tests/held.yml"


def render_held_tests(catalogue: Catalogue) -> str:
    """The tests of every way in which a verdict may vanish, or its owner."""
    return write_cases(
        [
            _exporter_restarts(catalogue),
            _exporter_gone(catalogue),
            _second_exporter_gone(catalogue),
            _old_numbers_gone(catalogue),
            _series_removed(catalogue),
            *_while_stale(catalogue),
            _owner_unknown(catalogue),
            _owners_disagree(catalogue),
            _owner_changes(catalogue),
        ]
    )


def _exporter_restarts(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    alert = (score_alert(whole, ", all answers"),)
    return case(
        "an exporter that restarts resolves nothing",
        [
            *numbers(whole, values="x7 stale _x4"),
            *numbers(whole, at=B, values="x40"),
            verdict(whole, "1x7 stale _x4"),
            verdict(whole, "_x12 1x20", at=B),
        ],
        *(Expected(at, "FeedbackScorePage", alert) for at in ("1m45s", "2m", "2m45s", "5m")),
    )


def _exporter_gone(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    held = score_alert(
        whole,
        ", all answers",
        title=whole["kpi"],
        shown=dict.fromkeys(SHOWN, "not known"),
        reason="not known",
        floor="not known",
    )
    return case(
        "for as long as no exporter answers, alerts stand, without numbers",
        [*numbers(whole, values="x7 stale"), verdict(whole, "1x7 stale")],
        Expected("10m", "FeedbackScorePage", (held,)),
        Expected("1h", "FeedbackScorePage", (held,)),
    )


def _second_exporter_gone(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    return case(
        "a recovery counts once the exporter that saw the alert is gone for 5 minutes",
        [
            *numbers(whole),
            verdict(whole, "1x7 stale"),
            verdict(whole, "1x7 0x40", at=B),
        ],
        Expected("5m", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
        Expected("7m15s", "FeedbackScorePage"),
    )


def _old_numbers_gone(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    return case(
        "the numbers told are those of the exporter that answers, not of the one that is gone",
        [
            *numbers(whole, shown=dict.fromkeys(VALUES, "99"), floor="99", values="x7 stale"),
            *numbers(whole, at=B),
            verdict(whole, "0x7 stale"),
            verdict(whole, "1x40", at=B),
        ],
        Expected("4m", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
    )


def _series_removed(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    other = {**whole, "kpi": "another"}
    return case(
        "a KPI that an exporter no longer knows stops alerting after 5 minutes, not at once",
        [
            *numbers(whole),
            verdict(whole, "1x7 stale"),
            verdict(other, "0x40"),
        ],
        Expected("5m", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
        Expected("7m15s", "FeedbackScorePage"),
    )


def _stale(labels: Labels, values: str, *, at: str = A) -> Series:
    full = {"job": "feedback-exporter", "instance": at, **labels, "state": "stale"}
    return series("feedback_kpi_state", full, values)


def _while_stale(catalogue: Catalogue) -> list[Case]:
    whole = whole_labels(catalogue)
    raised = (score_alert(whole, ", all answers"),)
    held = (score_alert(whole, ", all answers", reason="not known"),)
    return [
        case(
            "when the worker stops, no score is resolved, and none while Redis is empty",
            [
                *numbers(whole),
                _stale(whole, "0x7 1x15 0x16"),
                verdict(whole, "1x11 0x28"),
            ],
            *(Expected(at, "FeedbackScorePage", raised) for at in ("1m45s", "2m30s")),
            Expected("5m45s", "FeedbackScorePage", held),
            Expected("6m", "FeedbackScorePage"),
        ),
        case(
            "an exporter that starts while Redis is away resolves nothing",
            [
                *numbers(whole, values="x60"),
                _stale(whole, "0x7 stale _x3 1x60"),
                verdict(whole, "1x7 stale _x3 0x60"),
            ],
            Expected("2m", "FeedbackScorePage", raised),
            *(Expected(at, "FeedbackScorePage", held) for at in ("4m", "12m")),
        ),
        case(
            "what is stale does not begin to fire",
            [*numbers(whole), _stale(whole, "1x40"), verdict(whole, "1x40")],
            Expected("5m", "FeedbackScorePage"),
        ),
        case(
            "of two exporters the one counts whose score is not stale",
            [
                *numbers(whole),
                _stale(whole, "1x40"),
                verdict(whole, "1x7 0x40"),
                _stale(whole, "0x40", at=B),
                verdict(whole, "0x7 1x40", at=B),
            ],
            Expected("1m45s", "FeedbackScorePage"),
            Expected("5m", "FeedbackScorePage", raised),
        ),
    ]


def _owner_unknown(catalogue: Catalogue) -> Case:
    whole = whole_labels(catalogue)
    without_info = [each for each in numbers(whole) if "_info" not in each["series"]]
    alert = score_alert(whole, ", all answers", owner=None, title=whole["kpi"])
    return case(
        "a verdict without a known owner fires all the same",
        [*without_info, verdict(whole, "1x40")],
        Expected("1m", "FeedbackScorePage", (alert,)),
    )


def _owners_disagree(catalogue: Catalogue) -> Case:
    """Which of two owners that appear at once wins is left open; there must be one alert."""
    whole = whole_labels(catalogue)
    return case(
        "while exporters name two owners, there is one alert",
        [
            *numbers(whole),
            *numbers(whole, at=B, owner="b-team"),
            verdict(whole, "1x40"),
            verdict(whole, "1x40", at=B),
        ],
        Counted("5m", 'ALERTS{alertname="FeedbackScorePage",owner=~".+"}', 1),
    )


def _owner_changes(catalogue: Catalogue) -> Case:
    """The other owner was there first, so that it is not the order which keeps the present one."""
    whole = whole_labels(catalogue)
    other = [
        {**each, "values": f"{each['values'].removesuffix('x40')} stale _x2 {each['values']}"}
        for each in numbers(whole, at=A, owner="b-team")
    ]
    present = numbers(whole, at=B, values="x17 stale")
    return case(
        "an alert changes its owner only when no exporter names the present one any more",
        [
            *other,
            verdict(whole, "1 stale _x2 1x40", at=A),
            *[{**each, "values": f"_x2 {each['values']}"} for each in present],
            verdict(whole, "_x2 1x17 stale", at=B),
        ],
        Expected("30s", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
        Expected("4m45s", "FeedbackScorePage", (score_alert(whole, ", all answers"),)),
        Expected("5m", "FeedbackScorePage", (score_alert(whole, ", all answers", owner="b-team"),)),
    )
