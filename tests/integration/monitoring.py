"""Prometheus and Alertmanager with the files that `feedback render` writes, and what they know."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from agents.embedded.prometheus import Alertmanager, Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

Labels = dict[str, str]
Sample = tuple[Labels, float]


class Monitoring:
    """Both servers, configured by the rendered files; a context manager.

    They differ from what a user gets in addresses and in two intervals: Prometheus scrapes and
    evaluates every second, and Alertmanager tells of changes after 10 s instead of a minute.
    """

    def __init__(
        self,
        folder: Path,
        kpi_file: Path,
        *,
        exporters: Iterable[str],
        workers: Iterable[str],
        webhook_url: str,
    ) -> None:
        self.alertmanager = Alertmanager(folder / "alertmanager/alertmanager.yml")
        self.prometheus = Prometheus(folder / "prometheus/prometheus.yml")
        self._exit = ExitStack()
        targets = {"exporter": exporters, "worker": workers}
        self._render = [
            f"--kpis={kpi_file}",
            f"--out={folder}",
            "--interval=1s",
            f"--webhook-url={webhook_url}",
            f"--alertmanager-target={self.alertmanager.address}",
            *(f"--{kind}-target={each}" for kind, all_ in targets.items() for each in all_),
        ]

    def __enter__(self) -> Self:
        subprocess.run(
            [sys.executable, "-m", "agents.cli", "render", *self._render],
            check=True,
            capture_output=True,
        )
        _replace_once(
            self.alertmanager.configuration, "group_interval: 1m\n", "group_interval: 10s\n"
        )
        with ExitStack() as stack:
            stack.enter_context(self.alertmanager)
            stack.enter_context(self.prometheus)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def ask(self, expr: str, at: float | None = None) -> list[Sample]:
        """What `expr` is, now or at a time (Unix seconds): labels and value of each series."""
        found = self._query(expr, at)
        return [(series["metric"], float(series["value"][1])) for series in found]

    def number(self, expr: str, at: float | None = None) -> float | None:
        """The one value of `expr`; None where it has none."""
        found = self.ask(expr, at)
        assert len(found) <= 1, f"{expr} has {len(found)} series"
        return found[0][1] if found else None

    def values(self, expr: str) -> list[tuple[float, float]]:
        """Times and values of all samples that a range vector such as `up[5m]` holds."""
        samples = [
            (float(at), float(value))
            for series in self._query(expr, None)
            for at, value in series["values"]
        ]
        return sorted(samples)

    def evaluations(self) -> int:
        """How often the score rules were evaluated, in the last half hour."""
        counted = self.number("max(count_over_time(kpi:feedback_kpi_info:owner[30m]))")
        return int(counted or 0)

    def firing(self, alertname: str) -> list[Labels]:
        """The alerts of this name that fire now: their labels."""
        expr = f'ALERTS{{alertname="{alertname}",alertstate="firing"}}'
        hidden = {"__name__", "alertstate"}
        return [
            {name: value for name, value in labels.items() if name not in hidden}
            for labels, _ in self.ask(expr)
        ]

    def ever_fired(self) -> set[str]:
        """The names of all alerts that fired at any time."""
        expr = 'count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[30m]))'
        return {labels["alertname"] for labels, _ in self.ask(expr)}

    def incidents(self, alertname: str) -> int:
        """How often alerts without a `for` began to fire: times of beginning of each series."""
        found = self._query(f'ALERTS_FOR_STATE{{alertname="{alertname}"}}[30m]', None)
        return sum(len({value for _, value in series["values"]}) for series in found)

    def notified_state(self, alertname: str) -> list[str]:
        """What Alertmanager does with the alerts of this name: `active` or `suppressed`."""
        alerts = _get(f"{self.alertmanager.url}/api/v2/alerts")
        return [a["status"]["state"] for a in alerts if a["labels"]["alertname"] == alertname]

    def _query(self, expr: str, at: float | None) -> list[dict[str, Any]]:
        given = {"query": expr} if at is None else {"query": expr, "time": f"{at:.3f}"}
        url = f"{self.prometheus.url}/api/v1/query?{urllib.parse.urlencode(given)}"
        found: list[dict[str, Any]] = _get(url)["data"]["result"]
        return found


def _replace_once(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert 1 == text.count(old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - our own server
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}\n{error.read().decode()}") from None
