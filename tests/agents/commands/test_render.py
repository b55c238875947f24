from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from agents import metrics
from agents.commands.render import RECEIVERS, command
from streams.errors import ConfigurationError
from streams.render.alertmanager import Receivers
from streams.render.files import render
from tests.catalogues import SPLIT
from tests.kpi_texts import kpi_text

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kpis(tmp_path: Path) -> Path:
    """Give a KPI file."""
    path = tmp_path / "kpis.yaml"
    path.write_text(kpi_text())
    return path


def run(*arguments: object) -> Result:
    """`feedback render` with these arguments."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_writes_and_then_agrees(kpis: Path, tmp_path: Path) -> None:
    """Each written file is named on standard output; `--check` is content with them, silently."""
    written = run("--kpis", kpis, "--out", tmp_path)
    assert 0 == written.exit_code
    assert "wrote prometheus/rules/feedback.yml\n" in written.stdout
    checked = run("--kpis", kpis, "--out", tmp_path, "--check")
    assert (0, "") == (checked.exit_code, checked.stdout)


def test_check_names_each_file_that_differs_and_writes_none(kpis: Path, tmp_path: Path) -> None:
    """Exit 1: the answer is no."""
    run("--kpis", kpis, "--out", tmp_path)
    path = tmp_path / "prometheus/rules/feedback.yml"
    path.write_text("by hand\n")
    checked = run("--kpis", kpis, "--out", tmp_path, "--check")
    assert (1, "prometheus/rules/feedback.yml differs\n") == (checked.exit_code, checked.stdout)
    assert "by hand\n" == path.read_text()


def test_a_new_dimension_makes_committed_files_differ(kpis: Path, tmp_path: Path) -> None:
    """That is what `--check` is for in CI."""
    run("--kpis", kpis, "--out", tmp_path)
    kpis.write_text(kpis.read_text().replace("region: {}", "region: {}, country: {}"))
    checked = run("--kpis", kpis, "--out", tmp_path, "--check")
    assert 1 == checked.exit_code
    assert "grafana/dashboards/feedback.json differs" in checked.stdout


def test_addresses_are_options(kpis: Path, tmp_path: Path) -> None:
    """The same rules run with compose and natively."""
    result = run(
        *("--kpis", kpis, "--out", tmp_path, "--interval", "2s"),
        *("--exporter-target", "127.0.0.1:1", "--worker-target", "127.0.0.1:2"),
        *("--worker-target", "[::1]:3", "--alertmanager-target", "127.0.0.1:4"),
    )
    assert 0 == result.exit_code
    text = (tmp_path / "prometheus/prometheus.yml").read_text()
    for expected in ("127.0.0.1:1", "127.0.0.1:2", "[::1]:3", "127.0.0.1:4", "2s"):
        assert expected in text


@pytest.mark.parametrize(
    "option",
    [
        ("--exporter-target", "http://127.0.0.1:1"),
        ("--exporter-target", "127.0.0.1"),
        ("--worker-target", "127.0.0.1:0"),
        ("--worker-target", "127.0.0.1:65536"),
        ("--interval", "1.5s"),
        ("--interval", "fast"),
    ],
)
def test_a_wrong_option_is_wrong_use(kpis: Path, option: tuple[str, str]) -> None:
    """Exit 2, before anything is written."""
    assert 2 == run("--kpis", kpis, *option).exit_code


def test_receivers_may_come_from_the_environment(
    kpis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every other setting."""
    monkeypatch.setenv("FEEDBACK_WEBHOOK_URL", "http://127.0.0.1:9/alerts")
    assert 0 == run("--kpis", kpis, "--out", tmp_path).exit_code
    assert "http://127.0.0.1:9/alerts" in (tmp_path / "alertmanager/alertmanager.yml").read_text()


def test_a_wrong_receiver_is_a_wrong_setting(kpis: Path, tmp_path: Path) -> None:
    """The command line turns it into exit 2; nothing was written."""
    result = run("--kpis", kpis, "--out", tmp_path, "--slack-channel", "#a")
    assert isinstance(result.exception, ConfigurationError)
    assert not (tmp_path / "alertmanager").exists()


def test_every_receiver_setting_has_an_option() -> None:
    """Else it could not be reached."""
    assert list(Receivers.__struct_fields__) == list(RECEIVERS)


def test_the_committed_files_are_current() -> None:
    """Those of this repository, by its own KPI file."""
    result = run("--kpis", ROOT / "kpis.yaml", "--out", ROOT, "--check")
    assert (0, "") == (result.exit_code, result.stdout)


def declared_metrics() -> set[str]:
    """The names of all series that the processes serve."""
    gauges = [each.name for each in vars(metrics).values() if isinstance(each, metrics.Gauge)]
    registry = CollectorRegistry()
    metrics.WorkerMetrics(registry)
    return {
        *gauges,
        *(
            name
            for family in registry.collect()
            for name in (f"{family.name}_total", f"{family.name}_sum", f"{family.name}_count")
        ),
    }


def test_rules_and_board_ask_only_for_declared_metrics() -> None:
    """A metric that was renamed, or never was, makes an alert that can't fire."""
    asked = {
        name
        for file in render(SPLIT)
        if file.path.startswith(("prometheus/rules", "grafana/dashboards"))
        for name in re.findall(r"(?<![\w:])feedback_\w+(?![\w:])", file.text)
    }
    assert "feedback_kpi_alert" in asked
    assert set() == asked - declared_metrics()
