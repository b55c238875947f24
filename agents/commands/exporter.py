"""`feedback exporter`."""

from __future__ import annotations

from pathlib import Path

import click

from agents.settings import load_settings

EXAMPLES = """\b
Examples:
  feedback exporter
  FEEDBACK_REDIS_URL=redis://redis:6379/0 feedback exporter --host 0.0.0.0 --port 9108
"""


@click.command("exporter", epilog=EXAMPLES)
@click.option(
    "--kpis",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The KPI file (FEEDBACK_KPI_FILE, else kpis.yaml).",
)
@click.option("--host", help="Address to serve on (FEEDBACK_EXPORTER_HOST, else 127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to serve on (FEEDBACK_EXPORTER_PORT, else 9108); 0 takes a free one.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0, 60, min_open=True),
    help="Seconds between two reads of Redis (FEEDBACK_REFRESH_SECONDS, else 2).",
)
def command(kpis: Path | None, host: str | None, port: int | None, interval: float | None) -> None:
    """Serve the scores in Redis to Prometheus, at /metrics.

    It only reads, so any number of exporters may run. It waits for Redis and for the first
    worker; until then, and while Redis is away, scores are served as stale.

    Exit status: 0 after a signal, 2 for a wrong setting, a wrong KPI file, or one that is older
    than the counts.
    """
    from agents.exporter.process import run_exporter  # noqa: PLC0415 - --help needs no Redis client

    run_exporter(
        load_settings(
            kpi_file=kpis, exporter_host=host, exporter_port=port, refresh_seconds=interval
        )
    )
