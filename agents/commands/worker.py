"""`feedback worker`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from agents.settings import load_settings, settings_help

_LONGEST_NAME: Final = 34

EXAMPLES = """\b
Examples:
  feedback worker
  FEEDBACK_KAFKA_BROKERS=kafka:9092 FEEDBACK_REDIS_URL=redis://redis:6379/0 feedback worker
"""


class _WithSettings(click.Command):
    """A command whose help ends with every variable."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the settings, one a line, after the examples."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Settings, from the environment"):
            lines = [line.partition(": ") for line in settings_help().splitlines()]
            formatter.write_dl([(name, text) for name, _, text in lines], col_max=_LONGEST_NAME)


@click.command("worker", cls=_WithSettings, epilog=EXAMPLES)
@click.option(
    "--kpis",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The KPI file (FEEDBACK_KPI_FILE, else kpis.yaml).",
)
@click.option(
    "--web-port",
    type=click.IntRange(0, 65535),
    help="Port of /healthz, /readyz and /metrics (FEEDBACK_WEB_PORT, else 6066).",
)
def command(kpis: Path | None, web_port: int | None) -> None:
    """Count events from Kafka into Redis, each exactly once.

    Start as many as there are cores: Kafka divides the partitions among them. Waits for Kafka
    and Redis; SIGTERM stops it within ten seconds, and at any moment nothing is lost.

    Exit status: 0 after a signal; 1 when something failed and a restart may help; 2 for a wrong
    setting or KPI file, or when they do not fit what is stored. The last line says why.
    """
    from agents.worker.process import run_worker  # noqa: PLC0415 - Faust is slow to import

    settings = load_settings(kpi_file=kpis, web_port=web_port)
    sys.exit(run_worker(settings))
