"""The Prometheus rules: what is told to people, and when.

The exporter decides whether a score is bad and publishes its verdict as `feedback_kpi_alert`. The
rules only turn verdicts into alerts, so they need not change with a target, and they watch the
pipeline itself. Values stand in annotations: in labels each new value would be another alert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.render.catalogue import write_yaml
from streams.render.pipeline_rules import pipeline_rules
from streams.render.score_rules import score_rules

if TYPE_CHECKING:
    from streams.render.catalogue import Catalogue

RULES_PATH = "prometheus/rules/feedback.yml"


def render_rules(catalogue: Catalogue) -> str:
    """The rules file. The two groups run apart, so that many scores never delay the pipeline's."""
    groups = [
        {"name": "feedback-pipeline", "rules": pipeline_rules(catalogue)},
        {"name": "feedback-scores", "rules": score_rules(catalogue)},
    ]
    return write_yaml({"groups": groups})
