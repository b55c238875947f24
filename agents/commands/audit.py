"""`feedback audit`: recompute the counts from the log and compare everything."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from agents.audit.audit import Audit
from agents.audit.sources import FileLog, KafkaLog
from agents.audit.views import print_report, report_json
from agents.commands.kafka_options import brokers_option, topic_option
from agents.kafka.clients import consumer
from agents.kafka.errors import kafka_errors
from agents.kafka.topic_log import no_topic
from agents.publish.event_file import JsonLines
from agents.redis_clients import reading_client
from agents.settings import load_settings
from agents.standard_error import StandardError
from streams.audit.snapshot import stored_layout
from streams.errors import ConfigurationError, StorageMismatch, Unavailable
from streams.ledger.keys import topic_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from redis import Redis

    from agents.audit.audit import PartitionAudit
    from agents.audit.sources import Log
    from agents.settings import Settings

EXAMPLES = """\b
Examples:
  feedback audit
  feedback audit --partition 3 --since 2026-11-23T00:00:00Z
  feedback audit --file answers.jsonl --format json
"""


@click.command("audit", epilog=EXAMPLES)
@topic_option
@brokers_option
@click.option(
    "--partition",
    "wanted",
    type=click.IntRange(min=0),
    multiple=True,
    help="Only this partition; may be given again.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Compare only buckets that begin, and answers given, at or after this RFC 3339 time; "
    "totals and admitted values are left out.",
)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read events from the JSON lines that were published to the empty topic, not from Kafka.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)
def command(
    topic: str | None,
    brokers: str | None,
    wanted: tuple[int, ...],
    since: str | None,
    file: Path | None,
    form: str,
) -> None:
    """Recompute the counts from the log, and compare every cell, id and total with Redis.

    Only reads, so it may run beside the workers. One partition after the other is replayed from
    the log's beginning to where the ledger stood; an id takes about 1 kB of memory meanwhile.
    Counts that Redis may have dropped by now, being past their retention, are not compared.
    Customers are compared by their hash: set FEEDBACK_CUSTOMER_KEY as the workers have it.

    Exit status: 0 when everything is equal, 1 on any difference, 2 for wrong use.
    """
    settings = load_settings(kafka_brokers=brokers, topic=topic)
    begin = None if since is None else _time(since)
    stderr = StandardError()
    with ExitStack() as stack:
        stack.enter_context(_redis_errors(settings))
        stack.enter_context(kafka_errors(settings))
        redis = stack.enter_context(reading_client(settings))
        stored = cast("bytes | None", redis.hget(topic_key(settings.topic), "partitions"))
        if file is None:
            log, partitions = _kafka(settings, stored, stack)
        else:
            log, partitions = _file(settings, redis, file, stored, stderr)
        audit = _audit(settings, redis, log, partitions, begin, stderr)
        results = [audit.partition(p) for p in _chosen(wanted, audit.partitions)]
    _show(settings.topic, results, form)
    sys.exit(1 if any(result.differences for result in results) else 0)


def _audit(
    settings: Settings,
    redis: Redis,
    log: Log,
    partitions: int,
    since: float | None,
    stderr: StandardError,
) -> Audit:
    def track(records: Iterable[Any], label: str, total: int) -> Iterator[Any]:
        return stderr.track(records, label, total)

    key = settings.customer_key.get_secret_value().encode()
    return Audit(redis, log, settings.topic, partitions, key, since, track)


def _kafka(settings: Settings, stored: bytes | None, stack: ExitStack) -> tuple[Log, int]:
    client = stack.enter_context(consumer(settings))
    partitions = len(client.partitions_for_topic(settings.topic) or ())
    if not partitions:
        raise no_topic(settings.topic)
    if stored is not None and int(stored) != partitions:
        raise StorageMismatch(
            f"Topic {settings.topic} has {partitions} partitions, but the counts in Redis are of "
            f"{int(stored)}: they belong to the topic as it was before."
        )
    return KafkaLog(client, settings.topic), partitions


def _file(
    settings: Settings, redis: Redis, file: Path, stored: bytes | None, stderr: StandardError
) -> tuple[Log, int]:
    partitions = int(stored or 0)
    layout = stored_layout(redis, settings.topic, partitions)
    if layout is None:
        raise Unavailable(
            f"Redis at {settings.redis_shown} has no counts of topic {settings.topic}."
        )
    log = FileLog(JsonLines(file, sys.stdin.buffer), layout, partitions)
    if log.skipped:
        stderr.say(f"{log.skipped:,} lines are left out: `feedback publish` refuses them")
    return log, partitions


def _chosen(wanted: Sequence[int], partitions: int) -> Sequence[int]:
    if not wanted:
        return range(partitions)
    if max(wanted) >= partitions:
        raise click.UsageError(
            f"--partition {max(wanted)}: the topic has the partitions 0 to {partitions - 1}"
        )
    return sorted(set(wanted))


def _time(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise click.BadParameter(
            f"{text!r} is no time with an offset, such as 2026-11-23T10:00:00Z",
            param_hint="--since",
        )
    return time.timestamp()


@contextmanager
def _redis_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise ConfigurationError(f"Redis at {settings.redis_shown} refused us: {error}") from error
    except RedisError as error:
        raise Unavailable(f"Redis at {settings.redis_shown} does not answer: {error}") from error


def _show(topic: str, results: Sequence[PartitionAudit], form: str) -> None:
    if form == "json":
        click.echo(report_json(topic, results))
    else:
        print_report(topic, results)
