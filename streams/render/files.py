"""Everything that is generated from the KPI file, as paths and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.errors import ConfigurationError
from streams.render import (
    alertmanager,
    grafana,
    held_tests,
    pipeline_tests,
    prometheus,
    rules,
    score_tests,
    why_tests,
)
from streams.render.alertmanager import Receivers
from streams.render.prometheus import Targets

if TYPE_CHECKING:
    from pathlib import Path

    from streams.render.catalogue import Catalogue

BOARD_PATH = "grafana/dashboards/feedback.json"


class Deployment(msgspec.Struct, frozen=True):
    """What is no matter of the KPI file. The addresses are docker-compose.yml's by default."""

    targets: Targets = Targets()
    receivers: Receivers = Receivers()
    prometheus_url: str = "http://prometheus:9090"


COMPOSE = Deployment()


class Rendered(NamedTuple):
    """A file to write: `path` is relative to the folder that holds all of them."""

    path: str
    text: str


def render(catalogue: Catalogue, deployment: Deployment = COMPOSE) -> list[Rendered]:
    """Every generated file. The same arguments give the same bytes.

    Raises ConfigurationError for wrong receivers, and where Grafana's builders are not installed.
    """
    targets, receivers = deployment.targets, deployment.receivers
    return [
        Rendered(rules.RULES_PATH, rules.render_rules(catalogue)),
        Rendered(prometheus.CONFIG_PATH, prometheus.render_prometheus(targets)),
        Rendered(score_tests.TESTS_PATH, score_tests.render_score_tests(catalogue)),
        Rendered(why_tests.TESTS_PATH, why_tests.render_why_tests(catalogue)),
        Rendered(held_tests.TESTS_PATH, held_tests.render_held_tests(catalogue)),
        Rendered(
            pipeline_tests.TESTS_PATH,
            pipeline_tests.render_pipeline_tests(catalogue),
        ),
        Rendered(
            alertmanager.CONFIG_PATH,
            alertmanager.render_alertmanager(catalogue, receivers),
        ),
        Rendered(alertmanager.TEMPLATE_PATH, alertmanager.render_templates()),
        Rendered(BOARD_PATH, _board(catalogue)),
        Rendered(
            grafana.DATASOURCE_PATH,
            grafana.render_datasource(deployment.prometheus_url),
        ),
        Rendered(grafana.BOARDS_PATH, grafana.render_board_provider()),
    ]


def differing(files: list[Rendered], folder: Path) -> list[str]:
    """The paths of the files that are missing in `folder`, or hold another text there."""
    return [file.path for file in files if not _is_written(folder / file.path, file.text)]


def write(files: list[Rendered], folder: Path) -> list[str]:
    """Write what differs, and return its paths. Equal files keep their time of change."""
    changed = differing(files, folder)
    for file in files:
        if file.path in changed:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
    return changed


def _is_written(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _board(catalogue: Catalogue) -> str:
    try:
        # Only this file needs Grafana's builders; the command's help must not.
        from streams.render.board import render_board  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("grafana_foundation_sdk"):
            raise
        raise ConfigurationError(
            "the board needs Grafana's builders; install them with "
            "pip install 'feedback-streams[render]'"
        ) from None
    return render_board(catalogue)
