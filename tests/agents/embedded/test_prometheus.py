"""Prometheus and Alertmanager as children."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from agents.embedded.process import wait_until
from agents.embedded.prometheus import (
    Alertmanager,
    Prometheus,
    find_alertmanager,
    find_prometheus,
)
from streams.errors import Unavailable

ALERTMANAGER = """
route: {receiver: nobody, group_wait: 0s}
receivers: [{name: nobody}]
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
rule_files: [rules.yml]
"""
RULES = """
groups: [{name: always, rules: [{alert: Always, expr: vector(1)}]}]
"""


def get(url: str) -> list[dict[str, dict[str, str]]]:
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own server
        alerts: list[dict[str, dict[str, str]]] = json.load(reply)
        return alerts


@pytest.mark.prometheus
def test_a_rule_raises_an_alert(tmp_path: Path) -> None:
    """Both start on free ports, Prometheus reads its rules and finds Alertmanager."""
    (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER)
    (tmp_path / "rules.yml").write_text(RULES)
    with Alertmanager(tmp_path / "alertmanager.yml") as alertmanager:
        configuration = tmp_path / "prometheus.yml"
        configuration.write_text(PROMETHEUS.format(alertmanager=alertmanager.address))
        with Prometheus(configuration):
            alerts = f"{alertmanager.url}/api/v2/alerts"
            wait_until(lambda: bool(get(alerts)), 30, "the alert")
            assert ["Always"] == [alert["labels"]["alertname"] for alert in get(alerts)]


@pytest.mark.prometheus
def test_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    """It comes back on its port with its folder, and after the context neither is left."""
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text("global: {scrape_interval: 1s}")
    with Prometheus(configuration) as prometheus:
        url = prometheus.url
        prometheus.stop()
        assert 0 == prometheus.process.exit_status
        prometheus.start()
        assert (url, True) == (prometheus.url, prometheus.answers())
    assert not prometheus.process.alive()
    assert not prometheus.directory.exists()


@pytest.mark.prometheus
def test_a_wrong_configuration_is_explained(tmp_path: Path) -> None:
    """The error carries the program's own words."""
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text("no_such_setting: 1")
    with pytest.raises(Unavailable, match="no_such_setting"), Prometheus(configuration):
        pass


def test_absent_programs_are_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are optional: looking for them gives None, starting them names the packages."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (None, None) == (find_prometheus(), find_alertmanager())
    with pytest.raises(Unavailable, match=r"prometheus is not on PATH.*apt-get install"):
        Prometheus(tmp_path / "prometheus.yml")
    with pytest.raises(Unavailable, match=r"alertmanager is not on PATH.*apt-get install"):
        Alertmanager(tmp_path / "alertmanager.yml")
