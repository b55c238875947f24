"""`feedback topics create`: the topic of events and the topic of dead letters."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from agents.commands.kafka_options import (
    brokers_option,
    dead_letter_topic_option,
    format_option,
    kpis_option,
    topic_option,
)
from agents.kafka.clients import admin
from agents.kafka.errors import kafka_errors
from agents.kafka.topics import (
    SOURCE_LIMIT_BYTES,
    Difference,
    Topic,
    create_topic,
    differences,
    find_topic,
    wanted_topics,
)
from agents.settings import load_settings
from streams.durations import Duration
from streams.kpis.load import load_kpis

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

EXAMPLE = """\b
Examples:
  feedback topics create
  feedback topics create --partitions 16 --replication 3 --retention 90d
  feedback topics create --format json
"""


@click.group()
def command() -> None:
    """Create the Kafka topics."""


@command.command(epilog=EXAMPLE)
@click.option(
    "--partitions",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="As many workers can share the work; it cannot be changed later without a migration.",
)
@click.option(
    "--replication",
    type=click.IntRange(min=1, max=32),
    default=1,
    show_default=True,
    help="Copies of each record; 3 in production, so that any one broker may be away.",
)
@click.option(
    "--retention",
    metavar="DURATION",
    help="How long records are kept, such as 90d; default: the longest retention of the KPI file.",
)
@click.option(
    "--max-message-bytes",
    type=click.IntRange(min=1024),
    default=SOURCE_LIMIT_BYTES,
    show_default=True,
    help="The largest event; a dead letter may be 64 KiB larger.",
)
@format_option
@kpis_option
@topic_option
@dead_letter_topic_option
@brokers_option
def create(
    partitions: int,
    replication: int,
    retention: str | None,
    max_message_bytes: int,
    form: str,
    kpis: Path | None,
    topic: str | None,
    dead_letter_topic: str | None,
    brokers: str | None,
) -> None:
    """Create the topics of events and dead letters; may be run again.

    A topic that exists is left as it is, and where it differs is printed.

    Exit status: 1 when an existing topic has another number of partitions or does not set the
    time of its records (message.timestamp.type=LogAppendTime), 2 for wrong use.
    """
    settings = load_settings(
        kafka_brokers=brokers, topic=topic, dead_letter_topic=dead_letter_topic, kpi_file=kpis
    )
    if settings.topic == settings.dead_letter_topic:
        raise click.UsageError("--topic and --dead-letter-topic must be two topics")
    wanted = wanted_topics(
        settings.topic,
        settings.dead_letter_topic,
        partitions=partitions,
        replication=replication,
        retention_seconds=_retention_seconds(retention, settings.kpi_file),
        limit_bytes=max_message_bytes,
    )
    with kafka_errors(settings), admin(settings) as client:
        results = [_create(client, topic) for topic in wanted]
    if form == "json":
        click.echo(json.dumps([result.as_json() for result in results], indent=2))
    else:
        for result in results:
            click.echo(str(result))
    if not all(result.good for result in results):
        sys.exit(1)


class Result(NamedTuple):
    """A topic that was created, or how the one that exists differs."""

    wanted: Topic
    created: bool
    differences: list[Difference]

    @property
    def good(self) -> bool:
        """Whether counts will be exact with it."""
        return not any(difference.essential for difference in self.differences)

    def __str__(self) -> str:
        name = self.wanted.name
        if self.created:
            return f"{name}: created, {self.wanted}"
        if not self.differences:
            return f"{name}: exists, as wanted"
        return "\n  ".join([f"{name}: exists", *map(str, self.differences)])

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        differences = [one._asdict() | {"essential": one.essential} for one in self.differences]
        return {"topic": self.wanted.name, "created": self.created, "differences": differences}


def _retention_seconds(text: str | None, kpi_file: Path) -> int:
    if text is None:
        return load_kpis(kpi_file).layout.longest_retention_seconds
    try:
        return Duration.parse(text).seconds
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--retention") from None


def _create(client: KafkaAdminClient, wanted: Topic) -> Result:
    """Create one topic, or compare it."""
    found = find_topic(client, wanted.name, wanted.settings)
    if found is None and create_topic(client, wanted):
        return Result(wanted, True, [])
    found = found or find_topic(client, wanted.name, wanted.settings)
    return Result(wanted, False, differences(wanted, found) if found else [])
