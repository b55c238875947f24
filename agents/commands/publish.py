"""`feedback publish FILE`: events from a file, or from standard input, to Kafka."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from agents.commands.kafka_options import (
    brokers_option,
    format_option,
    kpis_option,
    topic_option,
)
from agents.kafka.clients import partition_count, producer
from agents.kafka.errors import kafka_errors
from agents.publish.delivery import Delivery
from agents.publish.event_file import CsvRows, EventFile, JsonLines
from agents.publish.publisher import Gate, Pace, Publication, refused, survey
from agents.settings import Settings, load_settings
from agents.standard_error import StandardError
from streams.kpis.load import load_kpis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.ledger.layout import Layout

AGAIN = " (publish again: what did arrive counts once)"

EXAMPLES = """\b
Examples:
  feedback publish answers.jsonl
  feedback publish survey.csv --map event_id=respondent --map occurred_at=date
    --map measures.csat=csat5 --map dimensions.service=service --map comment=text
    --timezone Europe/London --skip-invalid
  tail -F answers.jsonl | feedback publish -
  feedback publish answers.jsonl --skip-invalid --format json
"""


@click.command(epilog=EXAMPLES)
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@kpis_option
@click.option("--csv", "as_csv", is_flag=True, help="FILE is CSV, whatever its name.")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="PLACE=COLUMN",
    help="CSV: the column that gives a place of the event, such as measures.csat=rating. A "
    "column named as a place needs none.",
)
@click.option(
    "--constant",
    "constants",
    multiple=True,
    metavar="PLACE=VALUE",
    help="CSV: what every event has, such as dimensions.channel=web.",
)
@click.option(
    "--timezone",
    metavar="NAME",
    help="CSV: where times without an offset were written, such as Europe/London; a date alone "
    "is its midnight there. Without it such rows are refused.",
)
@click.option(
    "--skip-invalid",
    is_flag=True,
    help="Report refused events and publish the others. Otherwise a file with a refused event "
    "is not published at all, and standard input up to that event.",
)
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many events a second."
)
@click.option(
    "--shift-to-now",
    is_flag=True,
    help="Move all times by the same amount, so that the latest is now.",
)
@format_option
@topic_option
@brokers_option
def command(
    file: Path,
    kpis: Path | None,
    as_csv: bool,
    maps: tuple[str, ...],
    constants: tuple[str, ...],
    timezone: str | None,
    skip_invalid: bool,
    rate: float | None,
    shift_to_now: bool,
    form: str,
    topic: str | None,
    brokers: str | None,
) -> None:
    """Publish the events in FILE (JSON lines or CSV; - reads standard input).

    Every event is checked first, as the worker will check it. Refused events are reported with
    their line and a reason, never with what a customer wrote.

    Exit status: 0 when every event was delivered, 1 when any was refused or not delivered,
    2 for wrong use.
    """
    settings = load_settings(kafka_brokers=brokers, topic=topic, kpi_file=kpis)
    layout = load_kpis(settings.kpi_file).layout
    lines = _events(file, layout, as_csv, maps, constants, timezone)
    if shift_to_now and not lines.repeatable:
        raise click.UsageError("--shift-to-now needs a file: of standard input no end is known")
    stderr = StandardError()
    gate, total = _gate(lines, layout, shift_to_now)
    if lines.repeatable and not skip_invalid:
        _stop_if_refused(lines, gate, total, settings.topic, form, stderr)
    if not _publish(lines, gate, total, settings, Pace(rate), skip_invalid, form, stderr):
        sys.exit(1)


def _events(
    file: Path,
    layout: Layout,
    as_csv: bool,
    maps: Sequence[str],
    constants: Sequence[str],
    timezone: str | None,
) -> EventFile:
    """FILE in its format; raises `click.UsageError` where the options are for the other one."""
    if as_csv or file.suffix.lower() == ".csv":
        zone = None if timezone is None else _zone(timezone)
        return CsvRows(
            file, sys.stdin.buffer, layout, maps=maps, constants=constants, timezone=zone
        )
    if maps or constants or timezone:
        raise click.UsageError("--map, --constant and --timezone are for CSV; add --csv")
    return JsonLines(file, sys.stdin.buffer)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"{name!r} is no time zone; write one such as Europe/London or UTC",
            param_hint="--timezone",
        ) from None


def _gate(lines: EventFile, layout: Layout, shift_to_now: bool) -> tuple[Gate, int | None]:
    """The gate, and how many lines there are, where that can be known."""
    if not lines.repeatable:
        return Gate(layout), None
    found = survey(lines)
    if not shift_to_now or found.latest is None:
        return Gate(layout), found.lines
    return Gate(layout, shift=datetime.now(UTC) - found.latest), found.lines


def _stop_if_refused(
    lines: EventFile, gate: Gate, total: int | None, topic: str, form: str, stderr: StandardError
) -> None:
    """End with status 1, before anything is sent, where any line would be refused."""
    reasons: Counter[str] = Counter()
    for judged in refused(stderr.track(lines, "checking", total), gate):
        reasons[judged.refusal.reason] += 1
        stderr.say(judged)
    if not reasons:
        return
    stderr.say(
        f"nothing was published: {reasons.total():,} of {total:,} events would be refused; correct "
        "them, or publish the others with --skip-invalid"
    )
    if form == "json":
        click.echo(_json(Result(topic, 0, 0, reasons, None, 0.0)))
    sys.exit(1)


class Result(NamedTuple):
    """What became of the events; `stopped_at` is the place of the last line that was read."""

    topic: str
    published: int
    undelivered: int
    refused: Counter[str]
    stopped_at: str | None
    seconds: float

    def __str__(self) -> str:
        speed = f"{self.published / max(self.seconds, 0.001):,.0f} a second"
        duration = f"{self.seconds:.1f} s ({speed})"
        parts = [
            f"published {self.published:,} events to {self.topic} in {duration}",
            _refusals(self.refused),
            f"{self.undelivered:,} not delivered{AGAIN}" if self.undelivered else "",
            f"stopped at {self.stopped_at}" if self.stopped_at else "",
        ]
        return "; ".join(part for part in parts if part)


def _publish(
    lines: EventFile,
    gate: Gate,
    total: int | None,
    settings: Settings,
    pace: Pace,
    skip_invalid: bool,
    form: str,
    stderr: StandardError,
) -> bool:
    """Whether every event was delivered; the result is printed also when interrupted."""
    with kafka_errors(settings), producer(settings) as client:
        partition_count(client, settings, settings.topic)
        delivery = Delivery(client, lambda at, why: stderr.say(f"{at}: not delivered: {why}"))
        publication = Publication(
            delivery, settings.topic, skip_invalid=skip_invalid, pace=pace, report=stderr.say
        )
        started = time.monotonic()
        try:
            publication.run(stderr.track(lines, "publishing", total), gate)
        finally:
            result = Result(
                settings.topic,
                delivery.delivered,
                delivery.undelivered,
                publication.refused,
                publication.stopped_at,
                time.monotonic() - started,
            )
            click.echo(_json(result) if form == "json" else str(result))
    return not publication.refused and not delivery.undelivered


def _json(result: Result) -> str:
    return json.dumps(result._asdict() | {"seconds": round(result.seconds, 3)}, indent=2)


def _refusals(reasons: Counter[str]) -> str:
    each = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    return f"{reasons.total():,} refused ({each})" if reasons else ""
