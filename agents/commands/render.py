"""`feedback render`: write what the KPI file generates, or tell whether it is up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agents.settings import PREFIX, load_settings
from streams.durations import Duration
from streams.kpis.load import load_kpis
from streams.render.alertmanager import Receivers
from streams.render.catalogue import Catalogue
from streams.render.files import Deployment, differing, render, write
from streams.render.prometheus import Targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC

EXAMPLES = """\b
Examples:
  feedback render
  feedback render --check
  feedback render --out /etc/feedback --exporter-target 127.0.0.1:9108 \\
      --worker-target 127.0.0.1:6066 --alertmanager-target 127.0.0.1:9093
  feedback render --webhook-url http://pager.internal/alerts
  feedback render --slack-url-file /run/secrets/slack_url --slack-channel '#feedback'
"""

# Names of `Receivers`; files are named as Alertmanager sees them, and read by it, not by us.
RECEIVERS: Final = {
    "webhook_url": "Send alerts to this address; it stands in the file, so no secret in it.",
    "webhook_url_file": "The same from a file (Alertmanager 0.26 or newer).",
    "slack_url_file": "File with Slack's webhook address.",
    "slack_channel": "Slack channel, as in '#feedback'.",
    "email_to": "Send alerts to this e-mail address.",
    "email_from": "From this one.",
    "email_smarthost": "Through this server, host:port.",
    "email_username": "Logging in as this user.",
    "email_password_file": "With the password in this file.",
}


def _address(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> object:
    del context, option
    for value in values:
        host, _, port = value.rpartition(":")
        if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65_536:
            raise click.BadParameter(f"{value!r} is no host:port")
    return values


def _interval(context: click.Context, option: click.Parameter, value: str) -> str:
    del context, option
    try:
        return Duration.parse(value).name
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _targets(process: str, default: tuple[str, ...]) -> Callable[[FC], FC]:
    return click.option(
        f"--{process}-target",
        f"{process}s",
        multiple=True,
        metavar="HOST:PORT",
        default=default,
        show_default=True,
        callback=_address,
        help=f"Where Prometheus finds the {process}; may be given again.",
    )


def _receivers(decorated: FC) -> FC:
    for name, text in reversed(RECEIVERS.items()):
        option = f"--{name.replace('_', '-')}"
        variable = f"{PREFIX}{name.upper()}"
        decorated = click.option(option, name, envvar=variable, show_envvar=True, help=text)(
            decorated
        )
    return decorated


@click.command(epilog=EXAMPLES)
@click.option(
    "--kpis", type=click.Path(path_type=Path), help="KPI file [default: FEEDBACK_KPI_FILE]."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder that holds prometheus/, alertmanager/ and grafana/.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@_targets("exporter", Targets().exporters)
@_targets("worker", Targets().workers)
@_targets("alertmanager", Targets().alertmanagers)
@click.option(
    "--interval",
    default=Targets().interval,
    show_default=True,
    callback=_interval,
    help="How often Prometheus scrapes and evaluates.",
)
@click.option(
    "--prometheus-url",
    default=Deployment().prometheus_url,
    show_default=True,
    help="Where Grafana finds Prometheus.",
)
@_receivers
def command(
    kpis: Path | None,
    out: Path,
    check: bool,
    exporters: tuple[str, ...],
    workers: tuple[str, ...],
    alertmanagers: tuple[str, ...],
    interval: str,
    prometheus_url: str,
    **receivers: str | None,
) -> None:
    """Write rules, configuration and boards for Prometheus, Alertmanager and Grafana.

    Without options the files are those that docker-compose.yml uses. Prints each file that was
    written, or with --check each that differs.
    """
    file = load_kpis(load_settings(kpi_file=kpis).kpi_file)
    deployment = Deployment(
        Targets(exporters, workers, alertmanagers, interval),
        Receivers(**receivers),
        prometheus_url,
    )
    files = render(Catalogue.of(file), deployment)
    changed = differing(files, out) if check else write(files, out)
    for path in changed:
        click.echo(f"{path} differs" if check else f"wrote {path}")
    if check and changed:
        click.echo("Run feedback render and commit what it writes.", err=True)
        raise SystemExit(1)
