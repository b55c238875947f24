"""`feedback worker`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agents.settings import load_settings, settings_help


class _WithSettings(click.Command):
    """A command whose help ends with every variable."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the settings, one a line."""
        del ctx
        with formatter.section("Settings, from the environment"):
            lines = [line.partition(": ") for line in settings_help().splitlines()]
            formatter.write_dl([(name, text) for name, _, text in lines])


@click.command("worker", cls=_WithSettings)
@click.option(
    "--kpis", type=click.Path(path_type=Path, dir_okay=False), help="The KPI file (kpis.yaml)."
)
@click.option("--web-port", type=click.IntRange(0, 65535), help="Port of health and metrics.")
def command(kpis: Path | None, web_port: int | None) -> None:
    r"""Count events from Kafka into Redis, each exactly once.

    Start as many as there are cores: Kafka divides the partitions among them. Waits for Kafka
    and Redis; SIGTERM stops it within ten seconds, and at any moment nothing is lost.

    \b
    Example:
      FEEDBACK_KAFKA_BROKERS=kafka:9092 FEEDBACK_REDIS_URL=redis://redis:6379/0 feedback worker
    """
    from agents.worker.process import run_worker  # noqa: PLC0415 - Faust is slow to import

    settings = load_settings(kpi_file=kpis, web_port=web_port)
    sys.exit(run_worker(settings))
