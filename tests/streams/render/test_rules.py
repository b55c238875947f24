"""What can be said of the rules without Prometheus; tests/integration/test_rules.py runs them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from streams.render.catalogue import Catalogue
from streams.render.rules import render_rules
from tests.catalogues import SPLIT, WHOLE_ONLY


def rules(catalogue: Catalogue) -> list[dict[str, Any]]:
    groups = yaml.safe_load(render_rules(catalogue))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules(catalogue) if "alert" in rule}


def test_the_alerts_are_those_that_the_operations_manual_describes() -> None:
    """A new alert needs a paragraph on what to do; a renamed one breaks silences."""
    assert {
        "FeedbackPipelineStale",
        "FeedbackWorkerDown",
        "FeedbackNoExporter",
        "FeedbackExporterDown",
        "FeedbackDeadLettersHigh",
        "FeedbackRedisDown",
        "FeedbackRedisNearLimit",
        "FeedbackHistoryLost",
        "FeedbackScorePage",
        "FeedbackScoreTicket",
    } == set(alerts(SPLIT))


@pytest.mark.parametrize("catalogue", [SPLIT, WHOLE_ONLY])
def test_each_alert_says_what_is_wrong_and_what_to_do(catalogue: Catalogue) -> None:
    """A summary, a description and a runbook, whatever the KPI file declares."""
    for name, rule in alerts(catalogue).items():
        annotations = rule["annotations"]
        assert {"summary", "description", "runbook"} <= set(annotations)
        assert f"docs/operations.md#{name.lower()}" == annotations["runbook"]


def test_no_value_is_a_label() -> None:
    """A value in a label would make another alert of each new value."""
    for rule in alerts(SPLIT).values():
        assert {"severity", "owner"} >= set(rule.get("labels", {}))
        assert not [label for label in rule.get("labels", {}).values() if "{{" in label]


def test_score_alerts_look_their_numbers_up_in_their_own_segment() -> None:
    """Each dimension is matched, so that a segment's alert never shows the whole's score."""
    summary = alerts(SPLIT)["FeedbackScorePage"]["annotations"]["summary"]
    matched = "{kpi=%[1]q,window=%[2]q,breakdown=%[3]q,product=%[4]q,channel=%[5]q}"
    for metric in ("score", "score_lower", "score_upper", "answers"):
        assert f"feedback_kpi_{metric}{matched}" in summary


def test_stale_looks_at_the_shortest_window() -> None:
    """The longest stays stale for weeks after a loss of history, which has its own alert."""
    stale = alerts(SPLIT)["FeedbackPipelineStale"]["expr"]
    assert 'window="1h"' in stale
    assert 'window="24h"' not in stale


def test_the_same_catalogue_gives_the_same_text() -> None:
    """Else `render --check` would fail without a reason."""
    assert render_rules(SPLIT) == render_rules(SPLIT)
