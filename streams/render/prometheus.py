"""The Prometheus configuration: what is scraped, how often, and where alerts go."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.render.catalogue import write_yaml
from streams.render.pipeline_rules import EXPORTER_JOB, WORKER_JOB

CONFIG_PATH = "prometheus/prometheus.yml"


class Targets(msgspec.Struct, frozen=True):
    """Addresses as Prometheus reaches them, `host:port`. The defaults are docker-compose.yml's.

    Each worker is named, not discovered: what vanishes from discovery is never seen to be down.
    """

    exporters: tuple[str, ...] = ("exporter:9108",)
    workers: tuple[str, ...] = ("worker-1:6066", "worker-2:6066")
    alertmanagers: tuple[str, ...] = ("alertmanager:9093",)
    interval: str = "15s"


def render_prometheus(targets: Targets) -> str:
    """`prometheus.yml` for these targets."""
    content = {
        "global": {
            "scrape_interval": targets.interval,
            "scrape_timeout": targets.interval,
            "evaluation_interval": targets.interval,
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [_static(targets.alertmanagers)]},
        "scrape_configs": [
            {"job_name": EXPORTER_JOB, **_scraped(targets.exporters)},
            {"job_name": WORKER_JOB, **_scraped(targets.workers)},
        ],
    }
    return write_yaml(content)


def _static(addresses: tuple[str, ...]) -> dict[str, Any]:
    return {"static_configs": [{"targets": list(addresses)}]}


def _scraped(addresses: tuple[str, ...]) -> dict[str, Any]:
    return {"metrics_path": "/metrics", **_static(addresses)}
