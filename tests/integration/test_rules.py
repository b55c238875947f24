"""The generated rules and configuration, run by the programs that will read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from streams.render.alertmanager import Receivers
from streams.render.catalogue import Catalogue
from streams.render.files import Deployment, render, write
from tests.catalogues import SPLIT, WHOLE_ONLY

pytestmark = pytest.mark.prometheus

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Run a program in `folder`; its words, and an error with them when it is not content."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return done.stdout


@pytest.fixture(params=[SPLIT, WHOLE_ONLY], ids=["split", "whole-only"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a folder with everything that is rendered for a catalogue."""
    catalogue: Catalogue = request.param
    write(render(catalogue), tmp_path)
    return tmp_path


def test_rules_pass_every_check(folder: Path) -> None:
    """Syntax, and all of promtool's lint."""
    rules = "prometheus/rules/feedback.yml"
    assert "SUCCESS" in run(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", rules, folder=folder
    )


def test_prometheus_accepts_its_configuration(folder: Path) -> None:
    """The rules are found from it."""
    words = run(
        *("promtool", "check", "config", "--lint=all", "--lint-fatal"),
        "prometheus/prometheus.yml",
        folder=folder,
    )
    assert "1 rule files found" in words


def test_rules_do_what_their_tests_say(folder: Path) -> None:
    """Each alert: firing, quiet, no data; and every way in which a verdict may vanish."""
    tests = sorted((folder / "prometheus/tests").glob("*.yml"))
    assert ["held.yml", "pipeline.yml", "scores.yml", "why.yml"] == [path.name for path in tests]
    assert len(tests) == run("promtool", "test", "rules", *tests).count("SUCCESS")


def test_a_rule_that_is_broken_fails_its_tests(tmp_path: Path) -> None:
    """Without the hold, an exporter's restart would resolve what is bad."""
    write(render(SPLIT), tmp_path)
    rules = tmp_path / "prometheus/rules/feedback.yml"
    broken = rules.read_text().replace(
        "last_over_time(feedback_kpi_alert[5m])", "feedback_kpi_alert"
    )
    rules.write_text(broken)
    done = subprocess.run(
        ("promtool", "test", "rules", tmp_path / "prometheus/tests/held.yml"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 1 == done.returncode
    assert "FAILED" in done.stdout + done.stderr


def test_alertmanager_accepts_its_configuration(folder: Path) -> None:
    """The default one, which tells nobody, with its templates."""
    words = run("amtool", "check-config", "alertmanager/alertmanager.yml", folder=folder)
    assert "1 templates" in words


def test_alertmanager_accepts_every_receiver(tmp_path: Path) -> None:
    """All but the webhook's file, which Debian's Alertmanager (0.25) does not know yet."""
    receivers = Receivers(
        webhook_url="http://127.0.0.1:9/alerts",
        slack_url_file="/run/secrets/slack",
        slack_channel="#feedback",
        email_to="team@example.org",
        email_from="alerts@example.org",
        email_smarthost="mail.example.org:587",
        email_username="alerts",
        email_password_file="/run/secrets/mail",  # noqa: S106 - a file's name
    )
    write(render(SPLIT, Deployment(receivers=receivers)), tmp_path)
    assert "2 receivers" in run(
        "amtool", "check-config", "alertmanager/alertmanager.yml", folder=tmp_path
    )


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("severity=page", "kpi=csat"), "page"),
        (("severity=ticket", "kpi=csat"), "ticket"),
        (("severity=critical",), "page"),
        ((), "page"),
    ],
)
def test_alerts_go_where_their_severity_says(
    tmp_path: Path, labels: tuple[str, ...], receiver: str
) -> None:
    """And what has an unknown one pages."""
    write(render(SPLIT), tmp_path)
    configuration = tmp_path / "alertmanager/alertmanager.yml"
    words = run("amtool", "config", "routes", "test", f"--config.file={configuration}", *labels)
    assert receiver == words.splitlines()[-1]
