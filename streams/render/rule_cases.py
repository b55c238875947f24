"""The building blocks of promtool's unit tests of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from streams.render.catalogue import write_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL = "15s"

Labels = dict[str, str]
Series = dict[str, str]
Alert = dict[str, Labels]
Case = dict[str, Any]


class Counted(NamedTuple):
    """How many series `expr` returns at a time."""

    at: str
    expr: str
    number: int


class Expected(NamedTuple):
    """Which alerts of one name fire at a time. None fire where `alerts` is empty."""

    at: str
    alertname: str
    alerts: tuple[Alert, ...] = ()


def series(metric: str, labels: Mapping[str, str], values: str) -> Series:
    """An input series in promtool's notation: `1x8 stale _x20` is one sample an interval."""
    matchers = ", ".join(f"{name}={_quoted(value)}" for name, value in labels.items())
    return {"series": f"{metric}{{{matchers}}}", "values": values}


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def firing(labels: Labels, annotations: Labels) -> Alert:
    """An alert as promtool compares it: all labels but the name, and all annotations."""
    return {"exp_labels": labels, "exp_annotations": annotations}


def case(name: str, given: list[Series], *expected: Expected | Counted) -> Case:
    """A test: what was scraped, and which alerts fire when."""
    return {
        "name": name,
        "interval": INTERVAL,
        "input_series": given,
        "alert_rule_test": [
            {"eval_time": each.at, "alertname": each.alertname, "exp_alerts": list(each.alerts)}
            for each in expected
            if isinstance(each, Expected)
        ],
        "promql_expr_test": [
            {
                "eval_time": each.at,
                "expr": f"count({each.expr})",
                "exp_samples": [{"labels": "{}", "value": each.number}],
            }
            for each in expected
            if isinstance(each, Counted)
        ],
    }


def write_cases(cases: list[Case]) -> str:
    """The file that `promtool test rules` reads."""
    return write_yaml(
        {
            "rule_files": ["../rules/feedback.yml"],
            "evaluation_interval": INTERVAL,
            "tests": cases,
        }
    )
