"""The documentation names everything that there is, and nothing that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from agents import metrics
from agents.cli import COMMANDS
from agents.settings import PREFIX, Settings
from streams.events.event import REASONS

ROOT = Path(__file__).resolve().parents[1]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_setting_is_documented() -> None:
    """Each variable stands in the table of settings, and no other does."""
    named = set(re.findall(rf"^\| `({PREFIX}[A-Z_]+)`", OPERATIONS, re.MULTILINE))
    assert {PREFIX + name.upper() for name in Settings.model_fields} == named


def test_every_metric_is_documented() -> None:
    """Each family of the exporter and of the worker stands in the table of metrics."""
    registry = CollectorRegistry()
    metrics.WorkerMetrics(registry)
    families = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    gauges = {value.name for value in vars(metrics).values() if isinstance(value, metrics.Gauge)}
    named = set(re.findall(r"^\| `(feedback_[a-z_]+)`", OPERATIONS, re.MULTILINE))
    assert families | gauges == named


def test_every_alert_says_what_to_do() -> None:
    """Each rendered alert has a heading to which its annotation links."""
    rules = yaml.safe_load((ROOT / "prometheus/rules/feedback.yml").read_text(encoding="utf-8"))
    alerts = {
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }
    headings = set(re.findall(r"^### (Feedback\w+)$", OPERATIONS, re.MULTILINE))
    assert alerts == headings


def test_every_refusal_is_documented() -> None:
    """Each reason code stands in the table for upstream developers, in the code's order."""
    publishing = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z_]+)` \|", publishing, re.MULTILINE) == list(REASONS)


def test_every_command_exists() -> None:
    """Each command of the command line has its module, with help and an example."""
    for name in COMMANDS:
        module = ROOT / "agents" / "commands" / f"{name.replace('-', '_')}.py"
        assert "Example" in module.read_text(encoding="utf-8"), name
