"""docker-compose.yml and Dockerfile, which can't be run in tests: what can be read off them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from agents.cli import feedback
from agents.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
OURS = ("topics", "worker-1", "worker-2", "exporter", "story")
ONE_SHOT = ("topics", "story")

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose not on PATH")
@pytest.mark.parametrize("profile", [[], ["--profile", "demo"]], ids=["default", "demo"])
def test_compose_accepts_it(profile: list[str]) -> None:
    """Without any variable set: a newcomer has none."""
    done = subprocess.run(
        ["docker-compose", "-f", ROOT / "docker-compose.yml", *profile, "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


@each_service
def test_ports_are_for_this_machine_only(service: dict[str, Any]) -> None:
    """None of these servers asks for a password."""
    assert [] == [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]


@each_service
def test_images_are_pinned(service: dict[str, Any]) -> None:
    """An upgrade is a change that somebody makes. Our own is built from here."""
    if "build" not in service:
        assert re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", service["image"])


@each_service
def test_containers_get_no_more_than_they_need(service: dict[str, Any]) -> None:
    """No capabilities, no way to get any, limits, and logs that end."""
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert {"mem_limit", "cpus"} <= set(service)
    assert "max-size" in service["logging"]["options"]


def test_all_but_kafka_are_read_only() -> None:
    """Kafka's image writes its configuration when it starts."""
    assert ["kafka"] == [name for name, each in SERVICES.items() if not each.get("read_only")]


def test_whoever_runs_on_is_watched_and_restarted() -> None:
    """Start order waits for health, so each server has a check."""
    running = {name: each for name, each in SERVICES.items() if name not in ONE_SHOT}
    assert [] == [name for name, each in running.items() if "healthcheck" not in each]
    assert [] == [name for name, each in running.items() if each["restart"] != "unless-stopped"]
    assert ["no", "no"] == [SERVICES[name]["restart"] for name in ONE_SHOT]


def test_no_service_waits_for_one_that_does_not_exist_or_is_not_checked() -> None:
    """Such a start would never end."""
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert name in ONE_SHOT


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_settings_and_our_commands_exist(name: str) -> None:
    """A misspelt variable would be ignored, and the default used."""
    service = SERVICES[name]
    for variable in service["environment"]:
        assert variable.removeprefix(PREFIX).lower() in Settings.model_fields
    words = [word for word in service["command"][:2] if re.fullmatch("[a-z-]+", word)]
    words = words if words[0] == "topics" else words[:1]
    assert 0 == CliRunner().invoke(feedback, [*words, "--help"]).exit_code


@pytest.mark.parametrize("name", OURS)
def test_the_options_of_our_commands_exist(name: str) -> None:
    """A renamed option would stop the container with exit 2, for ever."""
    command = SERVICES[name]["command"]
    words = command[: 2 if command[0] == "topics" else 1]
    text = CliRunner().invoke(feedback, [*words, "--help"]).stdout
    for option in (word for word in command if word.startswith("--")):
        assert option in text


def test_prometheus_finds_the_ports_that_are_served() -> None:
    """The rendered targets name each worker and the exporter by its port."""
    targets = (ROOT / "prometheus/prometheus.yml").read_text()
    for name, variable in (
        ("worker-1", "FEEDBACK_WEB_PORT"),
        ("worker-2", "FEEDBACK_WEB_PORT"),
        ("exporter", "FEEDBACK_EXPORTER_PORT"),
    ):
        assert f"{name}:{SERVICES[name]['environment'][variable]}" in targets


def test_redis_never_evicts() -> None:
    """A worker refuses to start otherwise; and its data outlives the container."""
    command = SERVICES["valkey"]["command"]
    for option in ("--appendonly yes", "--maxmemory-policy noeviction"):
        assert option in command
    assert ["valkey:/data"] == SERVICES["valkey"]["volumes"]


def test_grafana_has_no_password_to_guess() -> None:
    """No account at all: who reaches the page may look."""
    environment = SERVICES["grafana"]["environment"]
    assert "true" == environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]
    assert "Viewer" == environment["GF_AUTH_ANONYMOUS_ORG_ROLE"]
    assert [] == [name for name in environment if "PASSWORD" in name]


def test_the_image_does_not_run_as_root() -> None:
    """By number, which Kubernetes can check."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in dockerfile


def test_the_image_is_built_from_the_python_that_tests_run() -> None:
    """Pinned to a patch release."""
    assert re.search(
        r"^ARG PYTHON=python:3\.11\.\d+-slim-", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
