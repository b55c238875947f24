"""Prometheus and Alertmanager in the demo, with the rendered rules; and what they fired."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final

from agents.embedded.ports import HOST
from agents.embedded.prometheus import (
    HOW_TO_GET,
    Alertmanager,
    Prometheus,
    find_alertmanager,
    find_prometheus,
)
from streams.render import alertmanager as render_alertmanager
from streams.render import prometheus as render_prometheus
from streams.render import rules as render_rules
from streams.render.alertmanager import Receivers, render_templates
from streams.render.catalogue import Catalogue
from streams.render.files import Rendered, write
from streams.render.prometheus import Targets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.kpis.file import KpiFile

ABSENT: Final = (
    f"Prometheus and Alertmanager are not on PATH. With them ({HOW_TO_GET}) the demo runs the "
    "rendered rules, and shows the alerts that they fire."
)

_ANSWER_SECONDS: Final = 1.0


class Monitors:
    """Both servers, running. Their pages are at `prometheus_url` and `alertmanager_url`."""

    def __init__(self, prometheus_url: str, alertmanager_url: str, alertmanager_port: int) -> None:
        self.prometheus_url = prometheus_url
        self.alertmanager_url = alertmanager_url
        self._port = alertmanager_port
        self._firing: dict[str, str] = {}

    def changes(self) -> list[str]:
        """What fired and what was resolved since the last call, a line each.

        Alertmanager not answering for once is no news: the next call tells.
        """
        try:
            found = {alert["fingerprint"]: _named(alert) for alert in self._active()}
        except (OSError, HTTPException, ValueError):
            return []
        fired = [f"Alertmanager: firing: {found[key]}" for key in found.keys() - self._firing]
        resolved = [
            f"Alertmanager: resolved: {_place(self._firing[key])}"
            for key in self._firing.keys() - found
        ]
        self._firing = found
        return sorted(fired) + sorted(resolved)

    def _active(self) -> list[dict[str, Any]]:
        connection = HTTPConnection(HOST, self._port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/api/v2/alerts?silenced=false&inhibited=false")
            alerts: list[dict[str, Any]] = json.load(connection.getresponse())
        finally:
            connection.close()
        return alerts


def are_found() -> bool:
    """Whether both servers are on PATH."""
    return find_prometheus() is not None and find_alertmanager() is not None


@contextmanager
def monitors(folder: Path, kpis: KpiFile, exporter: str, worker: str) -> Iterator[Monitors]:
    """Start both on rules, routes and scrape configuration rendered into `folder`."""
    _write_alertmanager(folder, kpis)
    configuration = folder / render_alertmanager.CONFIG_PATH
    with Alertmanager(configuration, directory=_made(folder / "alerts")) as alertmanager:
        targets = Targets((exporter,), (worker,), (alertmanager.address,), "1s")
        _write_prometheus(folder, kpis, targets)
        configuration = folder / render_prometheus.CONFIG_PATH
        with Prometheus(configuration, directory=_made(folder / "metrics")) as prometheus:
            yield Monitors(prometheus.url, alertmanager.url, alertmanager.port)


def _write_alertmanager(folder: Path, kpis: KpiFile) -> None:
    routes = render_alertmanager.render_alertmanager(Catalogue.of(kpis), Receivers())
    write(
        [
            Rendered(render_alertmanager.CONFIG_PATH, routes),
            Rendered(render_alertmanager.TEMPLATE_PATH, render_templates()),
        ],
        folder,
    )


def _write_prometheus(folder: Path, kpis: KpiFile, targets: Targets) -> None:
    write(
        [
            Rendered(render_rules.RULES_PATH, render_rules.render_rules(Catalogue.of(kpis))),
            Rendered(render_prometheus.CONFIG_PATH, render_prometheus.render_prometheus(targets)),
        ],
        folder,
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _place(named: str) -> str:
    """What `_named` says without its numbers, which are of the time when it fired."""
    before, _, after = named.rpartition(": ")
    return before if "(" in after else named


def _named(alert: dict[str, Any]) -> str:
    return f"{alert['labels']['alertname']}: {alert['annotations'].get('summary', '')}"
